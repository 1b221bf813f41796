#pragma once

#include <string_view>

#include <rocksdb/status.h>

// Internal to core/rocks_*.cc.
namespace tenantry {

// Does nothing if `status` is OK. Otherwise throws, with RocksDB's text after `what`:
// CorruptionError for damage, a file that the database names but that is gone included;
// UnavailableError for all else.
void check(const rocksdb::Status& status, std::string_view what);

}  // namespace tenantry
