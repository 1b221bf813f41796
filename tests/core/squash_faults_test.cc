#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>

#include <rocksdb/env.h>

#include "core/error.h"
#include "core/file_ops.h"
#include "core/head.h"
#include "core/keys.h"
#include "core/rocks_testing.h"
#include "tests/core/reading_test_base.h"
#include "tests/support/faulty_files.h"

// Squashes on disks that fail, of logs that are damaged, and damage of what they made.
namespace tenantry {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr long kSquashFaultsMax = 5000;
// Of the changes every ninth is tried: the simulation fails all of them.
constexpr long kEachFault = 9;

class SquashFaultsTest : public ReadingTestBase {
 protected:
  [[nodiscard]] fs::path archive() const { return directory() / "archive"; }
  [[nodiscard]] fs::path elsewhere() const { return temp_ / "elsewhere"; }

  static std::vector<fs::path> files_in(const fs::path& place) {
    std::vector<fs::path> found;
    std::error_code error;
    for (fs::directory_iterator at(place, error), end; !error && at != end; ++at) {
      found.push_back(at->path());
    }
    std::ranges::sort(found);
    return found;
  }
  void set_aside() {
    close();
    fs::rename(directory(), temp_ / "pristine");
  }
  void restore() {
    close();
    for (const fs::path& path : {directory(), elsewhere()}) fs::remove_all(path);
    fs::copy(temp_ / "pristine", directory(), fs::copy_options::recursive);
  }
  // The log, in words, without what squashes added.
  std::vector<std::string> history(Position through) {
    LogFilter filter;
    filter.through = through;
    return events_of(store(), filter);
  }
  Position base() {
    Position last;
    for (const ScopeStatus& scope : store().status().scopes) last = std::max(last, scope.base);
    return last;
  }
  static void edit(const fs::path& path, const std::function<void(std::string&)>& change) {
    std::string bytes = read_file(path).value();
    change(bytes);
    std::ofstream(path, std::ios::binary) << bytes;
  }
  static void put_head(Storage& storage, std::string bytes) {
    ChangeSet changes;
    changes.put(Family::kMeta, "head", std::move(bytes));
    EXPECT_EQ(storage.write(changes, true), WriteResult::kDone);
  }
  // Empty if `act` ends well, or what the damage is said to be.
  static std::string damage_told(const std::function<void()>& act) {
    try {
      act();
      return {};
    } catch (const CorruptionError& error) {
      return error.what();
    }
  }
};

class SquashFailedChangeTest : public SquashFaultsTest,
                               public ::testing::WithParamInterface<FaultyFiles::Repeat> {
 protected:
  // Squashes what set_aside() has kept, again and again; each time another change of the database
  // fails, until there are no more. Afterwards the store is opened as usual, and `look` says
  // whether the squash is published; what it had promised to hold is looked at there.
  void fail_each_change(const std::function<SquashOptions(long fault)>& options_of,
                        const std::function<bool(long fault)>& look) {
    long undone = 0;
    long published = 0;
    for (long fault = 1;; fault += kEachFault) {
      ASSERT_LT(fault, kSquashFaultsMax);
      SCOPED_TRACE("change " + std::to_string(fault));
      restore();
      const auto faulty = std::make_shared<FaultyFiles>(fault, GetParam());
      const bool answered = squash_on(faulty, options_of(fault));
      open();
      const bool is_published = look(fault);
      EXPECT_TRUE(is_published || !answered);
      close();
      if (HasFailure()) break;
      if (!answered) ++(is_published ? published : undone);
      if (faulty->met_fault()) continue;
      EXPECT_TRUE(answered);
      break;
    }
    EXPECT_GT(undone, 5);
    EXPECT_GT(published, 0);
  }

 private:
  // Whether it says that it is done.
  bool squash_on(const std::shared_ptr<FaultyFiles>& files, const SquashOptions& options) {
    const std::unique_ptr<rocksdb::Env> env = rocksdb::NewCompositeEnv(files);
    Disk disk;
    disk.open_storage = [&](const RocksOptions& opened) {
      return open_rocks_storage_on(*env, opened);
    };
    bool answered = false;
    try {
      store_ = open_store({.directory = directory(), .disk = disk}, clock_, ids_);
      (void)store().squash(options, {});
      answered = true;
    } catch (const UnavailableError&) {
    }
    close();
    return answered;
  }
};

TEST_P(SquashFailedChangeTest, IsDoneOrUndoneWhicheverChangeOfTheDatabaseFails) {
  run_all(history_of(5, 60));
  const Position tail = store().tail().tail;
  const auto before = history(tail);
  SquashOptions of_tenants;
  of_tenants.scopes = {events::Scope::TENANTS};
  const Position last = store().plan_squash(of_tenants, {}).scopes.back().through;
  set_aside();
  const auto options_of = [&](long fault) {
    SquashOptions options = of_tenants;
    if (fault % 2 == 0) options.archive = elsewhere();
    return options;
  };
  fail_each_change(options_of, [&](long fault) {
    EXPECT_TRUE(history(tail) == before);
    EXPECT_THAT(failed_checks(), IsEmpty());
    const bool is_published = store().tail().tail > tail;
    EXPECT_EQ(base(), is_published ? last : Position{});
    if (!is_published) {
      EXPECT_THAT(files_in(archive()), IsEmpty());
      EXPECT_THAT(files_in(elsewhere()), IsEmpty());
    }
    if (fault % 5 == 0) (void)store().squash({}, {});
    EXPECT_TRUE(history(tail) == before);
    return is_published;
  });
}

TEST_P(SquashFailedChangeTest, WhatStaysIsIndexedWholeWhicheverChangeFails) {
  for (const int first : {0, 1500}) {
    std::vector<std::string> lines;
    for (int n = 0; n < 1500; ++n) lines.push_back(protein("p" + std::to_string(first + n)));
    run_all(lines);
  }
  const Position tail = store().tail().tail;
  const auto before = history(tail);
  std::vector<LogFilter> streams;
  store().read_log({}, [&](const StoredEvent& event) {
    if (event.position.value % 50 == 0) streams.emplace_back().stream = event.stream;
    return true;
  });
  set_aside();
  SquashOptions options;
  options.through = Position{tail.value * 3 / 5};
  fail_each_change([&](long /*fault*/) { return options; },
                   [&](long /*fault*/) {
                     for (const LogFilter& stream : streams) {
                       EXPECT_EQ(events_of(store(), stream).size(), 1U);
                     }
                     EXPECT_TRUE(history(tail) == before);
                     EXPECT_THAT(failed_checks(), IsEmpty());
                     return base().value > 0;
                   });
}

TEST_P(SquashFailedChangeTest, ARedactionIsDoneOrUndoneWhicheverChangeFails) {
  run_all(history_of(5, 60));
  SquashOptions first;
  first.archive = elsewhere();
  first.scopes = {events::Scope::TENANTS};
  (void)store().squash(first, {});
  run_all(history_of(7, 40));
  const Position tail = store().tail().tail;
  const auto before = history(tail);
  const auto rows = rows_of(*store().rows_now().rows);
  SquashOptions options;
  store().read_log({}, [&](const StoredEvent& event) {
    if (event.tenant != events::Uuid{}) options.redact = event.tenant;
    return !options.redact;
  });
  set_aside();
  fs::rename(elsewhere(), temp_ / "archived");
  const auto options_of = [&](long /*fault*/) {
    fs::copy(temp_ / "archived", elsewhere());
    return options;
  };
  fail_each_change(options_of, [&](long /*fault*/) {
    const bool is_published = store().complete_after().value > 0;
    EXPECT_EQ(history(tail) == before, !is_published);
    EXPECT_TRUE(rows_of(*store().rows_now().rows) == rows);
    EXPECT_THAT(failed_checks(), IsEmpty());
    // What was there may be needed by others.
    EXPECT_EQ(files_in(elsewhere()).size(), is_published ? 2U : 1U);
    (void)store().squash(options, {});
    EXPECT_TRUE(store().complete_after().value > 0);
    EXPECT_THAT(failed_checks(), IsEmpty());
    return is_published;
  });
}

INSTANTIATE_TEST_SUITE_P(Repeats, SquashFailedChangeTest,
                         ::testing::Values(FaultyFiles::Repeat::kOnce,
                                           FaultyFiles::Repeat::kFromThenOn));

TEST_F(SquashFaultsTest, WhereNoFileCanBeMadeNothingChanges) {
  run_all(history_of(6, 30));
  const Position tail = store().tail().tail;
  const auto before = history(tail);
  std::ofstream(elsewhere()) << "no directory";
  SquashOptions options;
  options.archive = elsewhere();
  EXPECT_THROW((void)store().squash(options, {}), UnavailableError);
  EXPECT_EQ(store().tail().tail, tail);
  EXPECT_EQ(base(), Position{});
  EXPECT_THAT(files_in(archive()), IsEmpty());
  EXPECT_THAT(failed_checks(), IsEmpty());
  (void)store().squash({}, {});
  EXPECT_TRUE(history(tail) == before);
  EXPECT_THAT(failed_checks(), IsEmpty());
}

// What is written is whole and proved by then, and nothing of the log has gone yet.
TEST_F(SquashFaultsTest, WhereAFileCannotTakeItsNameNothingChanges) {
  run_all(history_of(8, 60));
  const Position tail = store().tail().tail;
  const auto before = history(tail);
  set_aside();
  restore();
  open();
  SquashOptions options;
  options.archive = elsewhere();
  (void)store().squash(options, {});
  const std::vector<fs::path> names = files_in(elsewhere());
  ASSERT_FALSE(names.empty());
  restore();
  for (const fs::path& name : names) fs::create_directories(name / "in the way");
  open();
  EXPECT_THROW((void)store().squash(options, {}), UnavailableError);
  for (const bool again : {false, true}) {
    EXPECT_EQ(store().tail().tail, tail);
    EXPECT_EQ(base(), Position{});
    EXPECT_TRUE(history(tail) == before);
    EXPECT_THAT(files_in(archive()), IsEmpty());
    EXPECT_EQ(files_in(elsewhere()), names);
    EXPECT_THAT(failed_checks(), IsEmpty());
    if (!again) reopen();
  }
}

TEST_F(SquashFaultsTest, ADamagedLogIsNotSquashed) {
  std::vector<std::string> lines;
  for (int n = 0; n < 4000; ++n) lines.push_back(protein("p" + std::to_string(n)));
  run_all(lines);
  reopen();  // What the write-ahead log holds goes to table files.
  const Position tail = store().tail().tail;
  const auto before = history(tail);
  set_aside();
  for (const fs::path& file : files_in(temp_ / "pristine" / "db")) {
    if (file.extension() != ".sst") continue;
    restore();
    constexpr std::size_t kInFirstBlock = 100;
    edit(directory() / "db" / file.filename(),
         [](std::string& bytes) { bytes.at(kInFirstBlock) ^= 0x40; });
    const std::string told = damage_told([&] {
      open();
      (void)store().squash({}, {});
    });
    EXPECT_THAT(told, HasSubstr(file.filename().string()));
    close();
    edit(directory() / "db" / file.filename(),
         [](std::string& bytes) { bytes.at(kInFirstBlock) ^= 0x40; });
    open();
    EXPECT_EQ(store().tail().tail, tail);
    EXPECT_EQ(base(), Position{});
    EXPECT_THAT(files_in(archive()), IsEmpty());
    EXPECT_TRUE(history(tail) == before);
    EXPECT_THAT(failed_checks(), IsEmpty());
  }
}

// What the events lead to and what the head counts must be the same, also where the squash ends
// before the log does.
TEST_F(SquashFaultsTest, WhereEventsDoNotLeadToWhatTheHeadCountsNothingGoes) {
  run_all(history_of(9, 80));
  const Position middle = store().tail().tail;
  run_all(history_of(10, 20));
  const Position tail = store().tail().tail;
  const auto before = history(tail);
  close();
  RocksOptions rocks;
  rocks.directory = directory() / "db";
  {
    const auto storage = open_rocks_storage(rocks);
    Head head = stored_head(*storage);
    const std::string key = keys::state_prefix(events::Scope::TENANTS, 4);
    head.counters.add(Family::kState, key, "a row that no event made");
    put_head(*storage, encode_head(head));
  }
  for (const Position through : {middle, tail}) {
    open();
    SquashOptions options;
    options.through = through;
    EXPECT_THAT(damage_told([&] { (void)store().squash(options, {}); }),
                HasSubstr("the head counts"));
    EXPECT_EQ(base(), Position{});
    EXPECT_THAT(files_in(archive()), IsEmpty());
    EXPECT_TRUE(history(tail) == before);
    close();
  }
}

TEST_F(SquashFaultsTest, DamageOfTheArchiveIsToldWithTheFile) {
  run_all(history_of(7, 150));
  const Position middle{store().tail().tail.value / 2};
  const Position tail = store().tail().tail;
  const auto before = history(tail);
  SquashOptions options;
  options.through = middle;
  (void)store().squash(options, {});
  (void)store().squash({}, {});
  set_aside();
  const std::vector<std::pair<std::string, std::function<void(const fs::path&)>>> ways{
      {"gone", [](const fs::path& path) { fs::remove(path); }},
      {"empty", [](const fs::path& path) { fs::resize_file(path, 0); }},
      {"cut", [](const fs::path& path) { fs::resize_file(path, fs::file_size(path) / 2); }},
      {"one short", [](const fs::path& path) { fs::resize_file(path, fs::file_size(path) - 1); }},
      {"longer", [](const fs::path& path) { edit(path, [](auto& bytes) { bytes += "more"; }); }},
      {"start",
       [](const fs::path& path) { edit(path, [](std::string& bytes) { bytes.at(40) ^= 4; }); }},
      {"middle",
       [](const fs::path& path) {
         edit(path, [](std::string& bytes) { bytes.at(bytes.size() / 2) ^= 4; });
       }},
      {"end", [](const fs::path& path) {
         edit(path, [](std::string& bytes) { bytes.at(bytes.size() - 10) ^= 4; });
       }}};
  std::map<std::string, int> reads_refused;
  for (const fs::path& file : files_in(temp_ / "pristine" / "archive")) {
    const std::string name = file.filename().string();
    for (const auto& [way, damage] : ways) {
      restore();
      damage(archive() / name);
      const auto refused_with_name = [&](const std::function<void()>& act) {
        const std::string told = damage_told(act);
        if (told.empty()) return false;
        EXPECT_THAT(told, HasSubstr(name)) << way;
        return true;
      };
      open();
      int refused = 0;
      for (const bool reverse : {false, true}) {
        LogFilter filter;
        filter.through = tail;
        filter.reverse = reverse;
        refused += refused_with_name([&] {
          std::vector<std::string> found = events_of(store(), filter);
          if (reverse) std::ranges::reverse(found);
          EXPECT_TRUE(found == before) << name << " " << way;
        });
      }
      refused += refused_with_name([&] { (void)store().rows_at(middle, {}); });
      if (name.find("snapshot") == std::string::npos) {
        EXPECT_EQ(refused, 3) << name << " " << way;
      }
      std::string all;
      for (const std::string& problem : failed_checks()) all += problem;
      EXPECT_THAT(all, HasSubstr(name)) << way;
      close();
    }
  }
}

}  // namespace
}  // namespace tenantry
