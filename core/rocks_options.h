#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include <rocksdb/db.h>

#include "core/rocks_diagnostics.h"
#include "core/storage.h"

// How our databases are configured. Internal to core/rocks_*.cc and their tests.
namespace tenantry {

// Bytes of checksum that RocksDB keeps with each key from a write's batch to its memtable.
inline constexpr std::uint32_t kProtectionBytes = 8;

struct RocksConfiguration {
  std::unique_ptr<rocksdb::Env> env;  // If it needs one of its own; outlives the database.
  rocksdb::DBOptions database;
  std::vector<rocksdb::ColumnFamilyDescriptor> families;  // In the order of Family.
  std::shared_ptr<BackgroundErrors> background_errors;    // Shared with RocksDB, which calls it.
};

// `env` is borrowed for the life of the database.
[[nodiscard]] RocksConfiguration configure_rocks(const RocksOptions& options, rocksdb::Env& env);

// In the order of Family.
[[nodiscard]] std::array<const char*, kFamilyCount> rocks_family_names();

[[nodiscard]] rocksdb::WriteOptions rocks_write_options(const RocksOptions& options, bool sync);

}  // namespace tenantry
