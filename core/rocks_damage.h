#pragma once

#include <vector>

#include <rocksdb/db.h>

#include "core/storage.h"

// Internal to core/rocks_*.cc.
namespace tenantry {

// The table files of an open database whose bytes are not those that were written.
[[nodiscard]] std::vector<FileDamage> damaged_table_files(
    rocksdb::DB& database, const Storage::ReadProgress& progress = {});

// check() of what was read. Where RocksDB says what is damaged but not where (the properties of a
// table, for one), all table files are read to name those that are.
void check_read(rocksdb::DB& database, const rocksdb::Status& status);

}  // namespace tenantry
