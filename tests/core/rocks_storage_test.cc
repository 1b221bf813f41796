#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <map>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rocksdb/env.h>
#include <rocksdb/file_system.h>
#include <rocksdb/sst_file_reader.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/options_util.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "core/error.h"
#include "core/file_ops.h"
#include "core/keys.h"
#include "core/rocks_diagnostics.h"
#include "core/rocks_options.h"
#include "core/rocks_testing.h"
#include "core/storage.h"
#include "tests/support/temp_directory.h"

// What only the storage on disk promises: durability, and that damage and full disks are told.
namespace tenantry {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

std::string row_key(int row) { return fmt::format("row {:06}", row); }

// Each value is different, and none can be compressed.
std::string row_value(int row, std::size_t bytes) {
  std::mt19937 random(static_cast<std::uint32_t>(row));
  std::string value(bytes, '\0');
  for (char& c : value) c = static_cast<char>(random());
  return value;
}

WriteResult put_row(Storage& storage, int row, std::size_t value_bytes = 200) {
  ChangeSet changes;
  changes.put(Family::kState, row_key(row), row_value(row, value_bytes));
  changes.put(Family::kLog, row_key(row), "twin");
  return storage.write(changes, /*sync=*/true);
}

int count_rows(const Storage& storage, Family family = Family::kState) {
  int rows = 0;
  const auto at = storage.cursor(family, "", "", /*scan=*/true);
  for (at->seek_first(); at->valid(); at->next()) ++rows;
  return rows;
}

fs::path only_file(const fs::path& directory, std::string_view extension) {
  fs::path found;
  for (const auto& entry : fs::directory_iterator(directory)) {
    if (entry.path().extension() != extension || entry.file_size() == 0) continue;
    EXPECT_TRUE(found.empty()) << "more than one " << extension;
    found = entry.path();
  }
  EXPECT_FALSE(found.empty()) << "no " << extension;
  return found;
}

void flip_bit(const fs::path& path, std::uint64_t at) {
  std::string content = read_file(path).value();
  content.at(at) = static_cast<char>(content.at(at) ^ 0x40);
  const FileDescriptor file = open_file(path, O_WRONLY);
  ASSERT_EQ(write_fully(file.get(), content, 0), 0);
}

struct FileState {
  std::string content;
  fs::file_time_type changed;
  bool operator==(const FileState&) const = default;
};

std::map<std::string, FileState> files_of(const fs::path& directory) {
  std::map<std::string, FileState> files;
  for (const auto& entry : fs::directory_iterator(directory)) {
    files[entry.path().filename().string()] = {read_file(entry.path()).value(),
                                               entry.last_write_time()};
  }
  return files;
}

RocksOptions existing(const fs::path& directory) {
  RocksOptions options;
  options.directory = directory;
  return options;
}

RocksOptions fresh(const fs::path& directory) {
  RocksOptions options = existing(directory);
  options.create = true;
  return options;
}

RocksOptions read_only(const fs::path& directory) {
  RocksOptions options = existing(directory);
  options.read_only = true;
  return options;
}

class RocksStorageTest : public ::testing::Test {
 protected:
  static constexpr int kRows = 100;

  // What a killed process leaves behind: `rows` synced rows in the write-ahead log.
  fs::path crashed(int rows = kRows) {
    const auto storage = open_rocks_storage(fresh(directory_ / "live"));
    for (int row = 0; row < rows; ++row) EXPECT_EQ(put_row(*storage, row), WriteResult::kDone);
    copy(directory_ / "live", directory_ / "crashed");
    return directory_ / "crashed";
  }
  // The same rows in table files: opening flushes what the write-ahead log holds.
  fs::path flushed() {
    fs::path database = crashed();
    (void)open_rocks_storage(existing(database));
    return database;
  }
  static void copy(const fs::path& from, const fs::path& to) {
    fs::remove_all(to);
    fs::copy(from, to);
  }

  TempDirectory directory_;
};

TEST_F(RocksStorageTest, RowsOutliveAClose) {
  { (void)put_row(*open_rocks_storage(fresh(directory_ / "db")), 1); }
  const auto storage = open_rocks_storage(existing(directory_ / "db"));
  EXPECT_EQ(count_rows(*storage), 1);
  EXPECT_EQ(count_rows(*storage, Family::kLog), 1);
}

TEST_F(RocksStorageTest, SyncedRowsOutliveACrash) {
  EXPECT_EQ(count_rows(*open_rocks_storage(existing(crashed()))), kRows);
}

TEST_F(RocksStorageTest, ScratchWritesNoLog) {
  RocksOptions options = fresh(directory_ / "db");
  options.scratch = true;
  const auto storage = open_rocks_storage(options);
  EXPECT_EQ(put_row(*storage, 1), WriteResult::kDone);
  for (const auto& entry : fs::directory_iterator(options.directory)) {
    EXPECT_TRUE(entry.path().extension() != ".log" || entry.file_size() == 0);
  }
}

TEST_F(RocksStorageTest, SizeCountsTheFilesOnDisk) {
  const auto storage = open_rocks_storage(fresh(directory_ / "db"));
  const std::uint64_t before = storage->size_bytes();
  (void)put_row(*storage, 1, 10'000);
  EXPECT_GE(storage->size_bytes(), before + 10'000);
}

TEST_F(RocksStorageTest, DirectoryIsPrivate) {
  (void)open_rocks_storage(fresh(directory_ / "db"));
  EXPECT_EQ(fs::status(directory_ / "db").permissions(), fs::perms::owner_all);
}

TEST_F(RocksStorageTest, CreatingOverADatabaseIsRefused) {
  const fs::path database = crashed();
  EXPECT_THROW((void)open_rocks_storage(fresh(database)), UnavailableError);
  EXPECT_EQ(count_rows(*open_rocks_storage(existing(database))), kRows);
}

TEST_F(RocksStorageTest, OpeningWhatIsNotThereIsRefusedAndCreatesNothing) {
  EXPECT_THROW((void)open_rocks_storage(existing(directory_ / "db")), UnavailableError);
  EXPECT_FALSE(fs::exists(directory_ / "db"));
  fs::create_directory(directory_ / "empty");
  EXPECT_THROW((void)open_rocks_storage(existing(directory_ / "empty")), UnavailableError);
  EXPECT_TRUE(fs::is_empty(directory_ / "empty"));
}

TEST_F(RocksStorageTest, SecondOpenIsRefused) {
  const auto storage = open_rocks_storage(fresh(directory_ / "db"));
  EXPECT_THROW((void)open_rocks_storage(existing(directory_ / "db")), UnavailableError);
}

TEST_F(RocksStorageTest, ReadOnlyOpenChangesNoFile) {
  const fs::path database = crashed();
  const auto before = files_of(database);
  {
    const auto storage = open_rocks_storage(read_only(database));
    EXPECT_EQ(count_rows(*storage), kRows);
    EXPECT_EQ(storage->get(Family::kLog, row_key(5)), "twin");
    EXPECT_TRUE(storage->damaged_files().empty());
    EXPECT_EQ(put_row(*storage, 1), WriteResult::kUnknown);
  }
  EXPECT_TRUE(files_of(database) == before);
}

TEST_F(RocksStorageTest, FamiliesKeepTheirNamesAndOptions) {
  (void)open_rocks_storage(fresh(directory_ / "db"));
  rocksdb::DBOptions database;
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  ASSERT_TRUE(rocksdb::LoadLatestOptions(rocksdb::ConfigOptions(), (directory_ / "db").string(),
                                         &database, &families)
                  .ok());
  EXPECT_TRUE(database.atomic_flush);
  EXPECT_TRUE(database.track_and_verify_wals_in_manifest);
  EXPECT_EQ(database.wal_recovery_mode, rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords);
  EXPECT_EQ(database.max_bgerror_resume_count, 0);
  ASSERT_EQ(families.size(), kFamilyCount);
  const std::vector<std::string> names{"default", "log", "idx", "state", "idem"};
  const std::vector<std::size_t> block_bytes{4096, 16384, 16384, 4096, 4096};
  for (std::size_t i = 0; i < families.size(); ++i) {
    const rocksdb::ColumnFamilyOptions& family = families[i].options;
    EXPECT_EQ(families[i].name, names[i]);
    const auto* table = family.table_factory->GetOptions<rocksdb::BlockBasedTableOptions>();
    ASSERT_NE(table, nullptr);
    EXPECT_EQ(table->block_size, block_bytes[i]);
    EXPECT_EQ(table->format_version, 5U);
    EXPECT_EQ(table->filter_policy != nullptr, i >= 3);
    EXPECT_EQ(family.level0_file_num_compaction_trigger, i == 1 ? 8 : 4);
    EXPECT_EQ(family.ttl, 0U);
    EXPECT_TRUE(family.level_compaction_dynamic_level_bytes);
  }
}

// Whether a compaction ends a file between these keys of the index, which follow each other.
bool index_file_ends_between(const std::string& before, const std::string& after) {
  RocksOptions options;
  options.directory = "not opened";
  options.read_only = true;
  const RocksConfiguration configuration = configure_rocks(options, *rocksdb::Env::Default());
  const auto& family = configuration.families.at(static_cast<std::size_t>(Family::kIndex)).options;
  const auto partitioner = family.sst_partitioner_factory->CreatePartitioner({});
  const bool ends = partitioner->ShouldPartition({before, after, 0}) == rocksdb::kRequired;
  EXPECT_NE(partitioner->CanDoTrivialMove(before, after), ends);
  return ends;
}

TEST(RocksPartitionTest, EachEpochOfAScopeHasIndexFilesOfItsOwn) {
  const auto key = [](char kind, events::Scope scope, std::uint32_t epoch, std::uint8_t id) {
    events::Uuid uuid{};
    uuid.bytes.fill(id);
    return keys::index(kind, scope, epoch, uuid, 1);
  };
  using events::Scope;
  EXPECT_FALSE(
      index_file_ends_between(key('S', Scope::TENANTS, 1, 1), key('S', Scope::TENANTS, 1, 200)));
  EXPECT_TRUE(
      index_file_ends_between(key('S', Scope::TENANTS, 1, 1), key('S', Scope::TENANTS, 2, 1)));
  EXPECT_TRUE(
      index_file_ends_between(key('S', Scope::TENANTS, 1, 1), key('T', Scope::TENANTS, 1, 1)));
}

TEST(RocksPartitionTest, TimesShareAnIndexFileHoweverFarApart) {
  EXPECT_FALSE(index_file_ends_between(
      keys::time_mark(events::Timestamp{}),
      keys::time_mark(events::Timestamp{std::int64_t{50} * 365 * 86400 * 1000000})));
}

TEST_F(RocksStorageTest, TableFilesDoNotNameTheMachine) {
  for (const auto& entry : fs::directory_iterator(flushed())) {
    if (entry.path().extension() != ".sst") continue;
    rocksdb::SstFileReader file((rocksdb::Options()));
    ASSERT_TRUE(file.Open(entry.path().string()).ok());
    EXPECT_EQ(file.GetTableProperties()->db_host_id, "");
  }
}

// --- Damage.

TEST_F(RocksStorageTest, FlippedBitInTheWriteAheadLogIsRefusedAndTheEvidenceKept) {
  const fs::path pristine = crashed();
  const fs::path database = directory_ / "damaged";
  const std::uint64_t bytes = fs::file_size(only_file(pristine, ".log"));
  for (std::uint64_t eighth = 1; eighth < 8; ++eighth) {
    copy(pristine, database);
    flip_bit(only_file(database, ".log"), bytes * eighth / 8);
    const auto before = files_of(database);
    EXPECT_THROW((void)open_rocks_storage(read_only(database)), CorruptionError) << eighth;
    EXPECT_TRUE(files_of(database) == before);
    EXPECT_THROW((void)open_rocks_storage(existing(database)), CorruptionError) << eighth;
  }
}

TEST_F(RocksStorageTest, RecordCutShortAtTheEndIsForgiven) {
  const fs::path pristine = crashed();
  const fs::path database = directory_ / "torn";
  const std::uint64_t bytes = fs::file_size(only_file(pristine, ".log"));
  for (const std::uint64_t lost : {1U, 2U, 7U, 64U, 200U}) {
    copy(pristine, database);
    fs::resize_file(only_file(database, ".log"), bytes - lost);
    const auto storage = open_rocks_storage(existing(database));
    EXPECT_EQ(count_rows(*storage), kRows - 1) << lost;
    EXPECT_EQ(count_rows(*storage, Family::kLog), kRows - 1) << lost;
  }
}

// The limit of what the write-ahead log can tell, and why the ack file is no option: once this
// fails, RocksDB sees the difference itself.
TEST_F(RocksStorageTest, DamagedRecordLengthPassesForACutEnd) {
  const fs::path database = crashed(/*rows=*/30);  // Fewer bytes than the new length.
  constexpr std::uint64_t kHighByteOfFirstLength = 5;
  flip_bit(only_file(database, ".log"), kHighByteOfFirstLength);
  EXPECT_EQ(count_rows(*open_rocks_storage(read_only(database))), 0);
}

TEST_F(RocksStorageTest, MissingFileOfTheDatabaseIsDamage) {
  const fs::path pristine = flushed();
  const fs::path database = directory_ / "damaged";
  for (const auto& entry : fs::directory_iterator(pristine)) {
    const std::string name = entry.path().filename().string();
    const bool needed =
        name == "CURRENT" || name.starts_with("MANIFEST-") || entry.path().extension() == ".sst";
    if (!needed) continue;
    copy(pristine, database);
    fs::remove(database / name);
    EXPECT_THROW((void)open_rocks_storage(existing(database)), CorruptionError) << name;
  }
}

// Wherever a table file is damaged, either it is refused at the open or the check of all checksums
// names it; no row is served that was not written.
TEST_F(RocksStorageTest, FlippedBitInATableFileIsFoundAndNamed) {
  const fs::path pristine = flushed();
  const fs::path database = directory_ / "damaged";
  for (const auto& entry : fs::directory_iterator(pristine)) {
    if (entry.path().extension() != ".sst") continue;
    const std::string name = entry.path().filename().string();
    for (std::uint64_t at = 0; at < entry.file_size(); at += 97) {
      copy(pristine, database);
      flip_bit(database / name, at);
      try {
        const auto damaged = open_rocks_storage(read_only(database))->damaged_files();
        ASSERT_EQ(damaged.size(), 1U) << name << " flipped at " << at;
        EXPECT_EQ(damaged[0].file, name);
        EXPECT_LE(damaged[0].first_key, damaged[0].last_key);
      } catch (const CorruptionError&) {
        // RocksDB's own words name the MANIFEST for some places of the file. Whoever cannot open it
        // learns all the same which file and which keys are concerned.
        const auto damaged = damaged_files_of(read_only(database));
        ASSERT_EQ(damaged.size(), 1U) << name << " flipped at " << at;
        EXPECT_EQ(damaged[0].file, name);
        EXPECT_EQ(damaged[0].first_key, row_key(0));
        EXPECT_EQ(damaged[0].last_key, row_key(kRows - 1));
      }
    }
  }
}

TEST_F(RocksStorageTest, DamagedRowIsReportedByEveryWayToReadIt) {
  const fs::path database = flushed();
  for (const auto& entry : fs::directory_iterator(database)) {
    if (entry.path().extension() == ".sst") flip_bit(entry.path(), 20);
  }
  const auto storage = open_rocks_storage(read_only(database));
  const auto at = storage->cursor(Family::kState, "", "", /*scan=*/false);
  EXPECT_THROW(at->seek_first(), CorruptionError);
  EXPECT_THROW(at->seek(row_key(1)), CorruptionError);
  EXPECT_THROW(at->seek_for_prev(row_key(1)), CorruptionError);
  EXPECT_THROW((void)storage->get(Family::kState, row_key(1)), CorruptionError);
}

std::vector<fs::path> table_files(const fs::path& directory) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(directory)) {
    if (entry.path().extension() == ".sst") found.push_back(entry.path());
  }
  return found;
}

// RocksDB leaves out all that follows when a walk comes to a file whose first block is damaged, and
// reports no error.
TEST_F(RocksStorageTest, AWalkPastADamagedFirstBlockOfAFileIsRefused) {
  const fs::path pristine = directory_ / "db";
  {
    const auto storage = open_rocks_storage(fresh(pristine));
    constexpr int kFilesToMerge = 8;
    for (int round = 0; round < kFilesToMerge; ++round) {
      ChangeSet changes;  // Keys that begin otherwise lie in a file of their own.
      for (const char* scope : {"aa", "bb", "cc"}) {
        changes.put(Family::kLog, scope + row_key(round), row_value(round, 100));
      }
      ASSERT_EQ(storage->write(changes, /*sync=*/true), WriteResult::kDone);
      storage->flush();
    }
    const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (table_files(pristine).size() != 3 && std::chrono::steady_clock::now() < patience) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
  ASSERT_EQ(table_files(pristine).size(), 3U) << "no compaction";
  ASSERT_EQ(count_rows(*open_rocks_storage(read_only(pristine)), Family::kLog), 24);
  const fs::path database = directory_ / "damaged";
  for (const fs::path& file : table_files(pristine)) {
    copy(pristine, database);
    flip_bit(database / file.filename(), 20);
    const auto storage = open_rocks_storage(read_only(database));
    EXPECT_THROW((void)count_rows(*storage, Family::kLog), CorruptionError) << file.filename();
    const auto view = storage->read_view();
    const auto at = view->cursor(Family::kLog, "", "", /*scan=*/false);
    const auto walk = [&] {
      for (at->seek_for_prev("aa"), at->seek("aa"); at->valid(); at->next()) {
      }
    };
    EXPECT_THROW(walk(), CorruptionError) << file.filename();
  }
}

// A disk that counts how often something has to reach it.
class CountedSyncs final : public rocksdb::FileSystemWrapper {
 public:
  CountedSyncs() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}
  [[nodiscard]] const char* Name() const override { return "CountedSyncs"; }

  rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* result,
                                    rocksdb::IODebugContext* debug) override {
    rocksdb::IOStatus status = FileSystemWrapper::NewWritableFile(name, options, result, debug);
    if (status.ok()) *result = std::make_unique<File>(std::move(*result), syncs);
    return status;
  }
  rocksdb::IOStatus NewDirectory(const std::string& name, const rocksdb::IOOptions& options,
                                 std::unique_ptr<rocksdb::FSDirectory>* result,
                                 rocksdb::IODebugContext* debug) override {
    rocksdb::IOStatus status = FileSystemWrapper::NewDirectory(name, options, result, debug);
    if (status.ok()) *result = std::make_unique<Directory>(std::move(*result), syncs);
    return status;
  }

  std::atomic<int> syncs = 0;

 private:
  struct File final : rocksdb::FSWritableFileOwnerWrapper {
    File(std::unique_ptr<rocksdb::FSWritableFile> file, std::atomic<int>& syncs)
        : FSWritableFileOwnerWrapper(std::move(file)), count(syncs) {}
    rocksdb::IOStatus Sync(const rocksdb::IOOptions& options,
                           rocksdb::IODebugContext* debug) override {
      ++count;
      return FSWritableFileOwnerWrapper::Sync(options, debug);
    }
    rocksdb::IOStatus Fsync(const rocksdb::IOOptions& options,
                            rocksdb::IODebugContext* debug) override {
      ++count;
      return FSWritableFileOwnerWrapper::Fsync(options, debug);
    }
    rocksdb::IOStatus RangeSync(std::uint64_t offset, std::uint64_t bytes,
                                const rocksdb::IOOptions& options,
                                rocksdb::IODebugContext* debug) override {
      ++count;
      return FSWritableFileOwnerWrapper::RangeSync(offset, bytes, options, debug);
    }
    std::atomic<int>& count;
  };
  struct Directory final : rocksdb::FSDirectoryWrapper {
    Directory(std::unique_ptr<rocksdb::FSDirectory> directory, std::atomic<int>& syncs)
        : FSDirectoryWrapper(std::move(directory)), count(syncs) {}
    rocksdb::IOStatus FsyncWithDirOptions(const rocksdb::IOOptions& options,
                                          rocksdb::IODebugContext* debug,
                                          const rocksdb::DirFsyncOptions& what) override {
      ++count;
      return FSDirectoryWrapper::FsyncWithDirOptions(options, debug, what);
    }
    std::atomic<int>& count;
  };
};

// Who waits for the disk holds up those beside it who must.
TEST_F(RocksStorageTest, AScratchDatabaseNeverWaitsForTheDisk) {
  for (const bool scratch : {false, true}) {
    const auto disk = std::make_shared<CountedSyncs>();
    const std::unique_ptr<rocksdb::Env> env = rocksdb::NewCompositeEnv(disk);
    RocksOptions options = fresh(directory_ / (scratch ? "scratch" : "db"));
    options.scratch = scratch;
    options.memory.write_buffer_bytes = std::size_t{1} << 20;
    const auto storage = open_rocks_storage_on(*env, options);
    constexpr std::size_t kRowBytes = 20'000;
    for (int row = 0; row < kRows; ++row) {
      WriteResult written = put_row(*storage, row, kRowBytes);
      while (written == WriteResult::kStalled) {
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
        written = put_row(*storage, row, kRowBytes);
      }
      ASSERT_EQ(written, WriteResult::kDone);
    }
    storage->flush();
    EXPECT_EQ(count_rows(*storage), kRows);
    EXPECT_EQ(disk->syncs == 0, scratch) << disk->syncs;
  }
}

// A disk on which something happens just before a table file is read from its beginning.
class InterruptedReads final : public rocksdb::FileSystemWrapper {
 public:
  InterruptedReads() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}
  [[nodiscard]] const char* Name() const override { return "InterruptedReads"; }

  rocksdb::IOStatus NewSequentialFile(const std::string& name, const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSSequentialFile>* result,
                                      rocksdb::IODebugContext* debug) override {
    if (before_table_file && name.ends_with(".sst")) {
      std::exchange(before_table_file, nullptr)(name);
    }
    return FileSystemWrapper::NewSequentialFile(name, options, result, debug);
  }

  std::function<void(const std::string& name)> before_table_file;  // Once.
};

TEST_F(RocksStorageTest, FileThatACompactionRemovesWhileFilesAreReadIsNoDamage) {
  const auto disk = std::make_shared<InterruptedReads>();
  const std::unique_ptr<rocksdb::Env> env = rocksdb::NewCompositeEnv(disk);
  const auto storage = open_rocks_storage_on(*env, fresh(directory_ / "db"));
  put_row(*storage, 0);
  storage->flush();
  disk->before_table_file = [&](const std::string& name) {
    const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    for (int row = 1; fs::exists(name) && std::chrono::steady_clock::now() < patience; ++row) {
      put_row(*storage, row % 2);
      storage->flush();
    }
    ASSERT_FALSE(fs::exists(name)) << "no compaction";
  };
  EXPECT_TRUE(storage->damaged_files().empty());
  ASSERT_EQ(disk->before_table_file, nullptr) << "no file was read";

  disk->before_table_file = [](const std::string& name) { fs::remove(name); };
  const auto damaged = storage->damaged_files();
  ASSERT_EQ(damaged.size(), 1U) << "a live file is missing";
  EXPECT_THAT(damaged[0].reason, HasSubstr("No such file"));
}

TEST_F(RocksStorageTest, WhoWaitsForItsChecksumsIsToldAndMayStopIt) {
  const auto storage = open_rocks_storage(fresh(directory_ / "db"));
  for (int row = 0; row < 2000; ++row) put_row(*storage, row);
  storage->flush();
  std::uint64_t last = 0;
  std::uint64_t all = 0;
  EXPECT_TRUE(storage
                  ->damaged_files([&](std::uint64_t done, std::uint64_t total) {
                    EXPECT_GT(done, last);
                    last = done;
                    all = total;
                  })
                  .empty());
  EXPECT_GT(last, 0U);
  EXPECT_EQ(last, all);
  struct Stop : std::runtime_error {
    Stop() : std::runtime_error("stop") {}
  };
  EXPECT_THROW(
      static_cast<void>(storage->damaged_files([](std::uint64_t, std::uint64_t) { throw Stop{}; })),
      Stop);
}

// --- Writes that fail.

// A disk whose write-ahead log can be made to fail.
class FailingFiles final : public rocksdb::FileSystemWrapper {
 public:
  enum class Failure { kNone, kAppend, kSync };

  FailingFiles() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}
  [[nodiscard]] const char* Name() const override { return "FailingFiles"; }

  rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* result,
                                    rocksdb::IODebugContext* debug) override {
    rocksdb::IOStatus status = FileSystemWrapper::NewWritableFile(name, options, result, debug);
    if (status.ok() && name.ends_with(".log")) {
      *result = std::make_unique<File>(std::move(*result), *this);
    }
    return status;
  }

  std::atomic<Failure> failure = Failure::kNone;

 private:
  class File final : public rocksdb::FSWritableFileOwnerWrapper {
   public:
    File(std::unique_ptr<rocksdb::FSWritableFile>&& file, const FailingFiles& disk)
        : FSWritableFileOwnerWrapper(std::move(file)), disk_(disk) {}
    rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                             rocksdb::IODebugContext* debug) override {
      if (disk_.failure == Failure::kAppend) return rocksdb::IOStatus::NoSpace("injected");
      return FSWritableFileOwnerWrapper::Append(data, options, debug);
    }
    rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                             const rocksdb::DataVerificationInfo& verification,
                             rocksdb::IODebugContext* debug) override {
      if (disk_.failure == Failure::kAppend) return rocksdb::IOStatus::NoSpace("injected");
      return FSWritableFileOwnerWrapper::Append(data, options, verification, debug);
    }
    rocksdb::IOStatus Sync(const rocksdb::IOOptions& options,
                           rocksdb::IODebugContext* debug) override {
      if (disk_.failure == Failure::kSync) return rocksdb::IOStatus::IOError("injected");
      return FSWritableFileOwnerWrapper::Sync(options, debug);
    }

   private:
    const FailingFiles& disk_;
  };
};

class RocksFailedWriteTest : public ::testing::TestWithParam<FailingFiles::Failure> {
 protected:
  std::shared_ptr<FailingFiles> disk_ = std::make_shared<FailingFiles>();
  std::unique_ptr<rocksdb::Env> env_ = rocksdb::NewCompositeEnv(disk_);
  TempDirectory directory_;
};

TEST_P(RocksFailedWriteTest, OutcomeIsUnknownAndNoFurtherWriteIsTaken) {
  {
    const auto storage = open_rocks_storage_on(*env_, fresh(directory_ / "db"));
    ASSERT_EQ(put_row(*storage, 1), WriteResult::kDone);
    EXPECT_EQ(storage->last_error(), "");

    disk_->failure = GetParam();
    EXPECT_EQ(put_row(*storage, 2), WriteResult::kUnknown);
    EXPECT_THAT(storage->last_error(), HasSubstr("injected"));

    disk_->failure = FailingFiles::Failure::kNone;
    EXPECT_EQ(put_row(*storage, 3), WriteResult::kUnknown);
    EXPECT_EQ(count_rows(*storage), 1);  // Reads go on.
  }
  const auto storage = open_rocks_storage(existing(directory_ / "db"));
  EXPECT_NE(storage->get(Family::kState, row_key(1)), std::nullopt);
  EXPECT_EQ(storage->get(Family::kState, row_key(3)), std::nullopt);
  EXPECT_EQ(count_rows(*storage), count_rows(*storage, Family::kLog));
  EXPECT_EQ(put_row(*storage, 4), WriteResult::kDone);
}

INSTANTIATE_TEST_SUITE_P(Failures, RocksFailedWriteTest,
                         ::testing::Values(FailingFiles::Failure::kAppend,
                                           FailingFiles::Failure::kSync));

// --- Full disks, each in a process of its own.

constexpr int kNotPermitted = 77;
constexpr int kWritesMax = 20'000;

// Fills the disk, then says how many rows were acknowledged, or -1 if the end was not as promised.
int write_until_full(const fs::path& database) {
  RocksOptions options = fresh(database);
  options.memory.write_buffer_bytes = std::size_t{1} << 20;
  const auto storage = open_rocks_storage(options);
  int stalls = 0;
  for (int row = 0; row < kWritesMax; ++row) {
    const WriteResult result = put_row(*storage, row, 4000);
    if (result == WriteResult::kDone) continue;
    if (result == WriteResult::kStalled && ++stalls < 1'000'000) {
      --row;
      std::this_thread::yield();
      continue;
    }
    const bool told = result == WriteResult::kUnknown && !storage->last_error().empty();
    const bool sticky = put_row(*storage, row) == WriteResult::kUnknown;
    return told && sticky ? row : -1;
  }
  return -1;
}

// Every acknowledged row is there, the unknown one may be, and both families agree.
bool holds(const fs::path& database, int acknowledged) {
  const auto storage = open_rocks_storage(read_only(database));
  const int rows = count_rows(*storage);
  return rows >= acknowledged && rows <= acknowledged + 1 &&
         rows == count_rows(*storage, Family::kLog);
}

[[noreturn]] void fill_limited_files(const fs::path& database) {
  std::signal(SIGXFSZ, SIG_IGN);
  const rlim_t bytes = rlim_t{1} << 19;
  const struct rlimit limit { bytes, bytes };
  if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) std::_Exit(kNotPermitted);
  const int acknowledged = write_until_full(database);
  const bool kept = acknowledged > 0 && holds(database, acknowledged);
  fs::remove_all(database.parent_path());
  std::_Exit(kept ? 0 : 1);
}

// The mount is seen by this process only and ends with it.
[[noreturn]] void fill_small_disk(const fs::path& mount_point) {
  const bool mounted = ::unshare(CLONE_NEWNS) == 0 &&
                       ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                       ::mount("tmpfs", mount_point.c_str(), "tmpfs", 0, "size=12m,mode=0700") == 0;
  if (!mounted) {
    fs::remove_all(mount_point);
    std::_Exit(kNotPermitted);
  }
  const int acknowledged = write_until_full(mount_point / "db");
  const bool kept = acknowledged > 0 && holds(mount_point / "db", acknowledged);
  ::umount(mount_point.c_str());
  fs::remove_all(mount_point);
  std::_Exit(kept ? 0 : 1);
}

class RocksFullDiskTest : public ::testing::Test {
 protected:
  // RocksDB's threads do not survive a fork, so each child starts afresh, with a directory of its
  // own, which it removes itself.
  void SetUp() override { ::testing::FLAGS_gtest_death_test_style = "threadsafe"; }

  static bool passed_or_not_permitted(int status) {
    return WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == kNotPermitted);
  }
  TempDirectory directory_;
};

TEST_F(RocksFullDiskTest, LimitOfFileSizeEndsInAnUnknownWrite) {
  EXPECT_EXIT(fill_limited_files(directory_ / "db"), ::testing::ExitedWithCode(0), "");
}

TEST_F(RocksFullDiskTest, FullFileSystemEndsInAnUnknownWrite) {
  EXPECT_EXIT(fill_small_disk(directory_.path()), passed_or_not_permitted, "");
}

// --- What RocksDB says about itself.

TEST(BoundedInfoLogTest, DropsAndCountsWhatDoesNotFit) {
  const TempDirectory directory;
  const fs::path path = directory / "log";
  {
    BoundedInfoLog log(path, 1000);
    for (int i = 0; i < 100; ++i) rocksdb::Error(&log, "line %d", i);
    EXPECT_GT(log.dropped(), 0U);
    EXPECT_LE(fs::file_size(path), 1000U);
  }
  const std::string text = read_file(path).value();
  EXPECT_THAT(text, HasSubstr("line 0\n"));
  EXPECT_THAT(text, HasSubstr("lines dropped\n"));
}

TEST(BoundedInfoLogTest, KeepsTheFileOfTheRunBefore) {
  const TempDirectory directory;
  { rocksdb::Error(std::make_shared<BoundedInfoLog>(directory / "log"), "first run"); }
  const BoundedInfoLog second(directory / "log");
  EXPECT_THAT(read_file(directory / "log.old").value(), HasSubstr("first run"));
  EXPECT_EQ(read_file(directory / "log"), "");
}

TEST(BoundedInfoLogTest, NeverFails) {
  const TempDirectory directory;
  BoundedInfoLog log(directory / "absent" / "log");
  rocksdb::Error(&log, "nobody reads this");
  EXPECT_EQ(log.dropped(), 1U);
}

TEST(BoundedInfoLogTest, CutsAVeryLongLine) {
  const TempDirectory directory;
  BoundedInfoLog log(directory / "log");
  rocksdb::Error(&log, "%s", std::string(100'000, 'x').c_str());
  EXPECT_LT(fs::file_size(directory / "log"), 3000U);
}

}  // namespace
}  // namespace tenantry
