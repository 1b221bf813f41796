#pragma once

#include <vector>

#include <rocksdb/db.h>

#include "core/storage.h"

// Internal to core/rocks_*.cc.
namespace tenantry {

// The table files of an open database whose bytes are not those that were written.
[[nodiscard]] std::vector<FileDamage> damaged_table_files(rocksdb::DB& database);

}  // namespace tenantry
