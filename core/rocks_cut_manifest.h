#pragma once

#include <cstdint>
#include <memory>

#include <rocksdb/env.h>

namespace tenantry {

// `env`, in which a manifest ends after so many bytes. For reading. Borrows `env`.
[[nodiscard]] std::unique_ptr<rocksdb::Env> make_cut_manifest_env(rocksdb::Env& env,
                                                                  std::uint64_t bytes);

}  // namespace tenantry
