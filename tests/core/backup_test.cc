#include "core/backup.h"

#include <algorithm>
#include <atomic>
#include <fstream>
#include <thread>

#include "core/error.h"
#include "core/file_ops.h"
#include "core/owner/remote_store.h"
#include "core/owner/server.h"
#include "core/store_files.h"
#include "tests/core/store_test_base.h"

namespace tenantry {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class BackupTest : public StoreTestBase {
 protected:
  [[nodiscard]] fs::path backup() const { return temp_ / "backup"; }
  [[nodiscard]] fs::path restored() const { return temp_ / "restored"; }

  BackupReport back_up() { return store().back_up(backup(), {}); }
  RestoreReport restore(bool dry_run = false) {
    RestoreOptions options;
    options.backup = backup();
    options.directory = restored();
    options.circumstances.actor = "ann";
    options.circumstances.reason = "the disk died";
    options.dry_run = dry_run;
    return restore_store(options, clock_, ids_, {});
  }
  // From here on it is the store.
  void open_restored() {
    close();
    store_ = open_store({.directory = restored()}, clock_, ids_);
  }
  std::vector<std::string> rows(std::string_view table) {
    std::vector<std::string> found;
    store().rows_now().rows->scan_rows(*events::find_table(table), std::nullopt,
                                       [&](const StoredRow& row) {
                                         found.emplace_back(row.bytes);
                                         return true;
                                       });
    return found;
  }
  static std::vector<std::string> names_in(const fs::path& directory) {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(directory)) {
      names.push_back(entry.path().filename().string());
    }
    std::ranges::sort(names);
    return names;
  }
};

TEST_F(BackupTest, ARestoredStoreIsTheStoreInANewIncarnation) {
  run_all({protein("Lamb"), protein("Beef")});
  user("ann");
  const BackupReport backup = back_up();
  EXPECT_EQ(backup.identity, store().identity());
  EXPECT_EQ(backup.tail, Position{3});
  EXPECT_EQ(backup.head_digest, store().tail().digest);
  const auto proteins = rows("core_protein");
  const auto hash = store().chain_hash_at(Position{3});
  user("ben");  // Too late.

  const RestoreReport report = restore();
  EXPECT_EQ(report.identity.store, backup.identity.store);
  EXPECT_EQ(report.identity.incarnation, 2U);
  EXPECT_EQ(report.tail, Position{4});
  open_restored();
  EXPECT_EQ(store().identity(), report.identity);
  EXPECT_EQ(store().tail().tail, Position{4});
  EXPECT_THAT(log(), ElementsAre("1 ProteinAdded", "2 ProteinAdded", "3 UserRegistered",
                                 "4 StoreRestored"));
  EXPECT_EQ(rows("core_protein"), proteins);
  EXPECT_EQ(store().chain_hash_at(Position{3}), hash);
  EXPECT_THAT(failed_checks(), IsEmpty());
  EXPECT_EQ(user("cem"), "5");
  reopen();
  EXPECT_THAT(failed_checks(), IsEmpty());
}

TEST_F(BackupTest, TheEventSaysFromWhatAndWhoAndWhy) {
  user("ann");
  clock_.advance_seconds(5);
  const BackupReport backup = back_up();
  clock_.advance_seconds(3600);
  static_cast<void>(restore());
  open_restored();
  LogFilter filter;
  filter.scope = events::Scope::SYSTEM;
  std::size_t seen = 0;
  store().read_log(filter, [&](const StoredEvent& event) {
    const auto view = events::EventView::over(event.payload);
    const auto fact = view.event().getStoreRestored();
    EXPECT_EQ(view.entity(), backup.identity.store);
    EXPECT_EQ(fact.getIncarnation(), 2);
    EXPECT_EQ(fact.getTail(), 1);
    EXPECT_EQ(fact.getTakenAt(), backup.taken_at.micros);
    EXPECT_STREQ(view.event().getActor().cStr(), "ann");
    EXPECT_STREQ(view.event().getReason().cStr(), "the disk died");
    EXPECT_EQ(event.recorded_at, clock_.now());
    ++seen;
    return true;
  });
  EXPECT_EQ(seen, 1U);
}

TEST_F(BackupTest, ABackupOfARestoredStoreRestoresOnceMore) {
  user("ann");
  static_cast<void>(back_up());
  static_cast<void>(restore());
  open_restored();
  user("ben");
  static_cast<void>(store().back_up(temp_ / "backup2", {}));
  close();
  RestoreOptions options;
  options.backup = temp_ / "backup2";
  options.directory = temp_ / "restored2";
  EXPECT_EQ(restore_store(options, clock_, ids_, {}).identity.incarnation, 3U);
  store_ = open_store({.directory = options.directory}, clock_, ids_);
  EXPECT_THAT(log(), ElementsAre("1 UserRegistered", "2 StoreRestored", "3 UserRegistered",
                                 "4 StoreRestored"));
  EXPECT_THAT(failed_checks(), IsEmpty());
}

TEST_F(BackupTest, AnEmptyStoreCanBeKeptToo) {
  EXPECT_EQ(back_up().tail, Position{0});
  EXPECT_EQ(restore().tail, Position{1});
  open_restored();
  EXPECT_THAT(failed_checks(), IsEmpty());
}

TEST_F(BackupTest, ACommandIsAnsweredAgainByTheRestoredStore) {
  const std::string command = protein("Lamb", ",'id':'6f9619ff-8b86-d011-b42d-00cf4fc964ff'");
  EXPECT_EQ(run(command), "1");
  static_cast<void>(back_up());
  static_cast<void>(restore());
  open_restored();
  EXPECT_EQ(run(command), "1");
  EXPECT_EQ(store().tail().tail, Position{2});
}

// The commands that make the log again leave out what was done with the store.
TEST_F(BackupTest, ARestoredStoreCanBeExported) {
  user("ann");
  static_cast<void>(back_up());
  static_cast<void>(restore());
  open_restored();
  user("ben");
  std::size_t commands = 0;
  store().read_commands({}, {}, [&](const events::CommandRequest&) { return ++commands > 0; });
  EXPECT_EQ(commands, 2U);
}

TEST_F(BackupTest, WritingGoesOnMeanwhile) {
  std::atomic<bool> done = false;
  std::atomic<std::uint64_t> answered = 0;
  std::jthread writer([&] {
    for (int n = 0; !done; ++n) {
      const auto command = request(protein("p" + std::to_string(n)));
      answered = store().submit({&command, 1}, {}).at(0).first.value;
    }
  });
  while (answered < 20) std::this_thread::yield();
  const std::uint64_t before = answered;
  const BackupReport backup = back_up();
  const std::uint64_t after = store().tail().tail.value;
  done = true;
  writer.join();
  EXPECT_GE(backup.tail.value, before) << "what was answered before is in it";
  EXPECT_LE(backup.tail.value, after);
  EXPECT_EQ(store().chain_hash_at(backup.tail).has_value(), true);
  const auto hash = store().chain_hash_at(backup.tail);
  static_cast<void>(restore());
  open_restored();
  EXPECT_EQ(store().chain_hash_at(backup.tail), hash);
}

TEST_F(BackupTest, WhoeverOwnsTheStoreMakesIt) {
  user("ann");
  const owner::Server server(store(), {.directory = directory()});
  const auto remote = owner::connect_to_owner(directory());
  ASSERT_NE(remote, nullptr);
  const BackupReport report = remote->back_up(backup(), {});
  EXPECT_EQ(report.directory, backup());
  EXPECT_EQ(report.identity, store().identity());
  EXPECT_EQ(report.tail, Position{1});
  EXPECT_GT(report.files, 0U);
  EXPECT_EQ(usage_code([&] { static_cast<void>(remote->back_up(backup(), {})); }),
            "store_not_empty");
  EXPECT_EQ(restore().tail, Position{2});
}

TEST_F(BackupTest, NothingIsOverwritten) {
  user("ann");
  const fs::path taken = temp_ / "taken";
  fs::create_directory(taken);
  std::ofstream(taken / "file") << "mine";
  EXPECT_EQ(usage_code([&] { static_cast<void>(store().back_up(taken, {})); }), "store_not_empty");
  EXPECT_EQ(usage_code([&] { static_cast<void>(store().back_up(directory(), {})); }),
            "backup_inside_store");
  EXPECT_EQ(usage_code([&] { static_cast<void>(store().back_up(directory() / "b", {})); }),
            "backup_inside_store");
  static_cast<void>(back_up());
  EXPECT_EQ(usage_code([&] { static_cast<void>(back_up()); }), "store_not_empty");

  static_cast<void>(restore());
  EXPECT_EQ(usage_code([&] { static_cast<void>(restore()); }), "store_exists");
  RestoreOptions options;
  options.backup = backup();
  options.directory = taken;
  EXPECT_EQ(usage_code([&] { static_cast<void>(restore_store(options, clock_, ids_, {})); }),
            "store_not_empty");
  EXPECT_THAT(names_in(taken), ElementsAre("file"));
}

TEST_F(BackupTest, NobodyElseMayReadItWhereverItLies) {
  user("ann");
  fs::create_directory(backup());
  fs::permissions(backup(), fs::perms::owner_all | fs::perms::others_read | fs::perms::others_exec);
  static_cast<void>(back_up());
  EXPECT_EQ(fs::status(backup() / "db").permissions(), fs::perms::owner_all);
}

TEST_F(BackupTest, ADryRunLeavesNothingBehind) {
  user("ann");
  static_cast<void>(back_up());
  EXPECT_EQ(restore(/*dry_run=*/true).tail, Position{2});
  EXPECT_FALSE(fs::exists(restored()));
}

TEST_F(BackupTest, ABackupIsNoStore) {
  user("ann");
  static_cast<void>(back_up());
  EXPECT_FALSE(is_store(backup()));
  EXPECT_EQ(
      usage_code([&] { static_cast<void>(open_store({.directory = backup()}, clock_, ids_)); }),
      "store_not_found");
  EXPECT_EQ(usage_code([&] {
              RestoreOptions options;
              options.backup = directory();
              options.directory = restored();
              static_cast<void>(restore_store(options, clock_, ids_, {}));
            }),
            "backup_not_found");
}

// Whichever file is damaged, no store is made of it.
TEST_F(BackupTest, ADamagedBackupIsRefused) {
  for (int n = 0; n < 50; ++n) run(protein("p" + std::to_string(n)));
  static_cast<void>(back_up());
  std::vector<fs::path> files = {backup() / "BACKUP"};
  for (const auto& entry : fs::directory_iterator(backup() / "db")) files.push_back(entry.path());
  ASSERT_GT(files.size(), 5U);
  for (const fs::path& file : files) {
    const std::string whole = *read_file(file);
    if (whole.empty() || file.filename().string().starts_with("OPTIONS")) continue;
    const auto refused = [&] {
      EXPECT_THROW(static_cast<void>(restore()), CorruptionError) << file;
      EXPECT_FALSE(fs::exists(restored())) << file;
    };
    std::string flipped = whole;
    flipped[whole.size() / 2] = static_cast<char>(flipped[whole.size() / 2] ^ 1);
    fs::remove(file);  // Its other name is in the store.
    if (file.filename() != "BACKUP") refused();
    std::ofstream(file, std::ios::binary) << flipped;
    refused();
    std::ofstream(file, std::ios::binary) << whole.substr(0, whole.size() - 1);
    refused();
    std::ofstream(file, std::ios::binary) << whole;
  }
  EXPECT_EQ(restore().tail, Position{51});
}

TEST_F(BackupTest, ADamagedStoreIsNotBackedUp) {
  for (int n = 0; n < 50; ++n) run(protein("p" + std::to_string(n)));
  close();
  open();
  static_cast<void>(back_up());  // Its files are in table files now.
  close();
  for (const auto& entry : fs::directory_iterator(directory() / "db")) {
    if (entry.path().extension() != ".sst" || entry.file_size() < 4000) continue;
    std::string bytes = *read_file(entry.path());
    bytes[100] = static_cast<char>(bytes[100] ^ 1);
    std::ofstream(entry.path(), std::ios::binary) << bytes;
  }
  bool refused = false;
  try {
    open();
    static_cast<void>(store().back_up(temp_ / "other", {}));
  } catch (const CorruptionError&) {
    refused = true;
  }
  EXPECT_TRUE(refused);
  EXPECT_FALSE(fs::exists(temp_ / "other"));
}

// Who stops it, or fails in the middle, leaves nothing.
TEST_F(BackupTest, AnInterruptedOneLeavesNothingBehind) {
  std::vector<std::string> lines;
  for (int n = 0; n < 5000; ++n) lines.push_back(protein("p" + std::to_string(n)));
  run_all(lines);
  struct Stop : std::runtime_error {
    Stop() : std::runtime_error("stop") {}
  };
  const Progress stop = [](std::uint64_t, std::uint64_t) { throw Stop{}; };
  EXPECT_THROW(static_cast<void>(store().back_up(backup(), stop)), Stop);
  EXPECT_FALSE(fs::exists(backup()));
  static_cast<void>(back_up());
  RestoreOptions options;
  options.backup = backup();
  options.directory = restored();
  EXPECT_THROW(static_cast<void>(restore_store(options, clock_, ids_, stop)), Stop);
  EXPECT_FALSE(fs::exists(restored()));
}

}  // namespace
}  // namespace tenantry
