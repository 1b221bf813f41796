#include "core/squash.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <thread>

#include "core/backup.h"
#include "core/consumers.h"
#include "core/error.h"
#include "core/file_ops.h"
#include "core/storage.h"
#include "events/store_events.h"
#include "tests/core/reading_test_base.h"

namespace tenantry {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::Gt;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAreArray;

class SquashTest : public ReadingTestBase {
 protected:
  [[nodiscard]] fs::path archive() const { return directory() / "archive"; }

  SquashReport squash(const SquashOptions& options = {}) { return store().squash(options, {}); }
  static SquashOptions of(std::set<events::Scope> scopes) {
    SquashOptions options;
    options.scopes = std::move(scopes);
    return options;
  }
  static std::uint64_t squashed_events(const SquashReport& report) {
    std::uint64_t events = 0;
    for (const SquashedScope& scope : report.scopes) events += scope.events;
    return events;
  }
  // Some commands at a time, each with an id.
  void live(unsigned seed, int commands) {
    std::vector<std::string> lines = history_of(seed, commands);
    for (std::size_t at = 0; at < lines.size(); at += 7) {
      run_all({lines.begin() + static_cast<std::ptrdiff_t>(at),
               lines.begin() + static_cast<std::ptrdiff_t>(std::min(at + 7, lines.size()))});
    }
  }
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    std::error_code error;
    for (fs::directory_iterator at(archive(), error), end; !error && at != end; ++at) {
      names.push_back(at->path().filename().string());
    }
    std::ranges::sort(names);
    return names;
  }

  // Everything that can be asked about the history up to a position.
  std::map<std::string, std::vector<std::string>> answers(Position through) {
    std::map<std::string, std::vector<std::string>> answers;
    std::vector<std::pair<std::string, LogFilter>> filters{{"all", {}}};
    const auto add = [&](const std::string& name) -> LogFilter& {
      return filters.emplace_back(name, LogFilter{}).second;
    };
    for (const events::ScopeInfo& scope : events::scopes()) {
      add("scope " + std::string(events::scope_name(scope.scope))).scope = scope.scope;
    }
    add("some").kinds = {events::find_kind("UserRegistered")->number};
    add("user").user = 1;
    std::set<events::Uuid> streams;
    std::set<events::Uuid> tenants;
    store().read_log({}, [&](const StoredEvent& event) {
      if (event.position > through) return false;
      if (streams.size() < 12) streams.insert(event.stream);
      if (event.tenant != events::Uuid{}) tenants.insert(event.tenant);
      return true;
    });
    for (const auto& stream : streams) add("stream " + events::format_uuid(stream)).stream = stream;
    for (const auto& tenant : tenants) add("tenant " + events::format_uuid(tenant)).tenant = tenant;
    for (auto [name, filter] : filters) {
      for (const bool reverse : {false, true}) {
        for (const std::uint64_t after : {std::uint64_t{0}, through.value / 3, through.value / 2}) {
          filter.reverse = reverse;
          filter.after = {after};
          filter.through = Position{through.value - after / 5};
          answers[name + (reverse ? " back " : " ") + std::to_string(after)] =
              events_of(store(), filter);
        }
      }
    }
    for (const std::uint64_t at : {through.value / 4, through.value / 2, through.value}) {
      const RowsAt rows = store().rows_at(Position{at}, {});
      answers["rows at " + std::to_string(at)] = rows_of(*rows.rows);
      answers["rows at " + std::to_string(at)].push_back(
          std::string(rows.tail.digest.begin(), rows.tail.digest.end()));
    }
    for (std::uint64_t at = 1; at <= through.value; at += 1 + through.value / 50) {
      const auto hash = store().chain_hash_at(Position{at});
      answers["chain"].emplace_back(hash->begin(), hash->end());
    }
    store().read_log({}, [&](const StoredEvent& event) {
      if (event.position > through) return false;
      const events::Timestamp before{event.recorded_at.micros - 1};
      answers["times"].push_back(std::to_string(store().position_at(before).value));
      return true;
    });
    return answers;
  }
  void expect_same(const std::map<std::string, std::vector<std::string>>& before,
                   const std::map<std::string, std::vector<std::string>>& after) {
    for (const auto& [question, answer] : before) {
      EXPECT_TRUE(after.at(question) == answer) << question;
    }
  }
};

TEST_F(SquashTest, WhatLeftTheLogIsStillRead) {
  live(1, 200);
  const Position tail = store().tail().tail;
  const auto before = answers(tail);
  const auto rows = rows_of(*store().rows_now().rows);
  const SquashReport report = squash();
  EXPECT_EQ(squashed_events(report), tail.value);
  EXPECT_EQ(report.tail, tail);
  expect_same(before, answers(tail));
  EXPECT_TRUE(rows_of(*store().rows_now().rows) == rows);
  LogFilter live_only;
  live_only.live_only = true;
  EXPECT_THAT(log(live_only), ElementsAre(std::to_string(tail.value + 1) + " ScopeSquashed",
                                          std::to_string(tail.value + 2) + " ScopeSquashed",
                                          std::to_string(tail.value + 3) + " ScopeSquashed"));
  EXPECT_THAT(failed_checks(), IsEmpty());
  EXPECT_THAT(files(), SizeIs(6));
  reopen();
  expect_same(before, answers(tail));
  EXPECT_THAT(failed_checks(), IsEmpty());
}

TEST_F(SquashTest, SquashAfterSquashWithCommandsBetween) {
  for (unsigned round = 0; round < 10; ++round) {
    live(round, 30);
    const Position tail = store().tail().tail;
    const auto before = answers(tail);
    SquashOptions options;
    if (round % 3 == 1) options.scopes = {events::Scope::TENANTS};
    if (round % 3 == 2) options.through = Position{tail.value - 20};
    squash(options);
    expect_same(before, answers(tail));
    EXPECT_THAT(failed_checks(), IsEmpty()) << round;
    if (round % 4 == 3) reopen();
    ASSERT_FALSE(HasFailure()) << round;
  }
}

TEST_F(SquashTest, ARetryGetsTheFirstAnswer) {
  const std::string line =
      "{'id':'11111111-1111-4111-8111-111111111111','command':'add_protein',"
      "'data':{'name':'Lamb'}}";
  EXPECT_EQ(run(line), "1");
  squash();
  EXPECT_EQ(run(line), "1");
  reopen();
  EXPECT_EQ(run(line), "1");
  EXPECT_THAT(failed_checks(), IsEmpty());
}

TEST_F(SquashTest, NothingToDo) {
  EXPECT_EQ(squashed_events(squash()), 0U);
  EXPECT_EQ(store().tail().tail, Position{0});
  user("ann");
  squash();
  const Position tail = store().tail().tail;
  EXPECT_EQ(squashed_events(squash()), 0U);
  EXPECT_EQ(store().tail().tail, tail);
  EXPECT_EQ(squashed_events(squash(of({events::Scope::CORE}))), 0U);
}

TEST_F(SquashTest, APlanChangesNothing) {
  live(2, 50);
  const Position tail = store().tail().tail;
  const SquashReport plan = store().plan_squash({}, {});
  EXPECT_EQ(squashed_events(plan), tail.value);
  EXPECT_EQ(store().tail().tail, tail);
  EXPECT_THAT(files(), IsEmpty());
  const SquashReport done = squash();
  ASSERT_EQ(done.scopes.size(), plan.scopes.size());
  for (std::size_t n = 0; n < plan.scopes.size(); ++n) {
    EXPECT_EQ(plan.scopes[n].kinds, done.scopes[n].kinds);
    EXPECT_EQ(plan.scopes[n].through, done.scopes[n].through);
    EXPECT_EQ(plan.scopes[n].log_bytes, done.scopes[n].log_bytes);
    EXPECT_EQ(plan.scopes[n].first_time, done.scopes[n].first_time);
  }
}

TEST_F(SquashTest, TheEventSaysWhatLeftAndWhoAndWhy) {
  user("ann");
  user("ben");
  SquashOptions options;
  options.circumstances.actor = "ann";
  options.circumstances.reason = "year end";
  const auto chain = store().chain_hash_at(Position{2});
  squash(options);
  std::size_t seen = 0;
  LogFilter filter;
  filter.scope = events::Scope::SYSTEM;
  store().read_log(filter, [&](const StoredEvent& event) {
    const auto view = events::EventView::over(event.payload);
    const events::Squashed squashed = events::read_squashed(view);
    EXPECT_EQ(squashed.store, store().identity().store);
    EXPECT_EQ(squashed.scope, events::Scope::AUTH);
    EXPECT_EQ(squashed.through, 2U);
    EXPECT_EQ(squashed.events, 2U);
    EXPECT_EQ(squashed.chain_hash, hex(*chain));
    EXPECT_FALSE(squashed.history_discarded);
    EXPECT_STREQ(view.event().getActor().cStr(), "ann");
    EXPECT_STREQ(view.event().getReason().cStr(), "year end");
    ++seen;
    return true;
  });
  EXPECT_EQ(seen, 1U);
}

TEST_F(SquashTest, WaitsForReadersThatAreNoted) {
  user("ann");
  user("ben");
  user("cem");
  store().note_consumer("sqlite:app", Position{2}, false);
  store().note_consumer("audit", Position{1}, false);
  store().note_consumer("audit", Position{3}, false);
  ASSERT_THAT(store().status().consumers, SizeIs(2));
  EXPECT_EQ(store().status().consumers.back().name, "sqlite:app");
  SquashReport report = squash();
  EXPECT_EQ(squashed_events(report), 2U);
  ASSERT_THAT(report.behind, SizeIs(1));
  EXPECT_EQ(report.behind[0].consumer.name, "sqlite:app");
  EXPECT_TRUE(report.behind[0].holds);
  EXPECT_EQ(squashed_events(squash()), 0U);
  SquashOptions options;
  options.rebase = {"sqlite:app"};
  report = squash(options);
  EXPECT_EQ(squashed_events(report), 1U);
  ASSERT_THAT(report.behind, SizeIs(1));
  EXPECT_FALSE(report.behind[0].holds);
  reopen();
  EXPECT_THAT(store().status().consumers, SizeIs(1));
  EXPECT_TRUE(store().forget_consumer("audit"));
  EXPECT_FALSE(store().forget_consumer("audit"));
  EXPECT_THAT(failed_checks(), IsEmpty());
  options.rebase = {"nobody"};
  EXPECT_THROW(squash(options), UsageError);
}

TEST_F(SquashTest, ForgetsWhoIsRebasedAlsoWhereNothingGoes) {
  user("ann");
  user("ben");
  squash();
  store().note_consumer("app", Position{1}, true);
  SquashOptions options;
  options.through = Position{2};
  options.rebase = {"app"};
  EXPECT_FALSE(store().plan_squash(options, {}).behind.at(0).holds);
  EXPECT_THAT(store().status().consumers, SizeIs(1));
  const SquashReport report = squash(options);
  EXPECT_EQ(squashed_events(report), 0U);
  ASSERT_THAT(report.behind, SizeIs(1));
  EXPECT_FALSE(report.behind[0].holds);
  reopen();
  EXPECT_THAT(store().status().consumers, IsEmpty());
  EXPECT_THAT(failed_checks(), IsEmpty());
}

class SquashSchemaTest : public SquashTest {
 protected:
  // As a program would whose events make other rows than those before did.
  void reopen_with_schema(std::uint32_t version) {
    close();
    store_ = open_store({.directory = directory(), .schema_version = version}, clock_, ids_);
  }
  static SquashOptions without(const std::string& consumer) {
    SquashOptions options;
    options.rebase = {consumer};
    return options;
  }
};

TEST_F(SquashSchemaTest, NothingGoesForAReaderOfAnOlderSchema) {
  user("ann");
  user("ben");
  store().note_consumer("app", Position{2}, true);
  EXPECT_EQ(store().status().consumers.at(0).schema_version, events::kSchemaVersion);
  reopen_with_schema(events::kSchemaVersion + 1);
  store().note_consumer("new", Position{2}, true);
  user("cem");
  store().note_consumer("app", Position{3}, false);
  store().note_consumer("new", Position{3}, false);
  for (const SquashReport& report : {store().plan_squash({}, {}), squash()}) {
    EXPECT_EQ(squashed_events(report), 0U);
    ASSERT_THAT(report.behind, SizeIs(1));
    EXPECT_EQ(report.behind[0].consumer.name, "app");
    EXPECT_EQ(report.behind[0].consumer.schema_version, events::kSchemaVersion);
    EXPECT_TRUE(report.behind[0].holds);
    EXPECT_TRUE(report.behind[0].outdated);
  }
  const SquashReport report = squash(without("app"));
  EXPECT_EQ(squashed_events(report), 3U);
  ASSERT_THAT(report.behind, SizeIs(1));
  EXPECT_FALSE(report.behind[0].holds);
  ASSERT_THAT(store().status().consumers, SizeIs(1));
  EXPECT_EQ(store().status().consumers[0].name, "new");
  EXPECT_THAT(failed_checks(), IsEmpty());
}

TEST_F(SquashSchemaTest, AReaderThatIsFilledAnewHoldsNothingBack) {
  user("ann");
  store().note_consumer("app", Position{1}, true);
  reopen_with_schema(events::kSchemaVersion + 1);
  EXPECT_EQ(squashed_events(squash()), 0U);
  store().note_consumer("app", Position{1}, true);
  EXPECT_EQ(store().status().consumers.at(0).schema_version, events::kSchemaVersion + 1);
  const SquashReport report = squash();
  EXPECT_EQ(squashed_events(report), 1U);
  EXPECT_THAT(report.behind, IsEmpty());
}

TEST_F(SquashSchemaTest, WhatIsNotNotedIsTakenForTheFirstOne) {
  user("ann");
  store().note_consumer("app", Position{1}, false);  // Whatever filled it.
  EXPECT_EQ(store().status().consumers.at(0).schema_version, 0U);
  EXPECT_THAT(store().plan_squash({}, {}).behind, IsEmpty());
  reopen_with_schema(events::kSchemaVersion + 1);
  ASSERT_THAT(store().plan_squash({}, {}).behind, SizeIs(1));
  EXPECT_TRUE(store().plan_squash({}, {}).behind[0].outdated);
  EXPECT_EQ(squashed_events(squash()), 0U);
  store().note_consumer("app", Position{1}, true);
  EXPECT_EQ(squashed_events(squash()), 1U);
}

TEST_F(SquashSchemaTest, TheArchiveThatItWouldReadIsNotDiscarded) {
  user("ann");
  user("ben");
  squash();
  SquashOptions discard;
  discard.discard_history = true;
  const auto refused = [&] {
    EXPECT_FALSE(squash(discard).behind.empty());
    EXPECT_EQ(store().status().discarded, Position{});
    EXPECT_THAT(log().front(), std::string("1 UserRegistered"));
  };
  store().note_consumer("app", Position{1}, true);  // It has not read all of the archive.
  refused();
  discard.through = Position{1};  // The archive goes further.
  refused();
  discard.through.reset();
  store().note_consumer("app", Position{2}, true);
  reopen_with_schema(events::kSchemaVersion + 1);
  refused();
  discard.rebase = {"app"};
  squash(discard);
  EXPECT_EQ(store().status().discarded, Position{2});
  EXPECT_THAT(failed_checks(), IsEmpty());
}

class DiscardTest : public SquashTest {
 protected:
  SquashReport discard(const SquashOptions& how = {}) {
    SquashOptions options = how;
    options.discard_history = true;
    return squash(options);
  }
  void read_from(std::uint64_t after) {
    store().read_after({after}, store().tail().tail, [](const StoredEvent&) { return true; });
  }
};

TEST_F(DiscardTest, TheStateAndWhatComesAfterStay) {
  live(5, 120);
  const Position tail = store().tail().tail;
  const auto rows = rows_of(*store().rows_now().rows);
  const auto chain = store().chain_hash_at(tail);
  const SquashReport report = discard();
  EXPECT_EQ(squashed_events(report), tail.value);
  EXPECT_TRUE(report.discarded);
  EXPECT_THAT(files(), SizeIs(3));  // Snapshots.
  EXPECT_TRUE(rows_of(*store().rows_now().rows) == rows);
  EXPECT_THAT(failed_checks(), IsEmpty());
  user("zoe");
  reopen();
  EXPECT_THAT(failed_checks(), IsEmpty());
  EXPECT_THAT(log().back(), std::to_string(tail.value + 4) + " UserRegistered");
  EXPECT_EQ(store().status().discarded, tail);
  // What led to the state is gone, and whoever needs it is told so.
  EXPECT_EQ(usage_code([&] { read_from(0); }), "history_discarded");
  EXPECT_EQ(usage_code([&] { (void)store().rows_at(Position{tail.value - 1}, {}); }),
            "history_discarded");
  EXPECT_EQ(usage_code([&] { (void)store().chain_hash_at(Position{1}); }), "history_discarded");
  EXPECT_EQ(store().chain_hash_at(tail), chain);
  read_from(tail.value);
  EXPECT_TRUE(rows_of(*store().rows_at(tail, {}).rows) == rows);
  EXPECT_EQ(store().rows_at(store().tail().tail, {}).tail.digest, store().tail().digest);
}

// The log begins behind the point: only the archive goes, and what is left is found as before.
TEST_F(DiscardTest, WhereTheLogBeginsBehindThePoint) {
  user("ann");
  user("ben");
  squash();
  user("cem");
  SquashOptions options;
  options.through = Position{1};
  discard(options);
  EXPECT_EQ(store().status().discarded, Position{2});
  LogFilter of_cem;
  store().read_log({}, [&](const StoredEvent& event) {
    if (event.position == Position{4}) of_cem.stream = event.stream;
    return true;
  });
  EXPECT_THAT(log(of_cem), ElementsAre("4 UserRegistered"));
  EXPECT_THAT(failed_checks(), IsEmpty());
}

TEST_F(DiscardTest, OfOneScopeAndThenOfAll) {
  live(6, 60);
  squash();
  live(7, 60);
  discard(of({events::Scope::CORE}));
  EXPECT_THAT(failed_checks(), IsEmpty());
  live(8, 40);
  squash();
  EXPECT_THAT(failed_checks(), IsEmpty());
  const Position tail = store().tail().tail;
  const auto rows = rows_of(*store().rows_at(tail, {}).rows);
  EXPECT_TRUE(rows_of(*store().rows_now().rows) == rows);
  // An archive that there is goes, too, though nothing new does.
  SquashOptions options = of({events::Scope::AUTH});
  EXPECT_EQ(squashed_events(discard(options)), 0U);
  EXPECT_THAT(failed_checks(), IsEmpty());
  discard();
  EXPECT_THAT(failed_checks(), IsEmpty());
  live(9, 40);
  squash();
  reopen();
  EXPECT_THAT(failed_checks(), IsEmpty());
  EXPECT_TRUE(rows_of(*store().rows_at(store().tail().tail, {}).rows) ==
              rows_of(*store().rows_now().rows));
}

TEST_F(DiscardTest, OfTheSnapshotsOnlyTheNewestStays) {
  for (const int events : {40, 30, 20}) {
    live(static_cast<unsigned>(events), events);
    squash();
  }
  EXPECT_THAT(files(), SizeIs(Gt(6U)));
  EXPECT_EQ(squashed_events(discard()), 0U);  // What is archived goes.
  EXPECT_THAT(files(), SizeIs(3));            // One of each scope.
  EXPECT_THAT(failed_checks(), IsEmpty());
  live(12, 20);
  discard();
  EXPECT_THAT(files(), SizeIs(3));
  EXPECT_THAT(failed_checks(), IsEmpty());
}

TEST_F(DiscardTest, FilesElsewhereAreLeftAndNamed) {
  live(13, 40);
  SquashOptions elsewhere;
  elsewhere.archive = temp_ / "elsewhere";
  std::filesystem::create_directory(elsewhere.archive);
  squash(elsewhere);
  std::vector<std::filesystem::path> there;
  for (const auto& entry : std::filesystem::directory_iterator(elsewhere.archive)) {
    there.push_back(entry.path());
  }
  const SquashReport report = discard();
  EXPECT_THAT(report.left, UnorderedElementsAreArray(there));
  for (const auto& path : report.left) EXPECT_TRUE(std::filesystem::exists(path)) << path;
  EXPECT_THAT(failed_checks(), IsEmpty());
}

TEST_F(DiscardTest, ABackupOfItIsRestored) {
  live(10, 60);
  discard();
  live(11, 30);
  squash();
  user("zoe");
  static_cast<void>(store().back_up(temp_ / "backup", {}));
  RestoreOptions options;
  options.backup = temp_ / "backup";
  options.directory = temp_ / "restored";
  static_cast<void>(restore_store(options, clock_, ids_, {}));
  const auto events = events_of(store(), {});
  close();
  store_ = open_store({.directory = options.directory}, clock_, ids_);
  EXPECT_THAT(failed_checks(), IsEmpty());
  const auto restored = events_of(store(), {});
  ASSERT_EQ(restored.size(), events.size() + 1);
  EXPECT_TRUE(std::equal(events.begin(), events.end(), restored.begin()));
}

TEST_F(SquashTest, EqualHistoriesGiveEqualFiles) {
  const auto made_in = [&](const fs::path& place) {
    CountingIds ids;
    close();
    clock_.set(ManualClock().now());
    init_store(place, clock_, ids);
    store_ = open_store({.directory = place}, clock_, ids);
    live(3, 100);
    squash();
    close();
    std::map<std::string, std::string> made;
    for (const auto& file : fs::directory_iterator(place / "archive")) {
      made[file.path().filename().string()] = *read_file(file.path());
    }
    return made;
  };
  const auto first = made_in(temp_ / "first");
  EXPECT_THAT(first, SizeIs(6));
  EXPECT_TRUE(first == made_in(temp_ / "second"));
}

}  // namespace
}  // namespace tenantry
