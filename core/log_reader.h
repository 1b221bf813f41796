#pragma once

#include <functional>

#include "core/head.h"
#include "core/log_history.h"
#include "core/record.h"
#include "core/storage.h"
#include "core/tenancy_store.h"

namespace tenantry {

// Reads the log out of a storage, and what squashes moved from there out of the archive. Every
// record's place is checked: a reader that would get less than the head says throws instead.
// Threads: any. Lifetime: borrows `storage`, `info` and `history`; `head` is copied.
class LogReader {
 public:
  LogReader(const StorageReader& storage, const StoreInfo& info, const Head& head,
            const LogHistory& history)
      : storage_(storage), info_(info), head_(head), history_(history) {}

  using Visit = std::function<bool(const StoredEvent&)>;

  // Every event in (after, through], in order of position. Throws UsageError `history_discarded`,
  // `history_redacted` where some of them, or of their payloads, are gone.
  void read_after(Position after, Position through, const Visit& visit) const;
  // Those that pass the filter and were not discarded. An index is used where the filter names a
  // stream, a tenant or an actor.
  void read(const LogFilter& filter, const Visit& visit) const;
  // The event at `position`; false when the log does not reach it.
  bool read_one(Position position, const Visit& visit) const;
  // See TenancyStore::read_beginning().
  [[nodiscard]] Beginning read_beginning(Position through, const VisitEntry& visit) const;
  // Whether an event passes the filter, as a function of its own; borrows nothing.
  using Filter = std::function<bool(const StoredEvent&)>;
  [[nodiscard]] Filter filter(const LogFilter& filter) const;
  // The last position recorded at or before `time`.
  [[nodiscard]] Position position_at(events::Timestamp time) const;

 private:
  // Of events of which none was discarded.
  void read_gapless(Position after, Position through, const Visit& visit) const;

  const StorageReader& storage_;
  const StoreInfo& info_;
  Head head_;
  const LogHistory& history_;
};

}  // namespace tenantry
