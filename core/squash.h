#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>

#include "core/batch.h"
#include "core/clock.h"
#include "core/disk.h"
#include "core/head.h"
#include "core/log_history.h"
#include "core/storage.h"
#include "core/tenancy_store.h"

// Moving the first events of scopes out of the log. The order of its steps, and what a crash after
// each leaves, is told in LOG_FORMAT.md.
namespace tenantry {

// What a storage holds at one moment.
struct Moment {
  std::unique_ptr<StorageReader> view;
  Head head;
};

// What a squash works on. Borrowed.
struct SquashSite {
  Storage& storage;
  const StoreInfo& info;
  LogHistory& history;
  std::filesystem::path scratch;  // Where folds may lie.
  // Called before anything is written that older versions would take for damage.
  std::function<void(std::uint64_t features)> mark_format;
  const Clock& clock;
  // Has `act` add to the next batch; it is durable when the call is over.
  std::function<void(std::function<void(BatchWriter&)> act)> commit;
  std::function<Moment()> look;
  const Disk& disk;
  std::uint32_t schema_version = 0;  // The present one: consumers of an older one hold it back.
};

// See TenancyStore. One at a time. Of a redaction: whatever blocks have events up to `through`
// leave the log, and no consumer holds them back.
[[nodiscard]] SquashReport plan_squash(const SquashSite& site, const SquashOptions& options,
                                       const Progress& progress);
[[nodiscard]] SquashReport run_squash(const SquashSite& site, const SquashOptions& options,
                                      const Progress& progress);
// Gives back the room of what was published, and drops the job.
void finish_job(const SquashSite& site);
// What one that failed has left in this process goes.
void end_earlier_squash(const SquashSite& site);

// At the opening of a store for writing: finishes a squash whose result was published, and forgets
// one that was not. No file of it stays that nothing refers to.
void finish_squash(Storage& storage, LogHistory& history, const events::Uuid& store);

}  // namespace tenantry
