#pragma once

#include <memory>

#include <rocksdb/env.h>

#include "core/storage.h"

// For tests/ only: the storage over a file system that can be made to fail.
namespace tenantry {

// As open_rocks_storage(). `env` is borrowed for the life of the storage.
[[nodiscard]] std::unique_ptr<Storage> open_rocks_storage_on(rocksdb::Env& env,
                                                             const RocksOptions& options);

}  // namespace tenantry
