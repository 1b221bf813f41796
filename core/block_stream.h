#pragma once

#include <memory>
#include <optional>
#include <string>

#include "core/head.h"
#include "core/record.h"
#include "core/storage.h"

namespace tenantry {

// The blocks of one scope, one after the other in one direction. For the log's readers.
class BlockStream {
 public:
  virtual ~BlockStream() = default;
  // nullopt at the end.
  [[nodiscard]] virtual std::optional<Block> next() = 0;
};

// Every block that has an event in (after, through].
[[nodiscard]] std::unique_ptr<BlockStream> scan_blocks(const StorageReader& storage, events::Scope scope,
                                                       Position after, Position through, bool reverse);

// Only the blocks that an index names for `id`: `kind` is keys::kStreamIndex, kTenantIndex or kActorIndex.
[[nodiscard]] std::unique_ptr<BlockStream> indexed_blocks(const StorageReader& storage, events::Scope scope,
                                                          const ScopeHead& end, char kind, const events::Uuid& id,
                                                          Position after, Position through, bool reverse);

}  // namespace tenantry
