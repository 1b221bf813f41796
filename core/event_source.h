#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string_view>

#include "core/ids.h"
#include "core/state_view.h"
#include "events/kinds.h"

namespace tenantry {

// A SHA-256 value.
using Hash = std::array<std::uint8_t, 32>;

// Which store, and which of its lives: a restore starts a new incarnation.
struct StoreIdentity {
  events::Uuid store;
  std::uint64_t incarnation = 0;
  bool operator==(const StoreIdentity&) const = default;
};

// How far the log reaches. `digest` covers every event through `tail` (LOG_FORMAT.md, head digest).
struct LogTail {
  Position tail;
  events::Timestamp last_recorded;
  Hash digest{};
};

// The end of the first events of a scope: all that need be known of them to go on from there.
struct ScopePoint {
  Position position;  // Of the last of them; 0 for none.
  std::uint64_t seq = 0;
  Hash chain{};
  bool operator==(const ScopePoint&) const = default;
};

// An event as stored. `payload` is borrowed for the call that hands it out.
struct StoredEvent {
  Position position;
  std::uint64_t scope_seq = 0;  // Its place among the events of its scope: 1, 2, 3, …
  Version version;
  events::Timestamp recorded_at;
  events::Scope scope = events::Scope::SYSTEM;
  std::uint32_t kind = 0;  // events::find_kind() knows it.
  std::uint16_t flags = 0;
  events::Uuid tenant;  // Zero for none, as are the next three.
  events::Uuid stream;
  events::Uuid actor;  // A keyed hash of the actor's text.
  events::Uuid command;
  std::uint32_t index_in_command = 0;
  std::uint32_t count_in_command = 0;
  std::uint64_t causation = 0;
  Hash chain_hash{};  // Covers this event and every one before it in its scope.
  std::string_view payload;
};

// Whether a redaction took the payload away: its SHA-256 stands in its place.
[[nodiscard]] bool is_redacted(const StoredEvent& event);
// The event decoded, or what its header tells of one that is redacted. Borrows the payload.
[[nodiscard]] events::EventView view_of(const StoredEvent& event,
                                        events::Origin origin = events::Origin::kElsewhere);

// The rows exactly as they are at one position, where the log has this end.
struct RowsAt {
  LogTail tail;
  std::shared_ptr<const StateView> rows;  // Must not outlive the source that they come from.
  // Tenants whose rows at that position nobody knows any more, so that there are none of them: what
  // made them was redacted. With the position from which they are known.
  std::map<events::Uuid, Position> unknown{};
  // Rows, by their streams, that other tenants had from them: they are not there either. With whose
  // they are.
  std::map<events::Uuid, events::Uuid> missing{};
};
// Throws UsageError `history_redacted` (exit 5) if there is such a tenant, or such a row; of
// `tenant`, if one is given.
void require_all_known(const RowsAt& rows,
                       const std::optional<events::Uuid>& tenant = std::nullopt);

// A row as its events make it; without values once it is removed.
struct FoldedRow {
  const events::TableInfo* table = nullptr;
  events::Uuid id;
  Version version;
  Position last;  // Of the event that gave it this version.
  std::optional<events::RowValues> values;
};

// Called now and then by long operations: how much of how much is done.
using Progress = std::function<void(std::uint64_t done, std::uint64_t total)>;

// What projections and audits read. Threads: any.
// Errors: CorruptionError for damage or a gap; a reader never gets less than there is without one.
class EventSource {
 public:
  virtual ~EventSource() = default;
  [[nodiscard]] virtual StoreIdentity identity() const = 0;
  [[nodiscard]] virtual LogTail tail() const = 0;
  // Events up to here are not all left: a squash has discarded some. 0 where all are.
  [[nodiscard]] virtual Position discarded() const { return {}; }
  // Behind this position there is every event, as it was recorded: nothing was discarded, nothing
  // redacted. read_after() gives what lies behind it, and nothing before.
  [[nodiscard]] virtual Position complete_after() const { return discarded(); }
  // Visits each event with a position > `after` and <= `through` (at most the tail at the time of
  // the call), in order, until `visit` returns false.
  virtual void read_after(Position after, Position through,
                          const std::function<bool(const StoredEvent&)>& visit) const = 0;
  // The rows as they are now, and stay for as long as they are held; appends go on meanwhile.
  [[nodiscard]] virtual RowsAt rows_now() const = 0;
  // The rows as they were at `position`, folded in a scratch place. Throws UsageError
  // `position_ahead` for one that the log does not reach.
  [[nodiscard]] virtual RowsAt rows_at(Position position, const Progress& progress) const = 0;
  // Computes the rows anew from the events through `through`, and from nothing else: calls `seen`
  // with each event, then `visit` with each row that there ever was, by table and id. Either ends
  // it by returning false. Throws UsageError `history_redacted` where a redaction leaves the rows
  // of a tenant unknown.
  virtual void fold_rows(Position through, const std::function<bool(const StoredEvent&)>& seen,
                         const std::function<bool(const FoldedRow&)>& visit) const = 0;
  // The chain hash of the event at `position`; nullopt when the log does not reach it, zeros for
  // position 0. A reader that keeps it beside its checkpoint can prove that it read this log and no
  // other.
  [[nodiscard]] virtual std::optional<Hash> chain_hash_at(Position position) const = 0;
};

}  // namespace tenantry
