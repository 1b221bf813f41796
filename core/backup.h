#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/disk.h"
#include "core/head.h"
#include "core/storage.h"
#include "core/tenancy_store.h"
#include "events/commands.h"

// Copies of a store to keep elsewhere, and stores made of them. A backup is a directory with a
// database `db` and a file BACKUP that says what it is; it is no store, so nobody writes to it.
namespace tenantry {

// The absolute name of a directory where a backup of the store could lie. Throws UsageError for one
// that holds something, or is inside the store's own.
[[nodiscard]] std::filesystem::path check_backup_place(const std::filesystem::path& directory,
                                                       const std::filesystem::path& store);

struct BackupInput {
  Storage& storage;
  const StoreInfo& info;
  const Head& head;  // Of a moment before: the copy is no older.
  const std::filesystem::path& store;
  const Disk& disk;
};
// See TenancyStore::back_up().
[[nodiscard]] BackupReport make_backup(const BackupInput& input,
                                       const std::filesystem::path& directory,
                                       events::Timestamp now, IdSource& ids,
                                       const Progress& progress);

struct RestoreOptions {
  std::filesystem::path backup;
  std::filesystem::path directory;  // Of the store to be; not there, or empty.
  events::Circumstances circumstances{};
  bool dry_run = false;  // Everything but putting the store in place.
  Disk disk{};
};

struct RestoreReport {
  BackupReport backup;
  StoreIdentity identity;  // Of the store that was made: the backup's, in a new incarnation.
  Position tail;           // One more than the backup's: that it was restored is an event.
  std::vector<CheckResult> checks;
};

// Copies the backup, checks every byte of the copy (VerifyDepth::kFull), and makes a store of it;
// all of it or nothing. The backup stays as it is. Throws UsageError `backup_not_found` (exit 5),
// `store_exists` (exit 4), and `store_not_empty` for a directory that holds something else;
// CorruptionError for a damaged backup, UnavailableError when the store cannot be written.
[[nodiscard]] RestoreReport restore_store(const RestoreOptions& options, const Clock& clock,
                                          IdSource& ids, const Progress& progress);

}  // namespace tenantry
