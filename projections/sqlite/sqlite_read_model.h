#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>

#include "projections/read_model.h"

namespace tenantry::projections {

struct SqliteOptions {
  std::filesystem::path path;
  bool read_only = false;       // Verification and schema checks need no more.
  std::uint32_t pages_max = 0;  // The file grows no larger than this many pages; 0: no limit.
  std::chrono::milliseconds busy_timeout{10'000};  // How long to wait for another writer.
};

// A read model in a SQLite file, laid out as Django lays the tables out there. The file need not
// exist: it is made by the first thing that writes. Opening reads nothing.
[[nodiscard]] std::unique_ptr<ReadModel> open_sqlite_read_model(SqliteOptions options);

}  // namespace tenantry::projections
