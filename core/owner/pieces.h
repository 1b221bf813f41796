#pragma once

#include <cstdint>
#include <optional>

#include "core/owner/wire.h"
#include "core/tenancy_store.h"

// Reading a store piece by piece: so that whoever takes its time over one keeps nothing but what it
// is made of.
namespace tenantry::owner {

// From the beginning of what the filter, which has an end, lets pass: as much as makes a good
// answer, or as is found in a while.
[[nodiscard]] LogPiece read_log_piece(const TenancyStore& store, LogFilter filter);
// Lets the filter begin behind that position.
void go_on_behind(Position reached, LogFilter& filter);

// StateView::scan_rows_after(), as far as it makes a good answer.
[[nodiscard]] Piece read_rows_piece(const StateView& state, const events::TableInfo& table,
                                    const std::optional<events::Uuid>& tenant,
                                    const std::optional<RowKey>& after);
// The same of StateView::scan_lookup(), behind its first `skip` keys.
[[nodiscard]] Piece read_lookup_piece(const StateView& state, const events::TableInfo& table,
                                      const events::LookupInfo& lookup, std::int64_t first,
                                      std::int64_t last, std::uint64_t skip);

// TenancyStore::read_beginning() behind its first `skip` entries, or without any.
struct BeginningPiece {
  Beginning beginning;
  Piece entries;
};
[[nodiscard]] BeginningPiece read_beginning_piece(const TenancyStore& store, Position through,
                                                  std::uint64_t skip, bool with_entries);

}  // namespace tenantry::owner
