#include "core/owner/pieces.h"

#include <cstddef>

namespace tenantry::owner {
namespace {

// About so many bytes of events, rows or keys are one answer.
constexpr std::size_t kPieceBytes = std::size_t{256} << 10;
// In so many of them at most an answer looks for events that pass.
constexpr std::uint64_t kScanEvents = 4096;

}  // namespace

LogPiece read_log_piece(const TenancyStore& store, LogFilter filter) {
  LogPiece piece;
  if (filter.after >= *filter.through) return piece;
  const std::uint64_t first = filter.after.value + 1;
  const std::uint64_t last = filter.through->value;
  piece.ended = last - first < kScanEvents;
  if (filter.reverse) {
    piece.reached = Position{piece.ended ? first : last - kScanEvents + 1};
    filter.after = Position{piece.reached.value - 1};
  } else {
    piece.reached = Position{piece.ended ? last : first + kScanEvents - 1};
    filter.through = piece.reached;
  }
  store.read_log(filter, [&piece](const StoredEvent& event) {
    append_event(piece.events, event);
    if (piece.events.size() < kPieceBytes) return true;
    piece.reached = event.position;
    return piece.ended = false;
  });
  return piece;
}

void go_on_behind(Position reached, LogFilter& filter) {
  if (filter.reverse) {
    filter.through = Position{reached.value - 1};
  } else {
    filter.after = reached;
  }
}

Piece read_rows_piece(const StateView& state, const events::TableInfo& table,
                      const std::optional<events::Uuid>& tenant,
                      const std::optional<RowKey>& after) {
  Piece piece;
  state.scan_rows_after(table, tenant, after, [&](const StoredRow& row) {
    append_row(piece.bytes, row);
    return piece.ended = piece.bytes.size() < kPieceBytes;
  });
  return piece;
}

Piece read_lookup_piece(const StateView& state, const events::TableInfo& table,
                        const events::LookupInfo& lookup, std::int64_t first, std::int64_t last,
                        std::uint64_t skip) {
  Piece piece;
  std::uint64_t seen = 0;
  state.scan_lookup(table, lookup, first, last, [&](const RowKey& key) {
    if (seen++ < skip) return true;
    append_key(piece.bytes, key);
    return piece.ended = piece.bytes.size() < kPieceBytes;
  });
  return piece;
}

BeginningPiece read_beginning_piece(const TenancyStore& store, Position through, std::uint64_t skip,
                                    bool with_entries) {
  BeginningPiece piece;
  if (!with_entries) {
    piece.beginning = store.read_beginning(through, {});
    return piece;
  }
  std::uint64_t seen = 0;
  const auto take = [&](std::string_view key, std::string_view value) {
    if (seen++ < skip) return true;
    append_entry(piece.entries.bytes, key, value);
    return piece.entries.ended = piece.entries.bytes.size() < kPieceBytes;
  };
  piece.beginning = store.read_beginning(through, take);
  return piece;
}

}  // namespace tenantry::owner
