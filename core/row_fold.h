#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>

#include "core/counters.h"
#include "core/event_source.h"
#include "core/scratch.h"
#include "core/state.h"

namespace tenantry {

// The rows at the end of a log, computed from its events alone and by a way of their own: the
// events are sorted by row, in a scratch storage, and each row is made from its own events, without
// looking anything up. So memory stays flat, and an event costs the same in a long log as in a
// short one. That no two rows hold one unique value is not looked at. Threads: one.
class RowFold {
 public:
  // `events`: about how many will come.
  RowFold(const std::filesystem::path& directory, std::uint64_t events)
      : scratch_(directory, events) {}

  // Begins with an entry of the state as it was before the events: a row, one that is gone, a
  // counter; what else follows from them. Throws CorruptionError for one that no version wrote.
  void take_entry(std::string_view key, std::string_view value);

  // Takes the next event. Throws CorruptionError when it is none.
  void take(const StoredEvent& event);

  // After the last event: visits every row that there ever was, by table and id, until `visit`
  // returns false. Can be repeated. Throws CorruptionError for an event that does not fit its row.
  void fold(const std::function<bool(const FoldedRow&)>& visit);
  // The largest id of a table with integer ids that fold() met; 0 for none.
  [[nodiscard]] std::int64_t largest_id(const events::TableInfo& table) const;
  // fold(), as the entries that the rows of that scope (none: of all) are in the state, counters
  // included, in no order; of a value that several rows share one for each (emit_entries()).
  void emit(const std::optional<events::Scope>& scope, const EmitEntry& emit);
  // Puts the entries into `state` as they are in the state, and returns what they add up to.
  Counters write_entries(const std::optional<events::Scope>& scope, Scratch& state);

 private:
  void write_pending();

  Scratch scratch_;
  ChangeSet pending_;
  std::uint64_t taken_ = 0;
  std::map<const events::TableInfo*, std::int64_t> largest_ids_;
};

}  // namespace tenantry
