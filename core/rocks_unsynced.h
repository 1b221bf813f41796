#pragma once

#include <memory>

#include <rocksdb/env.h>

namespace tenantry {

// `env`, of which no file is sent to the disk before the kernel does: for what is thrown away soon,
// whose waiting for the disk would hold up others that have to. Borrows `env`.
[[nodiscard]] std::unique_ptr<rocksdb::Env> make_unsynced_env(rocksdb::Env& env);

}  // namespace tenantry
