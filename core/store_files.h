#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/ack_file.h"
#include "core/ballast.h"
#include "core/clock.h"
#include "core/disk.h"
#include "core/head.h"
#include "core/log_history.h"
#include "core/storage.h"
#include "core/store_lock.h"
#include "core/tail_repair.h"
#include "core/unfinished_directory.h"

// A store's directory: making it, and opening it without ever making damage worse.
namespace tenantry {

inline constexpr std::uint16_t kFormatMajor = 2;
inline constexpr std::uint16_t kFormatMinor = 2;

// Where things lie under a store's directory.
struct StorePaths {
  std::filesystem::path directory;
  [[nodiscard]] std::filesystem::path database() const { return directory / "db"; }
  [[nodiscard]] std::filesystem::path format() const { return directory / "FORMAT"; }
  [[nodiscard]] std::filesystem::path ack() const { return directory / "ack"; }
  // The sealed files of squashes; made by the first.
  [[nodiscard]] std::filesystem::path archive() const { return directory / "archive"; }
  [[nodiscard]] std::filesystem::path scratch() const { return directory / "scratch"; }
  [[nodiscard]] std::filesystem::path ballast() const { return directory / "ballast"; }
  [[nodiscard]] RepairPlaces repair() const {
    return {database(), directory / "probe", directory / "quarantine"};
  }
  [[nodiscard]] std::filesystem::path default_read_model() const {
    return directory / "read_model.sqlite3";
  }
};

// The absolute name of a directory that is named so; it need not exist. Throws UsageError for none.
[[nodiscard]] std::filesystem::path store_directory(const std::filesystem::path& named);
[[nodiscard]] bool is_store(const std::filesystem::path& directory);
// Throws UsageError `store_not_found` (exit 6) unless it is one.
void require_store(const std::filesystem::path& directory);
// Whether make_store() would make one there; false if there is one. Throws UsageError
// `store_not_empty` where something else lies.
[[nodiscard]] bool would_make_store(const std::filesystem::path& directory);

// Makes an empty store; all of it or nothing. False when there is one already, which is left as it
// is. Throws UsageError for a directory that holds something else, UnavailableError when it cannot
// be made.
bool make_store(const std::filesystem::path& directory, const Clock& clock, IdSource& ids,
                const Disk& disk);

// What is noted of a log that ends so.
[[nodiscard]] Ack ack_of(const StoreInfo& info, const Head& head);

// Says in FORMAT, durably, that the store has these features besides those that it has: versions
// that do not know them would take it for damaged.
void mark_features(const StorePaths& paths, std::uint64_t features);

// Writes everything of a store but its database, whose log ends so.
void write_store_files(const StorePaths& paths, const Ack& ack, const Disk& disk);

// An empty store beside the place where it is to lie, inside the same directory. Destroyed before
// put_in_place(): nothing is left of it. Throws UnavailableError when it cannot be made.
class UnfinishedStore {
 public:
  // `directory` is absolute; it is made if need be, with its parents, and removed again if nothing
  // is put in place.
  UnfinishedStore(std::filesystem::path directory, const Clock& clock, IdSource& ids,
                  const Disk& disk);
  // The same with the database that `fill` puts there, and all else that it needs.
  UnfinishedStore(std::filesystem::path directory, IdSource& ids,
                  const std::function<void(const StorePaths&)>& fill);

  // Where it lies now. Nobody has it open when it is put in place.
  [[nodiscard]] const std::filesystem::path& path() const { return place_.path(); }
  // Moves it, FORMAT last: what has no FORMAT is no store. Whoever else makes one there at the same
  // time fails at the first move.
  void put_in_place();
  // The same where a store lies that the caller owns and knows to be empty: it is removed first,
  // FORMAT before all else, and so is what interrupted imports left beside it.
  void replace_empty_store();

 private:
  UnfinishedDirectory place_;
};

struct OpenedStore {
  StorePaths paths;
  std::unique_ptr<StoreLock> lock;
  std::unique_ptr<Storage> storage;
  StoreInfo info;
  Head head;
  std::unique_ptr<LogHistory> history;
  std::unique_ptr<AckFile> ack;
  std::unique_ptr<const Disk> disk;  // Borrowed by `ballast`.
  std::unique_ptr<Ballast> ballast;
  std::string remark;  // What the operator should know of this opening; mostly nothing.
};

struct OpenOptions {
  std::filesystem::path directory;
  bool read_only = false;  // What was checked is what is handed out; no `ack`, no `ballast`.
  DatabaseMemory memory{};
  Disk disk{};
  std::function<bool()> wait_for_owner{};  // As StoreLock takes it.
};

// The opening procedure. Under the store's own lock: the format is read, then everything is checked
// through a read-only open that writes nothing (a read-write open of a damaged log destroys the
// evidence): the end of each scope, the last records' chain, that positions add up, that the log
// reaches what was answered. Only then it is opened for writing; when there is no room for that,
// the ballast is given up for it. Takes as long for a million events as for none.
//
// A last write, of the write-ahead log or of the manifest, that a crash left garbled was answered
// to nobody: if all else holds without it, it is left out, by a repair (tail_repair.h) when the
// store is opened for writing. All other damage is refused.
//
// Throws UsageError when there is no store, UnavailableError
// when another process owns it or the clock is an hour behind it, CorruptionError for damage.
[[nodiscard]] OpenedStore open_store_files(const OpenOptions& options, const Clock& clock);

// The checks of opening, on their own: throws CorruptionError naming what does not hold.
void check_log_end(const StorageReader& storage, const StoreInfo& info, const Head& head,
                   const Catalogue& catalogue);

}  // namespace tenantry
