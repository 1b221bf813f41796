#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/snapshot.h>
#include <rocksdb/utilities/checkpoint.h>
#include <rocksdb/write_batch.h>

#include "core/error.h"
#include "core/file_ops.h"
#include "core/rocks_damage.h"
#include "core/rocks_file_starts.h"
#include "core/rocks_options.h"
#include "core/rocks_status.h"
#include "core/rocks_testing.h"
#include "core/storage.h"

namespace tenantry {
namespace {

// How much a long scan reads ahead of itself, of every table file that it has open: as much as
// hides the way to the disk. There are a dozen such files when two scopes are merged.
constexpr std::size_t kReadAheadBytes = std::size_t{256} << 10;

// How long who removes keys waits for views, and for a stall to end: some two seconds.
constexpr int kViewSteps = 100;
constexpr std::chrono::milliseconds kViewStep{20};

using Handles = std::array<rocksdb::ColumnFamilyHandle*, kFamilyCount>;

std::string_view view(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

// What a cursor walks: one family as it is now, or as it was at the snapshot.
struct Walked {
  rocksdb::DB& database;
  rocksdb::ColumnFamilyHandle* handle;
  Family family;
  KnownFileStarts& file_starts;
  const rocksdb::Snapshot* snapshot;
};

class RocksCursor final : public Cursor {
 public:
  RocksCursor(const Walked& walked, std::string lower, std::string upper, bool scan)
      : walked_(walked),
        lower_(std::move(lower)),
        upper_(std::move(upper)),
        lower_slice_(lower_),
        upper_slice_(upper_) {
    read_.verify_checksums = true;
    read_.fill_cache = !scan;
    read_.snapshot = walked.snapshot;
    if (scan) read_.readahead_size = kReadAheadBytes;
    read_.iterate_lower_bound = &lower_slice_;
    if (!upper_.empty()) read_.iterate_upper_bound = &upper_slice_;
    // Of one and the same version.
    do {
      starts_ = walked.file_starts.of(walked.database, walked.handle, walked.family);
      iterator_.reset(walked.database.NewIterator(read_, walked.handle));
    } while (version_number(walked.database, walked.handle) != starts_->version);
    check_iterator();
  }
  RocksCursor(const RocksCursor&) = delete;
  RocksCursor& operator=(const RocksCursor&) = delete;
  ~RocksCursor() override = default;

  [[nodiscard]] bool valid() const override { return iterator_->Valid(); }
  void seek_first() override {
    await_start(lower_);
    iterator_->SeekToFirst();
    check_iterator();
    check_starts();
  }
  void seek_last() override {
    iterator_->SeekToLast();
    check_iterator();
    ahead_known_ = false;
  }
  void seek(std::string_view key) override {
    await_start(std::max<std::string_view>(key, lower_));
    iterator_->Seek(key);
    check_iterator();
    check_starts();
  }
  void seek_for_prev(std::string_view key) override {
    iterator_->SeekForPrev(key);
    check_iterator();
    ahead_known_ = false;
  }
  void next() override {
    TENANTRY_ASSERT(valid());
    if (!ahead_known_) await_start(key());
    iterator_->Next();
    check_iterator();
    check_starts();
  }
  void prev() override {
    TENANTRY_ASSERT(valid());
    iterator_->Prev();
    check_iterator();
    ahead_known_ = false;
  }
  [[nodiscard]] std::string_view key() const override { return view(iterator_->key()); }
  [[nodiscard]] std::string_view value() const override { return view(iterator_->value()); }

 private:
  // An iterator that met damage is just not valid, like one at its end.
  void check_iterator() const {
    if (!iterator_->Valid()) check_read(walked_.database, iterator_->status());
  }

  // From `key` on, the walk is to see every start of a file.
  void await_start(std::string_view key) {
    const auto& keys = starts_->keys;
    ahead_ =
        static_cast<std::size_t>(std::lower_bound(keys.begin(), keys.end(), key) - keys.begin());
    ahead_known_ = true;
  }

  // Asks at each start that the walk has come past (core/rocks_file_starts.h).
  void check_starts() {
    const auto& keys = starts_->keys;
    while (ahead_ < keys.size() && (upper_.empty() || keys[ahead_] < upper_) &&
           (!valid() || keys[ahead_] <= key())) {
      const std::unique_ptr<rocksdb::Iterator> there(
          walked_.database.NewIterator(read_, walked_.handle));
      there->Seek(keys[ahead_]);
      check_read(walked_.database, there->status());
      ++ahead_;
    }
  }

  const Walked walked_;
  const std::string lower_;
  const std::string upper_;
  const rocksdb::Slice lower_slice_;  // The iterator points at both slices.
  const rocksdb::Slice upper_slice_;
  rocksdb::ReadOptions read_;
  std::shared_ptr<const FileStarts> starts_;
  std::size_t ahead_ = 0;     // The first start that a walk forward has not come to,
  bool ahead_known_ = false;  // if it is known.
  std::unique_ptr<rocksdb::Iterator> iterator_;
};

std::optional<std::string> get_value(rocksdb::DB& database, rocksdb::ColumnFamilyHandle* family,
                                     std::string_view key, const rocksdb::Snapshot* snapshot) {
  rocksdb::ReadOptions read;
  read.snapshot = snapshot;
  std::string value;
  const rocksdb::Status status = database.Get(read, family, key, &value);
  if (status.IsNotFound()) return std::nullopt;
  check_read(database, status);
  return value;
}

class RocksView final : public StorageReader {
 public:
  RocksView(rocksdb::DB& database, const Handles& handles, KnownFileStarts& file_starts)
      : database_(database), handles_(handles), file_starts_(file_starts), snapshot_(&database) {}

  [[nodiscard]] std::optional<std::string> get(Family family, std::string_view key) const override {
    return get_value(database_, handles_[static_cast<std::size_t>(family)], key,
                     snapshot_.snapshot());
  }
  [[nodiscard]] std::unique_ptr<Cursor> cursor(Family family, std::string lower, std::string upper,
                                               bool scan) const override {
    const Walked walked{database_, handles_[static_cast<std::size_t>(family)], family, file_starts_,
                        snapshot_.snapshot()};
    return std::make_unique<RocksCursor>(walked, std::move(lower), std::move(upper), scan);
  }

 private:
  rocksdb::DB& database_;
  const Handles& handles_;
  KnownFileStarts& file_starts_;
  mutable rocksdb::ManagedSnapshot snapshot_;  // Its accessor is not const.
};

class RocksStorage final : public Storage {
 public:
  RocksStorage(RocksOptions options, RocksConfiguration configuration,
               std::unique_ptr<rocksdb::DB> database, const Handles& handles)
      : options_(std::move(options)),
        background_errors_(std::move(configuration.background_errors)),
        env_(std::move(configuration.env)),
        database_(std::move(database)),
        handles_(handles) {}
  RocksStorage(const RocksStorage&) = delete;
  RocksStorage& operator=(const RocksStorage&) = delete;
  ~RocksStorage() override {
    for (rocksdb::ColumnFamilyHandle* handle : handles_) {
      database_->DestroyColumnFamilyHandle(handle).PermitUncheckedError();
    }
    // Every answered write is durable already: closing has nothing left to lose.
    database_->Close().PermitUncheckedError();
  }

  [[nodiscard]] std::optional<std::string> get(Family family, std::string_view key) const override {
    return get_value(*database_, handle(family), key, nullptr);
  }

  [[nodiscard]] std::unique_ptr<Cursor> cursor(Family family, std::string lower, std::string upper,
                                               bool scan) const override {
    const Walked walked{*database_, handle(family), family, file_starts_, nullptr};
    return std::make_unique<RocksCursor>(walked, std::move(lower), std::move(upper), scan);
  }

  [[nodiscard]] std::unique_ptr<StorageReader> read_view() const override {
    return std::make_unique<RocksView>(*database_, handles_, file_starts_);
  }

  [[nodiscard]] WriteResult write(const ChangeSet& changes, bool sync) override {
    if (broken_.load(std::memory_order_acquire)) return WriteResult::kUnknown;
    rocksdb::WriteBatch batch = to_batch(changes);
    const rocksdb::Status status = database_->Write(rocks_write_options(options_, sync), &batch);
    if (status.ok()) return WriteResult::kDone;
    const std::string background = background_errors_->first();
    note_error(status, background);
    // Nobody resumes the work whose failure stalls us: such a stall would never end.
    if (status.IsIncomplete() && background.empty()) return WriteResult::kStalled;
    broken_.store(true, std::memory_order_release);
    return WriteResult::kUnknown;
  }

  void copy_to(const std::filesystem::path& directory) override {
    const std::string what = "copy " + options_.directory.string() + " to " + directory.string();
    rocksdb::Checkpoint* made = nullptr;
    check(rocksdb::Checkpoint::Create(database_.get(), &made), what);
    const std::unique_ptr<rocksdb::Checkpoint> checkpoint(made);
    // What is only in the write-ahead log goes into table files first; of what is written meanwhile
    // the copy may have the beginning, in a log.
    check(checkpoint->CreateCheckpoint(directory.string(), /*log_size_for_flush=*/0), what);
  }

  void flush() override {
    // All families at once: they are flushed atomically, so that none pins an old log.
    const std::vector<rocksdb::ColumnFamilyHandle*> all(handles_.begin(), handles_.end());
    check(database_->Flush(rocksdb::FlushOptions(), all), "flush " + options_.directory.string());
  }

  // A view would lose what it still has of a file, so it is waited for, a little. This comes before
  // the tombstones: a file that holds an older one might go, and what that had removed be back.
  void drop_files(const std::vector<KeyRange>& ranges) override {
    if (!views_end()) return;
    for (const KeyRange& range : ranges) {
      const rocksdb::Slice first(range.first);
      const rocksdb::Slice end(range.end);
      const rocksdb::RangePtr files(&first, &end);
      check(rocksdb::DeleteFilesInRanges(database_.get(), handle(range.family), &files, 1,
                                         /*include_end=*/false),
            "remove files of " + options_.directory.string());
    }
  }

  void remove_ranges(const std::vector<KeyRange>& ranges) override { write_tombstones(ranges); }

  void compact(const KeyRange& range) override {
    const rocksdb::Slice first(range.first);
    const rocksdb::Slice end(range.end);
    check(
        database_->CompactRange(rocksdb::CompactRangeOptions(), handle(range.family), &first, &end),
        "compact " + options_.directory.string());
  }

  [[nodiscard]] std::uint64_t size_of(const KeyRange& range) const override {
    rocksdb::SizeApproximationOptions how;
    how.include_memtables = true;
    how.include_files = true;
    const rocksdb::Range keys(range.first, range.end);
    std::uint64_t bytes = 0;
    check(database_->GetApproximateSizes(how, handle(range.family), &keys, 1, &bytes),
          "measure " + options_.directory.string());
    return bytes;
  }

  [[nodiscard]] std::string last_error() const override {
    const std::lock_guard lock(error_mutex_);
    return last_error_;
  }

  [[nodiscard]] std::vector<FileDamage> damaged_files(const ReadProgress& progress) const override {
    return damaged_table_files(*database_, progress);
  }

  [[nodiscard]] std::uint64_t size_bytes() const override {
    std::uint64_t total = 0;
    for (const rocksdb::Env::FileAttributes& file : files()) total += file.size_bytes;
    return total;
  }

  [[nodiscard]] std::size_t log_files() const override {
    const auto all = files();
    return static_cast<std::size_t>(std::count_if(
        all.begin(), all.end(),
        [](const rocksdb::Env::FileAttributes& file) { return file.name.ends_with(".log"); }));
  }

 private:
  // Waits for those who look at the storage as it was before; false if they take long.
  [[nodiscard]] bool views_end() const {
    const std::uint64_t now = database_->GetLatestSequenceNumber();
    for (int step = 0; step < kViewSteps; ++step) {
      std::uint64_t oldest = 0;
      const bool known = database_->GetIntProperty("rocksdb.oldest-snapshot-sequence", &oldest);
      if (known && (oldest == 0 || oldest >= now)) return true;
      std::this_thread::sleep_for(kViewStep);
    }
    return false;
  }

  void write_tombstones(const std::vector<KeyRange>& ranges) {
    rocksdb::WriteBatch batch(0, 0, kProtectionBytes, 0);
    for (const KeyRange& range : ranges) {
      const rocksdb::Status status =
          batch.DeleteRange(handle(range.family), range.first, range.end);
      TENANTRY_ASSERT(status.ok());
    }
    const auto write = rocks_write_options(options_, /*sync=*/true);
    rocksdb::Status status = database_->Write(write, &batch);
    // Nothing was written: the storage is stalled for the moment.
    for (int step = 0; status.IsIncomplete() && step < kViewSteps; ++step) {
      std::this_thread::sleep_for(kViewStep);
      status = database_->Write(write, &batch);
    }
    if (!status.ok()) {
      note_error(status, background_errors_->first());
      broken_.store(true, std::memory_order_release);
    }
    check(status, "remove keys from " + options_.directory.string());
  }

  [[nodiscard]] std::vector<rocksdb::Env::FileAttributes> files() const {
    std::vector<rocksdb::Env::FileAttributes> found;
    check(database_->GetEnv()->GetChildrenFileAttributes(options_.directory.string(), &found),
          "list " + options_.directory.string());
    return found;
  }

  [[nodiscard]] rocksdb::ColumnFamilyHandle* handle(Family family) const {
    return handles_[static_cast<std::size_t>(family)];
  }

  // Protected from here on: what is built is what is written.
  [[nodiscard]] rocksdb::WriteBatch to_batch(const ChangeSet& changes) const {
    constexpr std::size_t kRecordOverhead = 16;
    const std::size_t reserved = changes.bytes() + changes.changes().size() * kRecordOverhead;
    rocksdb::WriteBatch batch(reserved, 0, kProtectionBytes, 0);
    for (const ChangeSet::Change& change : changes.changes()) {
      rocksdb::ColumnFamilyHandle* family = handle(change.family);
      const rocksdb::Status status = change.is_delete ? batch.Delete(family, change.key)
                                                      : batch.Put(family, change.key, change.value);
      TENANTRY_ASSERT(status.ok());
    }
    return batch;
  }

  void note_error(const rocksdb::Status& status, const std::string& background) {
    const std::lock_guard lock(error_mutex_);
    last_error_ = status.ToString();
    if (!background.empty()) last_error_ += "; " + background;
  }

  const RocksOptions options_;
  const std::shared_ptr<BackgroundErrors> background_errors_;  // Shared with the database.
  const std::unique_ptr<rocksdb::Env> env_;                    // Outlives the database.
  const std::unique_ptr<rocksdb::DB> database_;
  const Handles handles_;  // Owned; given back before the database closes.
  mutable KnownFileStarts file_starts_;
  std::atomic<bool> broken_ = false;
  mutable std::mutex error_mutex_;
  std::string last_error_;  // Guarded by error_mutex_.
};

// RocksDB would take a database without CURRENT for no database.
void require_database(rocksdb::Env& env, const std::string& directory) {
  std::vector<std::string> names;
  const rocksdb::Status listed = env.GetChildren(directory, &names);
  if (!listed.ok()) {
    throw UnavailableError(fmt::format("open {}: {}", directory, listed.ToString()));
  }
  bool any = false;
  for (const std::string& name : names) {
    if (name == "CURRENT") return;
    any = any || name.starts_with("MANIFEST-") || name.ends_with(".sst") || name.ends_with(".log");
  }
  if (any) throw CorruptionError(fmt::format("{}: the file CURRENT is missing", directory));
  throw UnavailableError(fmt::format("{} holds no database", directory));
}

rocksdb::Status open_database(const RocksOptions& options, const RocksConfiguration& configuration,
                              std::vector<rocksdb::ColumnFamilyHandle*>& handles,
                              rocksdb::DB*& database) {
  if (options.read_only) {
    return rocksdb::DB::OpenForReadOnly(configuration.database, options.directory.string(),
                                        configuration.families, &handles, &database);
  }
  return rocksdb::DB::Open(configuration.database, options.directory.string(),
                           configuration.families, &handles, &database);
}

// Our options are valid for every database of ours, so it is the database that does not fit them.
void check_open(const rocksdb::Status& status, const RocksOptions& options) {
  const std::string what = "open " + options.directory.string();
  if (status.IsInvalidArgument() && !options.create) {
    throw CorruptionError(fmt::format("{}: {}", what, status.ToString()));
  }
  check(status, what);
}

}  // namespace

std::unique_ptr<Storage> open_rocks_storage_on(rocksdb::Env& env, const RocksOptions& options) {
  TENANTRY_ASSERT(!(options.create && options.read_only));
  if (!options.create) require_database(env, options.directory.string());
  RocksConfiguration configuration = configure_rocks(options, env);
  std::vector<rocksdb::ColumnFamilyHandle*> opened;
  rocksdb::DB* database = nullptr;
  check_open(open_database(options, configuration, opened, database), options);
  std::unique_ptr<rocksdb::DB> owned(database);
  TENANTRY_ASSERT(opened.size() == kFamilyCount);
  Handles handles{};
  std::copy(opened.begin(), opened.end(), handles.begin());
  return std::make_unique<RocksStorage>(options, std::move(configuration), std::move(owned),
                                        handles);
}

std::vector<FileDamage> damaged_files_of(const RocksOptions& options) {
  RocksOptions reading = options;
  reading.read_only = true;
  reading.to_first_damage = true;
  RocksConfiguration configuration = configure_rocks(reading, *rocksdb::Env::Default());
  // Opens although table files are damaged.
  configuration.database.paranoid_checks = false;
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* database = nullptr;
  if (!open_database(reading, configuration, handles, database).ok()) return {};
  const std::unique_ptr<rocksdb::DB> owned(database);
  for (rocksdb::ColumnFamilyHandle* handle : handles) {
    owned->DestroyColumnFamilyHandle(handle).PermitUncheckedError();
  }
  return damaged_table_files(*owned);
}

std::unique_ptr<Storage> open_rocks_storage(const RocksOptions& options) {
  if (options.create) make_private_directory(options.directory);
  return open_rocks_storage_on(*rocksdb::Env::Default(), options);
}

}  // namespace tenantry
