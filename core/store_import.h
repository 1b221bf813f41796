#pragma once

#include <filesystem>
#include <memory>

#include "core/clock.h"
#include "core/disk.h"
#include "core/state_view.h"
#include "core/tenancy_store.h"
#include "events/commands.h"
#include "events/tables.h"

namespace tenantry {

class EventAppender;

// A store in the making, whose log begins with what a database held. It is built beside the place
// where it is to lie; destroyed before publish(), nothing is left of it. Threads: one. Lifetime:
// borrows `clock` and `ids`.
class StoreImport {
 public:
  // `directory`: as for init_store(), or a store without events, which this owns from here on and
  // replaces. Throws UsageError `store_has_events` (exit 4) for one with events, and what
  // init_store() and open_store() throw.
  // Every event has the `circumstances`.
  StoreImport(const std::filesystem::path& directory, events::Circumstances circumstances,
              const Clock& clock, IdSource& ids, const Disk& disk = {});
  StoreImport(const StoreImport&) = delete;
  StoreImport& operator=(const StoreImport&) = delete;
  ~StoreImport();

  // The rows of what was added so far.
  [[nodiscard]] const StateView& state() const;
  // Makes the log's next event; all have the time at which the import began. `row` has every column
  // of `table`. Throws CorruptionError for a row that is there already, UsageError `too_large` for
  // one that no event takes, UnavailableError when it cannot be written.
  void add(const events::TableInfo& table, const events::RowValues& row);
  // Ids up to `largest` were given out, and never are again. At most once for a table with integer
  // ids, after its rows; without effect if a row has the id or a larger one.
  void reserve_ids(const events::TableInfo& table, std::int64_t largest);

  // After the last add(): the store as it will be, for reading. Ends before publish().
  [[nodiscard]] std::unique_ptr<TenancyStore> open();
  // Puts the store in place. Once, and last.
  void publish();

 private:
  class Target;

  const Clock& clock_;
  IdSource& ids_;
  Disk disk_;
  events::Circumstances circumstances_;
  std::unique_ptr<Target> target_;
  std::unique_ptr<EventAppender> building_;  // Until open().
};

}  // namespace tenantry
