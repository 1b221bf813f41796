#include "core/store.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>
#include <random>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/error.h"
#include "core/store_files.h"
#include "tests/core/random_history.h"
#include "tests/core/store_test_base.h"

namespace tenantry {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using StoreTest = StoreTestBase;

TEST_F(StoreTest, IsEmptyAtFirst) {
  EXPECT_EQ(store().tail().tail, Position{0});
  EXPECT_THAT(log(), IsEmpty());
  EXPECT_THAT(failed_checks(), IsEmpty());
}

TEST_F(StoreTest, GivesPositionsWithoutGapsAcrossScopes) {
  EXPECT_EQ(user("ann"), "1");
  EXPECT_EQ(run(protein("Beef")), "2");
  EXPECT_EQ(
      run("{'command':'create_tenant','data':{'name':'Acme','slug':'acme','contact_email':'a@b.io',"
          "'owner':'ann','domain':'acme.example.com'}}"),
      "3-5");
  EXPECT_THAT(log(), ElementsAre("1 UserRegistered", "2 ProteinAdded", "3 TenantCreated",
                                 "4 DomainAdded", "5 MemberAdded"));
  EXPECT_THAT(failed_checks(), IsEmpty());
}

TEST_F(StoreTest, ARejectionChangesNothing) {
  (void)user("ann");
  const LogTail before = store().tail();
  EXPECT_EQ(user("ann"), "username_taken");
  EXPECT_EQ(store().tail().digest, before.digest);
  EXPECT_EQ(user("ben"), "2") << "a rejected command hands out no id and no position";
}

TEST_F(StoreTest, WhatWasAnsweredIsThereAfterOpeningAgain) {
  (void)user("ann");
  const LogTail before = store().tail();
  reopen();
  EXPECT_EQ(store().tail().digest, before.digest);
  EXPECT_EQ(user("ann"), "username_taken");
}

// Each opening begins a write-ahead log; what stays empty is not kept for ever.
TEST_F(StoreTest, OpeningAgainAndAgainLeavesFewFiles) {
  ASSERT_EQ(user("ann"), "1");
  const LogTail tail = store().tail();
  const auto logs = [&] {
    std::size_t found = 0;
    for (const auto& entry : std::filesystem::directory_iterator(directory() / "db")) {
      if (entry.path().extension() == ".log") ++found;
    }
    return found;
  };
  std::size_t most = 0;
  for (int n = 0; n < 40; ++n) {
    reopen();
    most = std::max(most, logs());
  }
  EXPECT_GT(most, 10U);
  EXPECT_LE(most, 20U);
  EXPECT_EQ(store().tail().tail, tail.tail);
  EXPECT_EQ(store().tail().digest, tail.digest);
  EXPECT_EQ(user("bob"), "2");
  EXPECT_THAT(failed_checks(), IsEmpty());
}

TEST_F(StoreTest, OpeningWritesNoEvent) {
  reopen();
  reopen();
  EXPECT_EQ(store().status().batches, 0U);
  EXPECT_EQ(store().tail().tail, Position{0});
}

TEST_F(StoreTest, ARetryByIdGetsTheFirstAnswer) {
  const std::string id = ",'id':'11111111-1111-4111-8111-111111111111'";
  EXPECT_EQ(run(protein("Beef", id)), "1");
  EXPECT_EQ(run(protein("Beef", id)), "1");
  EXPECT_EQ(run(protein("Pork", id)), "id_reused");
  reopen();
  EXPECT_EQ(run(protein("Beef", id)), "1") << "remembered as long as the store lives";
  EXPECT_THAT(failed_checks(), IsEmpty());
}

TEST_F(StoreTest, ARetryIsToldFromAFirstAnswer) {
  const auto command = request(protein("Beef", ",'id':'11111111-1111-4111-8111-111111111111'"));
  EXPECT_FALSE(store().submit({&command, 1}, {}).at(0).repeated);
  EXPECT_TRUE(store().submit({&command, 1}, {}).at(0).repeated);
}

TEST_F(StoreTest, ARetryInTheSameGroupGetsTheFirstAnswer) {
  const std::string id = ",'id':'11111111-1111-4111-8111-111111111111'";
  EXPECT_THAT(run_all({protein("Beef", id), protein("Beef", id), protein("Pork", id)}),
              ElementsAre("1", "1", "id_reused"));
}

TEST_F(StoreTest, AnAcceptedIdIsRememberedThoughNothingChanged) {
  (void)user("ann");
  const std::string line =
      "{'command':'set_user_flags','data':{'user':'ann','is_staff':false},'id':"
      "'11111111-1111-4111-8111-111111111111'}";
  EXPECT_EQ(run(line), "-");
  EXPECT_EQ(run("{'command':'set_user_flags','data':{'user':'ann','is_staff':true}}"), "2");
  reopen();
  EXPECT_EQ(run(line), "-");
  EXPECT_EQ(store().status().batches, 3U) << "the answer without events is a batch of its own";
  EXPECT_THAT(failed_checks(), IsEmpty());
}

TEST_F(StoreTest, ARejectedIdIsDecidedAnew) {
  (void)user("ann");
  const std::string id = ",'id':'11111111-1111-4111-8111-111111111111'}";
  const std::string rename =
      "{'command':'rename_protein','data':{'protein':'Beef','name':'Pork'}" + id;
  EXPECT_EQ(run(rename), "not_found");
  (void)run(protein("Beef"));
  EXPECT_EQ(run(rename), "3");
}

TEST_F(StoreTest, StopOnErrorTriesNothingAfterTheFirstRefusal) {
  EXPECT_THAT(
      run_all({protein("Beef"), protein("Beef"), protein("Pork")}, {.stop_on_refusal = true}),
      ElementsAre("1", "protein_taken"));
  EXPECT_THAT(log(), ElementsAre("1 ProteinAdded"));
}

TEST_F(StoreTest, ExpectedVersionIsThatOfTheStream) {
  (void)user("ann");
  const auto rename = [&](const std::string& to, const std::string& version) {
    return run("{'command':'change_user_profile','data':{'user':'ann','first_name':'" + to +
               "'},'expected_version':" + version + "}");
  };
  EXPECT_EQ(rename("A", "2"), "version_conflict");
  EXPECT_EQ(rename("A", "1"), "2");
  EXPECT_EQ(rename("B", "'none'"), "version_conflict");
  EXPECT_EQ(rename("B", "2"), "3");
}

TEST_F(StoreTest, TheStreamOfAReusedIdGoesOn) {
  EXPECT_EQ(run("{'command':'add_protein','data':{'id':7,'name':'Beef'}}"), "1");
  EXPECT_EQ(run("{'command':'remove_protein','data':{'protein':'Beef'}}"), "2");
  EXPECT_EQ(run("{'command':'add_protein','data':{'id':7,'name':'Veal'}}"), "3");
  std::vector<std::uint64_t> versions;
  store().read_log({}, [&](const StoredEvent& event) {
    versions.push_back(event.version.value);
    return true;
  });
  EXPECT_THAT(versions, ElementsAre(1, 2, 3));
  EXPECT_EQ(run(protein("Pork")), "4");
  EXPECT_THAT(failed_checks(), IsEmpty());
}

TEST_F(StoreTest, SuppliedTimesNeitherGoBackNorLieInTheFuture) {
  const auto at = [](const std::string& time) { return ",'at':'" + time + "'"; };
  EXPECT_EQ(run(protein("Beef", at("2020-01-02T00:00:00Z"))), "1");
  EXPECT_EQ(run(protein("Pork", at("2020-01-02T00:00:00Z"))), "2") << "equal is fine";
  EXPECT_EQ(run(protein("Lamb", at("2020-01-01T23:59:59Z"))), "invalid_period");
  EXPECT_EQ(run(protein("Lamb", at("2030-01-01T00:00:00Z"))), "invalid_period");
  EXPECT_EQ(store().tail().tail, Position{2});
}

TEST_F(StoreTest, AnAcceptedIdIsAnsweredThoughItsTimeHasPassed) {
  const std::string first =
      protein("Beef", ",'at':'2020-01-01T00:00:00Z','id':'11111111-1111-4111-8111-111111111111'");
  EXPECT_EQ(run(first), "1");
  (void)run(protein("Pork", ",'at':'2021-01-01T00:00:00Z'"));
  EXPECT_EQ(run(first), "1");
}

TEST_F(StoreTest, RecordedTimesNeverDecreaseThoughTheClockDoes) {
  (void)run(protein("Beef"));
  clock_.advance_seconds(-30);
  (void)run(protein("Pork"));
  std::vector<std::pair<std::int64_t, int>> times;
  store().read_log({}, [&](const StoredEvent& event) {
    times.emplace_back(event.recorded_at.micros, event.flags);
    return true;
  });
  EXPECT_EQ(times[0].first, times[1].first);
  EXPECT_EQ(times[1].second, 2) << "flagged: the clock was held";
}

TEST_F(StoreTest, IsNotOpenedWhenTheClockIsAnHourBehind) {
  (void)run(protein("Beef"));
  close();
  clock_.advance_seconds(-3700);
  EXPECT_THROW(open(), UnavailableError);
  clock_.advance_seconds(3700);
  open();
  EXPECT_EQ(store().tail().tail, Position{1});
}

TEST_F(StoreTest, TheNotedTailIsReadWithoutOwningTheStore) {
  EXPECT_EQ(noted_tail(directory()), Position{0});
  EXPECT_EQ(run(protein("Beef")), "1");
  EXPECT_EQ(run(protein("Pork")), "2");
  close();
  EXPECT_EQ(noted_tail(directory()), Position{2});
  EXPECT_THROW((void)noted_tail(temp_ / "elsewhere"), UsageError);
}

TEST_F(StoreTest, ASecondOwnerIsRefused) {
  EXPECT_THROW((void)open_store({.directory = directory()}, clock_, ids_), UnavailableError);
}

TEST_F(StoreTest, ATenantWithManyMembersGoesInOneCommand) {
  (void)run(
      "{'command':'create_tenant','data':{'name':'Acme','slug':'acme','contact_email':'a@b.io'}}");
  std::vector<std::string> lines;
  lines.reserve(6000);
  for (int i = 0; i < 3000; ++i) {
    lines.push_back("{'command':'register_user','data':{'username':'u" + std::to_string(i) + "'}}");
    lines.push_back("{'command':'add_member','data':{'tenant':'acme','user':'u" +
                    std::to_string(i) + "'}}");
  }
  (void)run_all(lines);
  EXPECT_EQ(run("{'command':'delete_tenant','data':{'tenant':'acme','confirm':'acme'}}"),
            "6002-9002");
  reopen();
  EXPECT_EQ(store().tail().tail, Position{9002});
  EXPECT_THAT(failed_checks(), IsEmpty());
}

TEST_F(StoreTest, WhatIsWrittenMeanwhileIsNoDamage) {
  for (int n = 0; n < 200; ++n) (void)run(protein("p" + std::to_string(n)));
  std::atomic<bool> verified = false;
  std::atomic<int> written = 0;
  const auto writer = std::async(std::launch::async, [&] {
    while (!verified) (void)run(protein("q" + std::to_string(++written)));
  });
  for (int times = 0; times < 5 || written < 20; ++times) {
    for (const CheckResult& check : store().verify(VerifyDepth::kFull, {})) {
      EXPECT_TRUE(check.passed) << check.name << ": " << ::testing::PrintToString(check.problems);
    }
  }
  verified = true;
}

TEST_F(StoreTest, NoReaderMeetsAnOlderLogThanWhatWasReadBefore) {
  std::atomic<bool> written = false;
  const auto writer = std::async(std::launch::async, [&] {
    for (int number = 0; number < 100; ++number) {
      EXPECT_EQ(run(protein("P" + std::to_string(number))), std::to_string(number + 1));
    }
    written = true;
  });
  while (!written) {
    const Position seen = store().rows_now().tail.tail;
    ASSERT_GE(store().tail().tail, seen);
    ASSERT_TRUE(store().chain_hash_at(seen)) << "the log does not have " << seen.value;
  }
}

TEST_F(StoreTest, ConcurrentCallersWinOncePerName) {
  constexpr int kThreads = 8;
  constexpr int kNames = 40;
  std::atomic<int> won{0};
  std::vector<std::jthread> threads;
  threads.reserve(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int n = 0; n < kNames; ++n) {
        const auto command = request(protein("p" + std::to_string(n)));
        const auto answers = store().submit({&command, 1}, {});
        if (answers.at(0).status == Answer::Status::kAccepted) ++won;
      }
    });
  }
  threads.clear();
  EXPECT_EQ(won, kNames);
  EXPECT_EQ(store().tail().tail, Position{kNames});
  EXPECT_THAT(failed_checks(), IsEmpty());
}

// Law: a call is cut into commits, of which one is written while the next is decided; its answers
// are those of its commands one by one.
class StorePartsTest : public StoreTestBase, public ::testing::WithParamInterface<std::size_t> {};

TEST_P(StorePartsTest, AnswersAreThoseOfOneCommandAfterTheOther) {
  constexpr int kCommands = 400;
  constexpr std::int64_t kTenYears = std::int64_t{10} * 366 * 86'400;
  clock_.advance_seconds(kTenYears);
  RandomHistory history(static_cast<unsigned>(GetParam()));
  std::vector<std::string> lines;
  lines.reserve(kCommands);
  for (int n = 0; n < kCommands; ++n) lines.push_back(history.next_line());

  const auto at_once = run_all(lines, {.commit_commands_max = GetParam()});
  EXPECT_GT(store().status().batches, 1U);
  EXPECT_THAT(failed_checks(), IsEmpty());
  std::vector<std::string> one_by_one;
  one_by_one.reserve(kCommands);
  close();
  std::filesystem::remove_all(directory());
  init_store(directory(), clock_, ids_);
  open();
  for (const std::string& line : lines) one_by_one.push_back(run(line));
  EXPECT_EQ(at_once, one_by_one);
}
INSTANTIATE_TEST_SUITE_P(CommandsInACommit, StorePartsTest, ::testing::Values(1, 2, 7, 60));

TEST_F(StoreTest, ARetryWithinACallGetsTheFirstAnswer) {
  const std::string id = ",'id':'11111111-1111-4111-8111-11111111111";
  const std::vector<std::string> lines{protein("a", id + "1'"), protein("b", id + "2'"),
                                       protein("a", id + "1'"), protein("c", id + "3'"),
                                       protein("a", id + "1'"), protein("b", id + "3'")};
  EXPECT_THAT(run_all(lines, {.commit_commands_max = 1}),
              ElementsAre("1", "2", "1", "3", "1", "id_reused"));
}

TEST_F(StoreTest, NothingAfterARefusalIsTriedInLaterCommitsEither) {
  const std::vector<std::string> lines{protein("a"), protein("b"), protein("a"), protein("c")};
  EXPECT_THAT(run_all(lines, {.stop_on_refusal = true, .commit_commands_max = 1}),
              ElementsAre("1", "2", "protein_taken"));
  EXPECT_EQ(store().tail().tail, Position{2});
}

TEST_F(StoreTest, CommandsUnderWayAreAnsweredInOrder) {
  constexpr int kCommands = 100;
  std::vector<std::future<std::vector<Answer>>> answers;
  answers.reserve(kCommands);
  for (int n = 0; n < kCommands; ++n) {
    answers.push_back(store().submit_later({request(protein("p" + std::to_string(n)))}, {}));
  }
  for (int n = 0; n < kCommands; ++n) {
    EXPECT_EQ(brief(answers.at(static_cast<std::size_t>(n)).get().at(0)), std::to_string(n + 1));
  }
  EXPECT_THAT(failed_checks(), IsEmpty());
}

TEST_F(StoreTest, CallersThatWaitAndCallersThatDoNotShareTheLog) {
  constexpr int kThreads = 4;
  constexpr int kNames = 40;
  std::atomic<int> won{0};
  const auto count = [&](const std::vector<Answer>& answers) {
    if (answers.at(0).status == Answer::Status::kAccepted) ++won;
  };
  std::vector<std::jthread> threads;
  threads.reserve(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int n = 0; n < kNames; ++n) {
        const auto command = request(protein("p" + std::to_string(n)));
        auto later = store().submit_later({command}, {});
        count(store().submit({&command, 1}, {}));
        count(later.get());
      }
    });
  }
  threads.clear();
  EXPECT_EQ(won, kNames);
  EXPECT_EQ(store().tail().tail, Position{kNames});
  EXPECT_THAT(failed_checks(), IsEmpty());
}

TEST_F(StoreTest, ClosingAnswersWhatIsUnderWay) {
  auto answers = store().submit_later({request(protein("Beef"))}, {});
  reopen();
  EXPECT_EQ(brief(answers.get().at(0)), "1");
  EXPECT_EQ(store().tail().tail, Position{1});
}

TEST_F(StoreTest, WhoAwaitsTheTailIsWokenByACommit) {
  using namespace std::chrono_literals;
  EXPECT_EQ(store().await_tail({0}, 1ms), Position{0}) << "in vain";
  auto woken = std::async(std::launch::async, [&] { return store().await_tail({0}, 10min); });
  EXPECT_EQ(run(protein("Beef")), "1");
  EXPECT_EQ(woken.get(), Position{1});
  EXPECT_EQ(store().await_tail({0}, 10min), Position{1}) << "at once";
}

TEST_F(StoreTest, ARehearsalAnswersAndWritesNothing) {
  const auto beef = request(protein("Beef"));
  const auto pork = request(protein("Pork"));
  auto rehearsal = store().rehearse();
  EXPECT_EQ(brief(rehearsal->submit({&beef, 1}, {}).at(0)), "1");
  EXPECT_EQ(brief(rehearsal->submit({&beef, 1}, {}).at(0)), "protein_taken")
      << "sees its own effects";
  EXPECT_EQ(brief(rehearsal->submit({&pork, 1}, {}).at(0)), "2");
  EXPECT_EQ(brief(store().rehearse()->submit({&beef, 1}, {}).at(0)), "1") << "not another's";
  EXPECT_EQ(store().tail().tail, Position{0});
  rehearsal.reset();
  reopen();
  EXPECT_EQ(run(protein("Beef")), "1");
}

TEST_F(StoreTest, ARehearsalStaysWithTheStoreAsItWasWhenItBegan) {
  const auto beef = request(protein("Beef"));
  const auto pork = request(protein("Pork"));
  const auto rehearsal = store().rehearse();
  EXPECT_EQ(brief(rehearsal->submit({&beef, 1}, {}).at(0)), "1");
  EXPECT_EQ(run(protein("Pork")), "1");
  EXPECT_EQ(brief(rehearsal->submit({&pork, 1}, {}).at(0)), "2");
}

// ---- Reading

class StoreReadTest : public StoreTestBase {
 protected:
  StoreReadTest() {
    (void)user("ann");
    clock_.advance_seconds(100);
    (void)run(
        "{'command':'create_tenant','data':{'name':'A','slug':'a','contact_email':'a@b.io','domain'"
        ":'a.io'},"
        "'actor':'user:1','channel':'api'}");
    (void)run(
        "{'command':'create_tenant','data':{'name':'B','slug':'b','contact_email':'a@b.io'}}");
    clock_.advance_seconds(100);
    (void)run("{'command':'add_member','data':{'tenant':'b','user':'ann'},'actor':'user:1'}");
    (void)run(
        "{'command':'move_domain','data':{'domain':'a.io','from_tenant':'a','to_tenant':'b'}}");
    (void)run(
        "{'command':'set_preferences','data':{'user':'ann','theme':'dark'},'correlation_id':'c-1'"
        "}");
  }
  events::Uuid tenant(const std::string& slug) {
    const auto& table = *events::find_table("tenants_tenant");
    return store().rows_now().rows->claim_holder(table, claim_on(table, {"slug"}), slug)->id;
  }
};

TEST_F(StoreReadTest, ByTenantFindsWhatCameAndLeft) {
  EXPECT_THAT(log({.tenant = tenant("a")}),
              ElementsAre("2 TenantCreated", "3 DomainAdded", "6 DomainMoved"));
  EXPECT_THAT(log({.tenant = tenant("b")}),
              ElementsAre("4 TenantCreated", "5 MemberAdded", "6 DomainMoved"));
}

TEST_F(StoreReadTest, ByActorChannelCorrelationKindScopeAndUser) {
  EXPECT_THAT(log({.actor = "user:1"}),
              ElementsAre("2 TenantCreated", "3 DomainAdded", "5 MemberAdded"));
  EXPECT_THAT(log({.channel = "api"}), ElementsAre("2 TenantCreated", "3 DomainAdded"));
  EXPECT_THAT(log({.correlation_id = "c-1"}), ElementsAre("7 PreferencesCreated"));
  EXPECT_THAT(log({.kinds = {events::find_kind("MemberAdded")->number}}),
              ElementsAre("5 MemberAdded"));
  EXPECT_THAT(log({.scope = events::Scope::CORE}), ElementsAre("7 PreferencesCreated"));
  EXPECT_THAT(log({.user = 1}),
              ElementsAre("1 UserRegistered", "5 MemberAdded", "7 PreferencesCreated"));
}

TEST_F(StoreReadTest, ByStreamKeepsEntitiesOfEqualIdApart) {
  const auto stream = [](events::EntityKind kind) {
    return events::stream_id(events::table_of(kind), events::entity_key(std::int64_t{1}));
  };
  EXPECT_THAT(log({.stream = stream(events::EntityKind::DOMAIN)}),
              ElementsAre("3 DomainAdded", "6 DomainMoved"));
  EXPECT_THAT(log({.stream = stream(events::EntityKind::MEMBER)}), ElementsAre("5 MemberAdded"));
}

TEST_F(StoreReadTest, BoundsAreExclusiveBelowAndInclusiveAbove) {
  EXPECT_THAT(log({.after = {2}, .through = Position{4}}),
              ElementsAre("3 DomainAdded", "4 TenantCreated"));
  EXPECT_THAT(log({.after = {5}, .tenant = tenant("b")}), ElementsAre("6 DomainMoved"));
  EXPECT_THAT(log({.after = {7}}), IsEmpty());
}

TEST_F(StoreReadTest, ReverseIsTheSameBackwards) {
  for (LogFilter filter :
       {LogFilter{}, LogFilter{.tenant = tenant("b")}, LogFilter{.actor = "user:1"},
        LogFilter{.after = {2}, .through = Position{6}}}) {
    auto forward = log(filter);
    filter.reverse = true;
    std::reverse(forward.begin(), forward.end());
    EXPECT_EQ(log(filter), forward);
  }
}

TEST_F(StoreReadTest, PositionAtATimeIsTheLastOneNotAfterIt) {
  const auto at = [&](std::int64_t seconds) {
    return store().position_at({1'769'860'800'000'000 + seconds * 1'000'000}).value;
  };
  EXPECT_EQ(at(-1), 0U);
  EXPECT_EQ(at(0), 1U);
  EXPECT_EQ(at(99), 1U);
  EXPECT_EQ(at(100), 4U);
  EXPECT_EQ(at(1000), 7U);
}

TEST_F(StoreReadTest, TheStateAtAPositionIsThatOfTheEventsBefore) {
  const auto& domains = *events::find_table("tenants_tenantdomain");
  std::vector<events::Uuid> owners;
  for (const std::uint64_t position : {2U, 3U, 7U}) {
    const RowsAt at = store().rows_at({position}, {});
    const auto row = at.rows->row_by_id(domains, events::entity_key(std::int64_t{1}));
    owners.push_back(row ? row->key.tenant : events::Uuid{});
  }
  EXPECT_THAT(owners, ElementsAre(events::Uuid{}, tenant("a"), tenant("b")));
}

TEST_F(StoreReadTest, TheLogEndedThenAsItSaidThen) {
  const LogTail then = store().tail();
  (void)user("ben");
  const LogTail again = store().rows_at(then.tail, {}).tail;
  EXPECT_EQ(again.tail, then.tail);
  EXPECT_EQ(again.digest, then.digest);
  EXPECT_EQ(again.last_recorded, then.last_recorded);
}

TEST_F(StoreReadTest, ReadersOfTheStateSeeOneMoment) {
  const RowsAt at = store().rows_now();
  (void)user("ben");
  EXPECT_EQ(at.tail.tail, Position{7});
  EXPECT_EQ(at.rows->largest_id(*events::find_table("auth_user")), 1);
  EXPECT_EQ(store().tail().tail, Position{8});
}

// ---- Damage and crashes

class StoreCrashTest : public StoreTestBase {
 protected:
  // Runs commands in a child that is killed in the middle; gives the number of answers that it
  // gave.
  int killed_after(int answers_wanted) {
    close();
    int pipe_ends[2];
    EXPECT_EQ(::pipe(pipe_ends), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      auto owned = open_store({.directory = directory()}, clock_, ids_);
      for (int n = 0;; ++n) {
        const auto command = request(protein("p" + std::to_string(n)));
        (void)owned->submit({&command, 1}, {});
        if (::write(pipe_ends[1], "x", 1) != 1) ::_exit(1);
      }
    }
    ::close(pipe_ends[1]);
    int answered = 0;
    char byte = 0;
    while (answered < answers_wanted && ::read(pipe_ends[0], &byte, 1) == 1) ++answered;
    ::kill(child, SIGKILL);
    while (::read(pipe_ends[0], &byte, 1) == 1) ++answered;
    ::close(pipe_ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    return answered;
  }
};

TEST_F(StoreCrashTest, AKilledProcessLosesNothingThatItAnswered) {
  const int answered = killed_after(50);
  open();
  EXPECT_GE(store().tail().tail.value, static_cast<std::uint64_t>(answered));
  EXPECT_LE(store().tail().tail.value, static_cast<std::uint64_t>(answered) + 1);
  EXPECT_THAT(failed_checks(), IsEmpty());
}

class StoreDamageTest : public StoreTestBase {
 protected:
  StoreDamageTest() {
    for (int n = 0; n < 20; ++n) (void)run(protein("p" + std::to_string(n)));
  }
  // The newest file under the database whose name ends so.
  std::filesystem::path newest(const std::string& suffix) {
    std::filesystem::path found;
    for (const auto& entry : std::filesystem::directory_iterator(directory() / "db")) {
      const std::string name = entry.path().filename().string();
      if (name.ends_with(suffix) && (found.empty() || entry.path() > found)) found = entry.path();
    }
    return found;
  }
  std::filesystem::path newest_manifest() {
    const std::string named = read_file(directory() / "db" / "CURRENT").value();
    return directory() / "db" / named.substr(0, named.size() - 1);
  }
  std::string open_error() {
    try {
      open();
    } catch (const CorruptionError& error) {
      return error.what();
    }
    return "opened";
  }
};

TEST_F(StoreDamageTest, AMissingLogFileIsFoundThoughRocksDbOpensWithoutIt) {
  close();
  std::filesystem::remove(newest(".log"));
  EXPECT_THAT(open_error(), HasSubstr("the end of the log is lost"));
}

TEST_F(StoreDamageTest, ALogCutAtARecordIsFound) {
  // What was there after 10 of 20 commits, put back under the acknowledgements of 20.
  close();
  const std::filesystem::path copy = temp_ / "old";
  std::filesystem::copy(directory() / "db", copy, std::filesystem::copy_options::recursive);
  open();
  (void)run(protein("late"));
  close();
  std::filesystem::remove_all(directory() / "db");
  std::filesystem::rename(copy, directory() / "db");
  EXPECT_THAT(open_error(), HasSubstr("answered up to position 21"));
}

// The files that an older manifest does not name would not be missed otherwise.
TEST_F(StoreDamageTest, AnOlderManifestUnderTheNewName) {
  const std::string older = read_file(newest_manifest()).value();
  reopen();
  close();
  write_file_durably(newest_manifest(), older);
  EXPECT_THAT(open_error(), HasSubstr("is an older one"));
}

// RocksDB would abort.
TEST_F(StoreDamageTest, APieceOfTheLogBehindItsEnd) {
  close();
  const auto path = newest(".log");
  const std::string content = read_file(path).value();
  write_file_durably(path, content + content.substr(0, content.size() / 2));
  EXPECT_THAT(open_error(), HasSubstr("is older than what lies before it"));
}

TEST_F(StoreDamageTest, AMissingAckFileIsRefused) {
  close();
  std::filesystem::remove(directory() / "ack");
  EXPECT_THAT(open_error(), HasSubstr("ack is missing"));
}

TEST_F(StoreDamageTest, RefusingToOpenChangesNoFile) {
  close();
  const auto log_file = newest(".log");
  std::filesystem::resize_file(log_file, std::filesystem::file_size(log_file) / 2);
  const auto listing = [&] {
    std::map<std::string, std::uintmax_t> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory())) {
      if (entry.is_regular_file()) files[entry.path().string()] = entry.file_size();
    }
    return files;
  };
  const auto before = listing();
  EXPECT_NE(open_error(), "opened");
  EXPECT_EQ(listing(), before);
}

class StoreFormatTest : public StoreDamageTest {
 protected:
  // Makes the store one of that format, and gives back why it is refused.
  UsageError refusal_of_format(char major) {
    close();
    std::fstream file(directory() / "FORMAT", std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(16);  // After the root pointer and the magic: the major version.
    file.put(major);
    file.close();
    try {
      open();
    } catch (const UsageError& error) {
      return error;
    }
    throw std::logic_error("opened");
  }
};

TEST_F(StoreFormatTest, ANewerOneIsRefusedByName) {
  const UsageError refusal = refusal_of_format(9);
  EXPECT_THAT(refusal.what(), HasSubstr("has format 9"));
  EXPECT_THAT(refusal.hint(), HasSubstr("a newer one"));
}

TEST_F(StoreFormatTest, AnOlderOneIsRefusedWithAWayOut) {
  const UsageError refusal = refusal_of_format(1);
  EXPECT_THAT(refusal.what(), HasSubstr("has format 1"));
  EXPECT_THAT(refusal.hint(), HasSubstr("tenantry export"));
}

TEST_F(StoreFormatTest, AFeatureThatIsNotKnownIsRefusedByName) {
  close();
  mark_features(StorePaths{directory()}, std::uint64_t{1} << 40U);
  for (const bool read_only : {false, true}) {
    try {
      store_ = open_store({.directory = directory(), .read_only = read_only}, clock_, ids_);
      ADD_FAILURE() << "opened";
    } catch (const UsageError& refusal) {
      EXPECT_EQ(refusal.code(), "store_format");
      EXPECT_THAT(refusal.what(), HasSubstr("features 0x10000000000"));
      EXPECT_THAT(refusal.hint(), HasSubstr("a newer one"));
    }
  }
}

TEST_F(StoreTest, ReadingOnlyChangesNoFileAndTakesNoCommand) {
  (void)user("ann");
  close();
  const auto files = [&] {
    std::map<std::string, std::filesystem::file_time_type> times;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory())) {
      if (entry.path().filename() != "OWNER.lock") {
        times[entry.path().string()] = entry.last_write_time();
      }
    }
    return times;
  };
  const auto before = files();
  store_ = open_store({.directory = directory(), .read_only = true}, clock_, ids_);
  EXPECT_THAT(log(), ElementsAre("1 UserRegistered"));
  EXPECT_THAT(failed_checks(), IsEmpty());
  EXPECT_THROW((void)user("ben"), UsageError);
  close();
  EXPECT_EQ(files(), before);
}

TEST_F(StoreTest, TwoEntitiesNeverShareAStream) {
  const auto create = [&](const std::string& id) {
    return run("{'command':'create_tenant','data':{'id':'" + id +
               "','name':'A','slug':'a','contact_email':'a@b.io'}}");
  };
  EXPECT_EQ(create("05000000-0000-0000-0000-000000000001"), "id_taken") << "domain 1's stream";
  EXPECT_EQ(create("aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"), "1");
  EXPECT_EQ(
      run("{'command':'invite','data':{'id':'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa','tenant':'a',"
          "'email':'x@b.io'}}"),
      "id_taken");
  EXPECT_THAT(failed_checks(), IsEmpty());
}

TEST(InitStoreTest, MakesMissingParentsAndTakesATrailingSlash) {
  TempDirectory temp;
  ManualClock clock;
  CountingIds ids;
  EXPECT_TRUE(init_store(temp / "a" / "b" / "", clock, ids));
  EXPECT_EQ(open_store({.directory = temp / "a" / "b"}, clock, ids)->tail().tail, Position{0});
  EXPECT_THROW(init_store("", clock, ids), UsageError);
}

TEST(InitStoreTest, LeavesAnExistingStoreAndRefusesOtherDirectories) {
  TempDirectory temp;
  ManualClock clock;
  CountingIds ids;
  EXPECT_TRUE(init_store(temp / "new", clock, ids));
  EXPECT_FALSE(init_store(temp / "new", clock, ids));
  std::filesystem::create_directory(temp / "empty");
  EXPECT_TRUE(init_store(temp / "empty", clock, ids));
  std::filesystem::create_directory(temp / "full");
  std::ofstream(temp / "full" / "file") << "x";
  EXPECT_THROW(init_store(temp / "full", clock, ids), UsageError);
  EXPECT_TRUE(std::filesystem::exists(temp / "full" / "file"));
  EXPECT_THROW((void)open_store({.directory = temp / "none"}, clock, ids), UsageError);
}

TEST(InitStoreTest, SaysThatAnInterruptedOneMayBeRemoved) {
  const TempDirectory temp;
  ManualClock clock;
  CountingIds ids;
  std::filesystem::create_directories(temp / "store" / ".new-7" / "db");
  std::filesystem::create_directories(temp / "store" / "db");
  try {
    init_store(temp / "store", clock, ids);
    FAIL() << "a store was made among what is left of another";
  } catch (const UsageError& error) {
    EXPECT_THAT(error.hint(), HasSubstr("an interrupted init, import, restore or backup left"));
  }
}

}  // namespace
}  // namespace tenantry
