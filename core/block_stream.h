#pragma once

#include <memory>
#include <optional>
#include <string>

#include "core/catalogue.h"
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

// Of the log: every block that has an event in (after, through] and lies behind `base`, where the
// log of the scope begins.
[[nodiscard]] std::unique_ptr<BlockStream> scan_blocks(const StorageReader& storage,
                                                       events::Scope scope, const ScopePoint& base,
                                                       Position after, Position through,
                                                       bool reverse);

// What an index is asked for.
struct IndexedBy {
  char kind = 0;  // keys::kStreamIndex, kTenantIndex or kActorIndex.
  events::Uuid id;
};

// Epochs of an index, both inclusive.
struct EpochRange {
  std::uint32_t first = 1;
  std::uint32_t last = 1;
};

// Only those that an index names, of all the epochs under which a block of the log may be indexed.
// Meanwhile entries may go over to later ones (index_move.h); before the first one has lost any for
// good, the caller has opened the stream.
[[nodiscard]] std::unique_ptr<BlockStream> indexed_blocks(const StorageReader& storage,
                                                          events::Scope scope,
                                                          const ScopePoint& base, EpochRange epochs,
                                                          const IndexedBy& by, Position after,
                                                          Position through, bool reverse);

}  // namespace tenantry
