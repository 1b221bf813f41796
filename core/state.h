#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/counters.h"
#include "core/event_source.h"
#include "core/state_view.h"
#include "core/storage.h"
#include "events/kinds.h"

namespace tenantry {

// What a row is in the state: an entry of its own and those that lead to it. A removed row leaves
// an entry too, and a table with integer ids one with the largest that it ever had. A value that
// several imported rows share is one entry in the state, of all its holders; here each gives one
// under the same key (Counters count them alike), and add_holder() joins them.
using EmitEntry = std::function<void(std::string key, std::string value)>;
void emit_entries(const FoldedRow& row, const EmitEntry& emit);
// Whether several rows may hold the value of this entry of the state.
[[nodiscard]] bool may_be_shared(std::string_view key);
// Adds what one more row gives to those who hold the value.
void add_holder(std::string& holders, std::string_view holder);
void emit_counter(const events::TableInfo& table, std::int64_t largest_id, const EmitEntry& emit);

// An entry of the state that follows from no other: a row, one that is gone, or a counter.
struct StateEntry {
  const events::TableInfo* table = nullptr;  // None: an entry that leads to a row.
  events::Uuid id;
  Version version;
  Position last;
  std::string_view row{};  // Encoded; empty for one that is gone. Borrowed from the value.
  std::optional<std::int64_t> largest_id{};  // Of a counter, which has nothing else.
};
// Throws CorruptionError for what no version wrote.
[[nodiscard]] StateEntry read_state_entry(std::string_view key, std::string_view value);

// What of an entry does not name the tenant as the one that a row belongs to; none for one that is
// all of that tenant's. Throws CorruptionError like the other.
[[nodiscard]] std::optional<std::string> without_tenant(std::string_view key,
                                                        std::string_view value,
                                                        const events::Uuid& tenant);

// For damage that events show: an event whose change does not fit the row that it meets,
[[noreturn]] void does_not_fit(const events::RowChange& change, Position position,
                               const std::string& why);
// or that is not the version of its stream that it says. Both throw CorruptionError.
void check_version(const StoredEvent& event, Version version);
// For one that must say what it does: throws CorruptionError if it is redacted.
void require_payload(const StoredEvent& event);

// The current rows: what a storage holds, with the effects of events laid over it that are not
// written yet. Rows, claims, lookups and counters all follow from events::row_changes(); nothing
// else changes them, so a fold of the log gives the same bytes wherever it runs. Threads: one.
// Lifetime: borrows `base`, whose contents must not change while effects lie over it, but by what
// set_writing() named. Errors:
// CorruptionError when an event does not fit: a row that is there already, or is not, or a unique
// value that another row holds. The effects of earlier events stay; those of this one are half
// done, so the caller throws the whole overlay away.
class State final : public StateView {
 public:
  // Whether entries that were read are kept in memory, a bounded amount of them, so that what a
  // group of commands asks for again and again is read once. Only for who is told of every change
  // of `base`: the changes are all taken from this object.
  enum class Reads : std::uint8_t { kForget, kKeep };
  explicit State(const StorageReader& base, Reads reads = Reads::kForget)
      : base_(base), reads_(reads) {}

  [[nodiscard]] std::optional<StoredRow> row(const events::TableInfo& table,
                                             const RowKey& key) const override;
  [[nodiscard]] std::optional<StoredRow> row_by_id(const events::TableInfo& table,
                                                   const events::Uuid& id) const override;
  [[nodiscard]] std::optional<RowKey> claim_holder(const events::TableInfo& table,
                                                   const events::ClaimInfo& claim,
                                                   std::string_view value) const override;
  [[nodiscard]] std::vector<RowKey> claim_holders(const events::TableInfo& table,
                                                  const events::ClaimInfo& claim,
                                                  std::string_view value) const override;
  void scan_rows(const events::TableInfo& table, const std::optional<events::Uuid>& tenant,
                 const std::function<bool(const StoredRow&)>& visit) const override;
  void scan_rows_after(const events::TableInfo& table, const std::optional<events::Uuid>& tenant,
                       const std::optional<RowKey>& after,
                       const std::function<bool(const StoredRow&)>& visit) const override;
  [[nodiscard]] std::optional<StoredRow> find_row(
      const events::TableInfo& table, const events::Uuid& tenant,
      const std::function<bool(const StoredRow&)>& holds) const override;
  void scan_lookup(const events::TableInfo& table, const events::LookupInfo& lookup,
                   std::int64_t first, std::int64_t last,
                   const std::function<bool(const RowKey&)>& visit) const override;
  [[nodiscard]] std::int64_t largest_id(const events::TableInfo& table) const override;
  [[nodiscard]] Version stream_version(const events::TableInfo& table,
                                       const events::Uuid& id) const override;

  // Applies one event; returns the version that it has in its stream.
  Version apply(const events::EventView& event, events::Timestamp recorded_at, Position position);

  // Moves the effects into `changes`, keeps `counters` in step with them, and forgets them: once
  // `changes` are written, the state is what it was. If they are not written, forget_changes().
  void take_changes(ChangeSet& changes, Counters& counters);
  // Also forgets what was read, and what is being written.
  void forget_changes();
  // What take_changes() put into `changes` is on its way into the storage, which may or may not
  // show it yet: it counts as being there. `changes` stays as it is until written() or
  // forget_changes().
  void set_writing(const ChangeSet& changes);
  void written() { writing_ = {}; }
  [[nodiscard]] std::size_t pending() const { return changed_.size(); }

 private:
  struct Entry {
    std::optional<std::string> value;
    events::Origin origin = events::Origin::kElsewhere;
  };
  // What an entry is now (nullopt: gone), and, once it is changed, what it is in the storage.
  struct Slot {
    std::optional<std::string> now;
    std::optional<std::string> before;
    events::Origin origin = events::Origin::kElsewhere;  // Of what it is now.
    bool changed = false;

    void set(std::string value) {
      now = std::move(value);
      origin = events::Origin::kEncodedHere;
    }
  };
  using Entries = std::unordered_map<std::string, Slot>;

  [[nodiscard]] Entry get(std::string key) const;
  // Of the storage, once what is being written is there.
  [[nodiscard]] std::optional<std::string> get_stored(const std::string& key) const;
  void put(std::string key, std::string value);
  // The storage has no such entry: saves looking.
  void put_new(std::string key, std::string value);
  void remove(std::string key);
  // The entry, to be changed.
  Slot& slot(std::string key);
  Slot& changing(Entries::iterator entry);
  // Leaves what a read finds useful to the next commands, if that is wanted.
  void keep_reads();
  void forget_entries();
  // `is_long`: more than a handful of entries.
  void scan(const std::string& lower, const std::string& upper, bool is_long,
            const std::function<bool(std::string_view key, std::string_view value)>& visit) const;

  // Larger than every id that the table ever had: no row, and none that is gone.
  [[nodiscard]] bool never_used(const events::TableInfo& table, const events::Uuid& id) const;
  // Each gives the version of the event in its stream.
  Version insert(events::RowChange change, Position position);
  Version patch(events::RowChange change, Position position);
  Version remove_row(const events::RowChange& change, Position position);
  Version note(const events::TableInfo& table, const events::Uuid& id, Position position);
  Version reserve(const events::RowChange& change, Position position);
  void take_claim(const events::TableInfo& table, const events::ClaimInfo& claim,
                  const std::string& value, const RowKey& key, bool shares, Position position);
  void release_claim(const events::TableInfo& table, const events::ClaimInfo& claim,
                     const std::string& value, const RowKey& key);
  void note_id(const events::TableInfo& table, const events::RowValues& row);

  const StorageReader& base_;
  const Reads reads_;
  std::span<const ChangeSet::Change> writing_;  // Of the state, in the order of keys.
  mutable Entries entries_;                     // Changed or kept from a read.
  mutable std::size_t kept_bytes_ = 0;          // Of entries that are not changed.
  std::map<std::string_view, Slot*> changed_;   // Those of them, in order.
  // By tables' tenants: which row find_row() found last. Where to look first, no more: it may be
  // another row by now, or none.
  mutable std::unordered_map<std::string, RowKey> found_;
};

}  // namespace tenantry
