#include "projections/projector.h"

#include "tests/projections/target_fixture.h"

namespace tenantry::projections {
namespace {

using ::testing::HasSubstr;

using ProjectorTest = TargetTestBase;

TEST_F(ProjectorTest, AnAbsentReadModelIsMadeAndFilled) {
  log_.fill_every_table();
  const Projected done = run_projector();
  EXPECT_EQ(done.mark.position, log_.end());
  EXPECT_EQ(done.events, log_.end().value);
  EXPECT_TRUE(run_verify().equal());
  EXPECT_EQ(query("SELECT slug FROM tenants_tenant ORDER BY slug"), "acme");
}

TEST_F(ProjectorTest, OnlyWhatIsNewIsApplied) {
  log_.fill_every_table();
  run_projector();
  log_.rename_user(1, "anna");
  EXPECT_EQ(run_projector().events, 1U);
  EXPECT_EQ(run_projector().events, 0U);
  EXPECT_EQ(query("SELECT username FROM auth_user WHERE id = 1"), "anna");
}

TEST_F(ProjectorTest, ADryRunCountsAndMakesNothing) {
  log_.fill_every_table();
  const Projected done = run_projector({.dry_run = true});
  EXPECT_EQ(done.events, log_.end().value);
  EXPECT_EQ(done.mark.position, log_.end());
  EXPECT_TRUE(database_->untouched());
}

TEST_F(ProjectorTest, ValuesThatChangeHandsWithinABatchDoNotCollide) {
  log_.fill_every_table();
  log_.rename_user(1, "carl");
  log_.rename_user(2, "ann");
  log_.rename_user(1, "bob");
  run_projector();
  EXPECT_EQ(query("SELECT username FROM auth_user WHERE id = 1"), "bob");
  EXPECT_EQ(query("SELECT username FROM auth_user WHERE id = 2"), "ann");
}

class ProjectorBatchTest : public ProjectorTest {
 protected:
  void expect_equal_rows_in_batches_of(const std::vector<std::size_t>& sizes) {
    std::vector<std::string> first;
    for (const std::size_t size : sizes) {
      drop();
      run_projector({.batch_events = size});
      if (first.empty()) first = digests();
      EXPECT_EQ(digests(), first) << size;
    }
    EXPECT_TRUE(run_verify().equal());
  }
};

TEST_F(ProjectorBatchTest, SizeDoesNotMatter) {
  constexpr std::uint64_t kSeed = 20260101;
  SCOPED_TRACE(kSeed);
  std::mt19937_64 random(kSeed);
  log_.append_random(random, 400);
  expect_equal_rows_in_batches_of({1, 7, 100, 100'000});
}

TEST_F(ProjectorTest, ACommandIsNeverSplit) {
  log_.append({[](events::Event::Builder event) {
                 auto fact = event.initProteinAdded();
                 fact.setId(1);
                 fact.setName("a");
               },
               [](events::Event::Builder event) {
                 auto fact = event.initProteinAdded();
                 fact.setId(2);
                 fact.setName("b");
               }});
  log_.register_user(1, "ann");
  std::vector<Position> commits;
  ProjectOptions options{.batch_events = 1};
  options.progress = [&](const ProjectProgress& at) { commits.push_back(at.checkpoint); };
  run_projector(options);
  EXPECT_THAT(commits, ::testing::ElementsAre(Position{2}, Position{3}));
}

TEST_F(ProjectorTest, StoppedBetweenTransactionsItGoesOnFromThere) {
  log_.fill_every_table();
  std::stop_source stop;
  ProjectOptions options{.batch_events = 2};
  options.stop = stop.get_token();
  options.progress = [&](const ProjectProgress&) { stop.request_stop(); };
  const Projected half = run_projector(options);
  EXPECT_TRUE(half.stopped);
  EXPECT_LT(half.mark.position, log_.end());
  reopen();
  EXPECT_EQ(run_projector().mark.position, log_.end());
  EXPECT_TRUE(run_verify().equal());
}

TEST_F(ProjectorTest, AnAbsentReadModelOfALongLogIsLoadedAndProjectedFromThere) {
  log_.fill_every_table();
  bool replayed = false;
  ProjectOptions options{.load_above = log_.end().value - 1};
  options.progress = [&](const ProjectProgress&) { replayed = true; };
  const Projected loaded = run_projector(options);
  EXPECT_TRUE(loaded.loaded);
  EXPECT_FALSE(replayed);
  EXPECT_EQ(loaded.mark.position, log_.end());
  EXPECT_EQ(loaded.events, log_.end().value);
  EXPECT_TRUE(run_verify().equal());
  log_.register_user(77, "new");
  const Projected next = run_projector(options);
  EXPECT_FALSE(next.loaded);
  EXPECT_EQ(next.events, 1U);
  EXPECT_TRUE(run_verify().equal());
}

TEST_F(ProjectorTest, EmptyTablesAreLoadedToo) {
  log_.fill_every_table();
  target().create_missing();
  const Projected loaded = run_projector({.load_above = 1});
  EXPECT_TRUE(loaded.loaded);
  EXPECT_EQ(loaded.mark.position, log_.end());
  EXPECT_EQ(loaded.mark.epoch, 1U);
  EXPECT_TRUE(run_verify().equal());
}

TEST_F(ProjectorTest, AShortLogAndWhatIsThereAlreadyAreReplayed) {
  log_.fill_every_table();
  const ProjectOptions long_enough{.load_above = log_.end().value};
  EXPECT_FALSE(run_projector(long_enough).loaded);
  log_.register_user(77, "new");
  log_.register_user(78, "newer");
  EXPECT_FALSE(run_projector(long_enough).loaded);
  EXPECT_TRUE(run_verify().equal());
}

TEST_F(ProjectorTest, AStoppedLoadLeavesTheReadModelAbsent) {
  log_.fill_every_table();
  std::stop_source stop;
  stop.request_stop();
  const Projected stopped = run_projector({.stop = stop.get_token(), .load_above = 1});
  EXPECT_TRUE(stopped.stopped);
  EXPECT_EQ(stopped.mark.position, Position{});
  EXPECT_EQ(target().probe().presence, Presence::kAbsent);
}

TEST_F(ProjectorTest, ReadsNoFurtherThanAsked) {
  log_.fill_every_table();
  EXPECT_EQ(run_projector({.through = Position{3}}).mark.position, Position{3});
  EXPECT_EQ(query("SELECT count(*) FROM tenants_tenant"), "0");
}

TEST_F(ProjectorTest, ASecondProjectorIsFencedAndWritesNothing) {
  log_.fill_every_table();
  run_projector({.through = Position{3}});
  const Mark stale = *target().probe().mark;
  run_projector({.through = Position{5}});
  const auto outcome = target().begin(stale);
  ASSERT_TRUE(std::holds_alternative<Fenced>(outcome));
  EXPECT_EQ(std::get<Fenced>(outcome).found->position, Position{5});
  run_projector();
  EXPECT_TRUE(run_verify().equal());
}

TEST_F(ProjectorTest, ARebuildFencesAProjectorThatRunsOn) {
  log_.fill_every_table();
  run_projector({.through = Position{3}});
  ProjectOptions options{.batch_events = 1};
  bool rebuilt = false;
  options.progress = [&](const ProjectProgress&) {
    if (std::exchange(rebuilt, true)) return;
    const auto other = open();
    const auto outcome = rebuild(log_, *other, {});
    ASSERT_TRUE(std::holds_alternative<Certificate>(outcome));
  };
  const ProjectOutcome outcome = project(log_, target(), options);
  ASSERT_TRUE(std::holds_alternative<Fenced>(outcome));
  EXPECT_EQ(std::get<Fenced>(outcome).found->epoch, 2U);
  EXPECT_TRUE(run_verify().equal());
}

TEST_F(ProjectorTest, AKeyThatIsAlreadyThereStopsItAndNothingOfTheBatchStays) {
  log_.fill_every_table();
  run_projector();
  sql("INSERT INTO core_protein VALUES (8, 'mine')");
  log_.rename_user(1, "anna");
  log_.append([](events::Event::Builder event) {
    auto fact = event.initProteinAdded();
    fact.setId(8);
    fact.setName("brca");
  });
  try {
    run_projector();
    FAIL();
  } catch (const UsageError& error) {
    EXPECT_EQ(error.code(), "read_model_conflict");
    EXPECT_EQ(error.exit_code(), 4);
    EXPECT_THAT(error.what(), HasSubstr("core_protein cannot take the new row with id 8"));
  }
  EXPECT_EQ(query("SELECT username FROM auth_user WHERE id = 1"), "ann");
  sql("DELETE FROM core_protein WHERE id = 8");
  EXPECT_EQ(run_projector().events, 2U) << "it goes on by itself";
}

// New rows that follow each other may travel together: the one that is refused is named all the
// same.
TEST_F(ProjectorTest, ARefusedRowAmongManyNewOnesIsNamed) {
  log_.fill_every_table();
  run_projector();
  const auto add_proteins = [&] {
    for (int id = 100; id < 700; ++id) {
      log_.append([id](events::Event::Builder event) {
        auto fact = event.initProteinAdded();
        fact.setId(id);
        fact.setName("protein" + std::to_string(id));
      });
    }
  };
  add_proteins();
  const std::vector<std::pair<std::string, std::string>> obstacles{
      {"(100, 'first')", "100"}, {"(503, 'key')", "503"}, {"(9000, 'protein699')", "699"}};
  for (const auto& [row, named] : obstacles) {
    sql("INSERT INTO core_protein VALUES " + row);
    try {
      run_projector();
      FAIL() << row;
    } catch (const UsageError& error) {
      EXPECT_EQ(error.code(), "read_model_conflict");
      EXPECT_THAT(error.what(), HasSubstr("core_protein cannot take the new row with id " + named));
    }
    EXPECT_EQ(query("SELECT count(*) FROM core_protein WHERE id BETWEEN 101 AND 502"), "0");
    sql("DELETE FROM core_protein WHERE name IN ('first', 'key', 'protein699')");
  }
  EXPECT_EQ(run_projector().events, 600U);
  EXPECT_TRUE(run_verify().equal());
}

// Each table in its turn, and what one row needs of another in the same batch.
TEST_F(ProjectorBatchTest, ManyNewRowsOfEveryTableAreThoseOfTheLog) {
  constexpr int kRows = 260;
  for (int id = 1; id <= kRows; ++id) log_.register_user(id, "user" + std::to_string(id));
  for (int id = 1; id <= kRows; ++id) {
    log_.create_tenant(static_cast<std::uint64_t>(id), "tenant" + std::to_string(id));
  }
  for (int id = 1; id <= kRows; ++id) {
    log_.add_domain(id, static_cast<std::uint64_t>(id), std::to_string(id) + ".example.com");
  }
  for (int id = 1; id <= kRows; ++id) log_.add_member(id, static_cast<std::uint64_t>(id), id);
  for (int id = 1; id <= kRows; ++id) {
    log_.create_preferences(id, id, R"({"width": )" + std::to_string(id) + "}");
  }
  for (int id = 1; id <= kRows; ++id) {
    log_.invite(5000U + static_cast<std::uint64_t>(id), static_cast<std::uint64_t>(id),
                std::to_string(id) + "@example.com");
  }
  expect_equal_rows_in_batches_of({5, 17, 251, 100'000});
}

TEST_F(ProjectorTest, ARowThatIsNotThereStopsIt) {
  log_.fill_every_table();
  run_projector();
  sql("DELETE FROM core_protein");
  log_.append([](events::Event::Builder event) {
    auto fact = event.initProteinRenamed();
    fact.setId(7);
    fact.setName("brca");
  });
  EXPECT_EQ(usage_code([&] { run_projector(); }), "read_model_conflict");
}

TEST_F(ProjectorTest, RowsOfOtherTablesThatReferToADeletedRowHoldItBack) {
  log_.register_user(1, "ann");
  log_.register_user(2, "bob");
  run_projector();
  sql("CREATE TABLE shop_order (id integer PRIMARY KEY, buyer_id integer NOT NULL REFERENCES "
      "auth_user (id)); INSERT INTO shop_order VALUES (1, 2), (2, 2), (3, 1)");
  log_.delete_user(2);
  try {
    run_projector();
    FAIL();
  } catch (const UsageError& error) {
    EXPECT_EQ(error.code(), "read_model_referenced");
    EXPECT_STREQ(error.what(),
                 "shop_order.buyer_id: 2 row(s) refer to rows of auth_user that are gone");
  }
  EXPECT_EQ(query("SELECT count(*) FROM auth_user"), "2");
  sql("DELETE FROM shop_order WHERE buyer_id = 2");
  EXPECT_EQ(run_projector().events, 1U) << "it goes on by itself";
}

TEST_F(ProjectorTest, AnEventThatNamesAnApplicationsColumnIsProjected) {
  log_.register_user(1, "ann");
  run_projector();
  sql("UPDATE auth_user SET password = 'rehashed', last_login = '2026-01-01 00:00:00'");
  log_.rename_user(1, "anna");
  run_projector();
  EXPECT_EQ(query("SELECT password FROM auth_user"), "rehashed");
  log_.append([](events::Event::Builder event) {
    auto fact = event.initUserPasswordChanged();
    fact.setId(1);
    fact.setPassword("new");
  });
  run_projector();
  EXPECT_EQ(query("SELECT password FROM auth_user WHERE last_login IS NOT NULL"), "new");
}

TEST_F(ProjectorTest, EveryTableUsesItsOwnIds) {
  log_.fill_every_table();
  run_projector();
  EXPECT_EQ(database_->last_id("core_protein"), 7);
}

TEST_F(ProjectorTest, AnotherStoresReadModelIsRefused) {
  log_.fill_every_table();
  run_projector();
  FakeLog other(2);
  other.fill_every_table();
  EXPECT_EQ(usage_code([&] { (void)project(other, target(), {}); }), "read_model_foreign");
}

TEST_F(ProjectorTest, RowsWithoutAMarkAreRefusedAndEmptyTablesAreNot) {
  target().create_missing();
  log_.fill_every_table();
  sql("INSERT INTO core_protein VALUES (1, 'mine')");
  EXPECT_EQ(usage_code([&] { run_projector(); }), "read_model_foreign");
  sql("DELETE FROM core_protein");
  EXPECT_EQ(run_projector().mark.position, log_.end());
}

TEST_F(ProjectorTest, ALogThatIsNotTheOneItFollowedIsRefused) {
  log_.fill_every_table();
  run_projector();
  log_.forget_end(2);
  EXPECT_EQ(usage_code([&] { run_projector(); }), "read_model_diverged") << "a mark beyond the end";
  log_.register_user(8, "x");
  log_.register_user(9, "y");
  log_.rewrite_history();
  EXPECT_EQ(usage_code([&] { run_projector(); }), "read_model_diverged") << "another history";
}

TEST_F(ProjectorTest, ARestoreThatLostWhatItShowsIsRefusedUntilARebuild) {
  log_.fill_every_table();
  run_projector();
  log_.forget_end(2);
  log_.restore();
  EXPECT_EQ(usage_code([&] { run_projector(); }), "read_model_diverged") << "a mark beyond the end";
  log_.register_user(8, "x");
  log_.register_user(9, "y");
  log_.rewrite_history();
  EXPECT_EQ(usage_code([&] { run_projector(); }), "read_model_diverged") << "another branch";
  EXPECT_TRUE(run_rebuild({.delete_unknown = true}).correct());
  EXPECT_EQ(run_projector().events, 0U);
}

TEST_F(ProjectorTest, ARestoreThatLostNothingOfWhatItShowsIsFollowed) {
  log_.fill_every_table();
  run_projector();
  log_.restore();
  log_.register_user(8, "x");
  const Projected projected = run_projector();
  EXPECT_EQ(projected.events, 1U);
  EXPECT_EQ(projected.mark.incarnation, log_.identity().incarnation);
  EXPECT_EQ(target().probe().mark, projected.mark);
  EXPECT_TRUE(run_verify().equal());
}

}  // namespace
}  // namespace tenantry::projections
