#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/counters.h"
#include "core/state_view.h"
#include "core/storage.h"
#include "events/kinds.h"

namespace tenantry {

// The current rows: what a storage holds, with the effects of events laid over it that are not
// written yet. Rows, claims, lookups and counters all follow from events::row_changes(); nothing
// else changes them, so a fold of the log gives the same bytes wherever it runs. Threads: one.
// Lifetime: borrows `base`, whose contents must not change while effects lie over it. Errors:
// CorruptionError when an event does not fit: a row that is there already, or is not, or a unique
// value that another row holds. The effects of earlier events stay; those of this one are half
// done, so the caller throws the whole overlay away.
class State final : public StateView {
 public:
  explicit State(const StorageReader& base) : base_(base) {}

  [[nodiscard]] std::optional<StoredRow> row(const events::TableInfo& table,
                                             const RowKey& key) const override;
  [[nodiscard]] std::optional<StoredRow> row_by_id(const events::TableInfo& table,
                                                   const events::Uuid& id) const override;
  [[nodiscard]] std::optional<RowKey> claim_holder(const events::TableInfo& table,
                                                   const events::ClaimInfo& claim,
                                                   std::string_view value) const override;
  void scan_rows(const events::TableInfo& table, const std::optional<events::Uuid>& tenant,
                 const std::function<bool(const StoredRow&)>& visit) const override;
  void scan_lookup(const events::TableInfo& table, const events::LookupInfo& lookup,
                   std::int64_t first, std::int64_t last,
                   const std::function<bool(const RowKey&)>& visit) const override;
  [[nodiscard]] std::int64_t largest_id(const events::TableInfo& table) const override;
  [[nodiscard]] Version stream_version(const events::TableInfo& table,
                                       const events::Uuid& id) const override;

  // Applies one event; returns the version that it has in its stream.
  Version apply(events::EventView& event, events::Timestamp recorded_at, Position position);

  // Moves the effects into `changes`, keeps `counters` in step with them, and forgets them: once
  // `changes` are written, the state is what it was.
  void take_changes(ChangeSet& changes, Counters& counters);
  void forget_changes() { overlay_.clear(); }
  [[nodiscard]] std::size_t pending() const { return overlay_.size(); }

 private:
  // What an entry is now (nullopt: gone), and what it is in the storage.
  struct Slot {
    std::optional<std::string> now;
    std::optional<std::string> before;
  };

  [[nodiscard]] std::optional<std::string> get(const std::string& key) const;
  void put(const std::string& key, std::string value);
  void remove(const std::string& key);
  Slot& slot(const std::string& key);
  void scan(const std::string& lower, const std::string& upper,
            const std::function<bool(std::string_view key, std::string_view value)>& visit) const;

  void insert(const events::RowChange& change, Version version, Position position);
  void patch(const events::RowChange& change, Position position, Version& version);
  void remove_row(const events::RowChange& change, Position position, Version& version);
  void write_row(const events::TableInfo& table, const RowKey& key, const events::RowValues& row,
                 Version version, Position position);
  void add_entries(const events::TableInfo& table, const RowKey& key, const events::RowValues& row,
                   Position position);
  void remove_entries(const events::TableInfo& table, const RowKey& key,
                      const events::RowValues& row);
  void note_id(const events::TableInfo& table, const events::RowValues& row);

  const StorageReader& base_;
  std::map<std::string, Slot> overlay_;
};

}  // namespace tenantry
