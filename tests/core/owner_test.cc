// A store that is used through its owner's socket gives what the store itself gives.

#include <atomic>
#include <filesystem>
#include <optional>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "core/error.h"
#include "core/owner/remote_store.h"
#include "core/owner/server.h"
#include "core/owner/socket.h"
#include "tests/core/reading_test_base.h"

namespace tenantry::owner {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using ::testing::IsEmpty;

class OwnerTest : public ReadingTestBase {
 protected:
  OwnerTest() { serve(); }
  ~OwnerTest() override {
    remote_.reset();
    server_.reset();
  }

  void serve() {
    server_.emplace(store(), ServerOptions{.directory = directory()});
    remote_ = connect_to_owner(directory());
  }
  [[nodiscard]] RemoteStore& remote() { return *remote_; }

  void fill(unsigned seed, int commands) {
    for (const std::string& line : history_of(seed, commands)) (void)run(line);
  }

  std::optional<Server> server_;
  std::unique_ptr<RemoteStore> remote_;
};

TEST_F(OwnerTest, WhoeverConnectsLearnsWhoOwnsTheStore) {
  ASSERT_NE(remote_, nullptr);
  EXPECT_EQ(remote().owner_process(), ::getpid());
  EXPECT_FALSE(remote().read_only());
  EXPECT_EQ(remote().identity(), store().identity());
}

TEST_F(OwnerTest, EveryReadingIsThatOfTheStore) {
  fill(1, 300);
  EXPECT_EQ(remote().tail().tail, store().tail().tail);
  EXPECT_EQ(remote().tail().digest, store().tail().digest);
  const Position middle{store().tail().tail.value / 2};
  std::vector<LogFilter> filters(8);
  filters[1].reverse = true;
  filters[2].after = middle;
  filters[3].through = middle;
  filters[4].scope = events::Scope::TENANTS;
  filters[5].user = 1;
  filters[6].kinds = {1, 2, 3, 40, 41};
  filters[7].after = store().tail().tail;
  for (const LogFilter& filter : filters) {
    EXPECT_EQ(events_of(remote(), filter), events_of(store(), filter));
  }
  const RowsAt now = remote().rows_now();
  EXPECT_EQ(now.tail.digest, store().tail().digest);
  EXPECT_EQ(rows_of(*now.rows), rows_of(*store().rows_now().rows));
  EXPECT_EQ(rows_of(*remote().rows_at(middle, {}).rows),
            rows_of(*store().rows_at(middle, {}).rows));
  EXPECT_EQ(remote().chain_hash_at(middle), store().chain_hash_at(middle));
  EXPECT_EQ(remote().chain_hash_at({1'000'000}), std::nullopt);
  EXPECT_EQ(remote().position_at(clock_.now()), store().position_at(clock_.now()));
  EXPECT_EQ(remote().status().rows, store().status().rows);
  EXPECT_EQ(remote().status().directory, store().status().directory);
  std::vector<std::string> names;
  for (const CheckResult& check : remote().verify(VerifyDepth::kFull, {})) {
    EXPECT_TRUE(check.passed) << check.name;
    names.push_back(check.name);
  }
  EXPECT_EQ(names.size(), store().verify(VerifyDepth::kFull, {}).size());
}

TEST_F(OwnerTest, LongAnswersComeInPieces) {
  const std::string reason(400, 'r');
  std::vector<std::string> lines;
  for (int n = 0; n < 6000; ++n) {
    lines.push_back(protein("p" + std::to_string(n), ",'reason':'" + reason + "'"));
  }
  (void)run_all(lines);
  const std::vector<std::string> rows = keys_of(*store().rows_now().rows);
  EXPECT_EQ(keys_of(*remote().rows_now().rows), rows);
  EXPECT_EQ(rows.size(), 6000U);
  EXPECT_EQ(events_of(remote(), {}), events_of(store(), {}));
  EXPECT_EQ(events_of(remote(), {.reverse = true}), events_of(store(), {.reverse = true}));
  std::size_t visited = 0;
  remote().read_log({}, [&](const StoredEvent&) { return ++visited < 3; });
  EXPECT_EQ(visited, 3U) << "a visitor that has enough";
}

TEST_F(OwnerTest, WhatIsRareIsFoundFarApart) {
  const std::string marked = ",'correlation_id':'rare'";
  std::vector<std::string> lines{protein("first", marked)};
  for (int n = 0; n < 9000; ++n) {
    lines.push_back(protein("p" + std::to_string(n), n == 4500 ? marked : ""));
  }
  lines.push_back(protein("last", marked));
  (void)run_all(lines);
  LogFilter filter;
  filter.correlation_id = "rare";
  const std::vector<std::string> rare = events_of(store(), filter);
  EXPECT_EQ(rare.size(), 3U);
  EXPECT_EQ(events_of(remote(), filter), rare);
  filter.after = Position{1};
  filter.reverse = true;
  EXPECT_EQ(events_of(remote(), filter), events_of(store(), filter));
  filter.correlation_id = "unheard of";
  EXPECT_THAT(events_of(remote(), filter), IsEmpty());
}

TEST_F(OwnerTest, CommandsAreReadAgainAsTheStoreReadsThem) {
  fill(2, 200);
  for (const LogFilter& filter : {LogFilter{}, LogFilter{.scope = events::Scope::TENANTS},
                                  LogFilter{.after = {20}, .through = Position{60}}}) {
    const auto read = [&](const TenancyStore& from) {
      std::vector<std::string> commands;
      from.read_commands(filter, {}, [&](const events::CommandRequest& command) {
        commands.push_back(command.command);
        return true;
      });
      return commands;
    };
    EXPECT_EQ(read(remote()), read(store()));
  }
}

// Also what the owner knows by now.
TEST_F(OwnerTest, ManyQueriesAreAnsweredTogether) {
  fill(3, 200);
  std::vector<ResolveQuery> queries(40);
  for (std::size_t n = 0; n < queries.size(); ++n) queries[n].user = "id:" + std::to_string(n);
  queries[1] = queries[0];
  const auto words_of_all = [](const std::vector<ResolveOutcome>& outcomes) {
    std::vector<std::string> words;
    for (const ResolveOutcome& outcome : outcomes) {
      const auto* const found = std::get_if<Resolution>(&outcome);
      words.push_back(found != nullptr ? found->slug + " " + found->name + " " + found->matched
                                       : std::get<events::Refusal>(outcome).message);
    }
    return words;
  };
  std::vector<ResolveOutcome> wanted;
  for (const ResolveQuery& query : queries) wanted.push_back(store().resolve(query));
  for (int times = 0; times < 2; ++times) {
    EXPECT_EQ(words_of_all(remote().resolve_all(queries)), words_of_all(wanted));
  }
  EXPECT_THAT(remote().resolve_all({}), IsEmpty());
}

TEST_F(OwnerTest, CommandsAreAnsweredAsTheStoreAnswersThem) {
  const auto answers_to = [&](const std::string& line) {
    const auto command = request(line);
    return brief(remote().submit({&command, 1}, {}).at(0));
  };
  EXPECT_EQ(answers_to(protein("Beef")), "1");
  EXPECT_EQ(answers_to(protein("Beef")), "protein_taken");
  const std::string with_id = ",'id':'6f2b7a54-6a0e-4f6e-8b7d-0c8d4f1f2a3b'";
  EXPECT_EQ(answers_to(protein("Pork", with_id)), "2");
  EXPECT_EQ(answers_to(protein("Pork", with_id)), "2") << "the first answer again";
  EXPECT_EQ(answers_to(protein("Lamb", ",'expected_version':5")),
            run(protein("Lamb", ",'expected_version':5")));
  const auto lamb = request(protein("Lamb"));
  const auto rehearsal = remote().rehearse();
  EXPECT_EQ(brief(rehearsal->submit({&lamb, 1}, {}).at(0)), "3");
  EXPECT_EQ(brief(rehearsal->submit({&lamb, 1}, {}).at(0)), "protein_taken");
  EXPECT_EQ(brief(remote().submit_later({lamb}, {}).get().at(0)), "3");
}

TEST_F(OwnerTest, FaultsComeWithTheirWords) {
  try {
    (void)remote().rows_at({9}, {});
    FAIL() << "there is no position 9";
  } catch (const UsageError& error) {
    EXPECT_EQ(error.code(), "position_ahead");
  }
  remote_.reset();
  server_.reset();
  close();
  store_ = open_store({.directory = directory(), .read_only = true}, clock_, ids_);
  server_.emplace(store(), ServerOptions{.directory = directory(), .read_only = true});
  remote_ = connect_to_owner(directory());
  EXPECT_TRUE(remote().read_only());
  const auto beef = request(protein("Beef"));
  try {
    (void)remote().submit({&beef, 1}, {});
    FAIL() << "it is open for reading only";
  } catch (const UsageError& error) {
    EXPECT_EQ(error.code(), "read_only");
  }
}

TEST_F(OwnerTest, WhoAwaitsTheTailIsWokenByACommit) {
  EXPECT_EQ(remote().await_tail({0}, 1ms), Position{0});
  auto woken = std::async(std::launch::async, [&] { return remote().await_tail({0}, 5s); });
  (void)run(protein("Beef"));
  EXPECT_EQ(woken.get(), Position{1});
}

TEST_F(OwnerTest, ManyCallersShareTheStore) {
  constexpr int kCallers = 8;
  constexpr int kCommands = 50;
  std::atomic<int> accepted = 0;
  std::vector<std::jthread> callers;
  for (int caller = 0; caller < kCallers; ++caller) {
    callers.emplace_back([&] {
      const auto mine = connect_to_owner(directory());
      for (int n = 0; n < kCommands; ++n) {
        const auto command = request(protein("p" + std::to_string(n)));
        const auto answer = mine->submit({&command, 1}, {}).at(0);
        if (answer.status == Answer::Status::kAccepted) ++accepted;
      }
    });
  }
  callers.clear();
  EXPECT_EQ(accepted, kCommands) << "each name is taken once";
  EXPECT_EQ(store().tail().tail.value, static_cast<std::uint64_t>(kCommands));
  EXPECT_THAT(failed_checks(), IsEmpty());
}

TEST_F(OwnerTest, AViewStaysAsItWas) {
  (void)run(protein("Beef"));
  const RowsAt at = remote().rows_now();
  (void)run(protein("Pork"));
  EXPECT_EQ(at.tail.tail, Position{1});
  std::size_t rows = 0;
  at.rows->scan_rows(*events::find_table("core_protein"), std::nullopt, [&](const StoredRow&) {
    ++rows;
    return true;
  });
  EXPECT_EQ(rows, 1U);
}

TEST_F(OwnerTest, WhenTheOwnerEndsItsCallersHearOfIt) {
  (void)run(protein("Beef"));
  server_.reset();
  EXPECT_THROW((void)remote().tail(), OwnerGone);
  EXPECT_THROW(remote().read_log({}, [](const StoredEvent&) { return true; }), OwnerGone);
  const auto pork = request(protein("Pork"));
  EXPECT_THROW((void)remote().submit({&pork, 1}, {}), OwnerGone) << "it said farewell";
  EXPECT_EQ(connect_to_owner(directory()), nullptr);
  EXPECT_FALSE(fs::exists(directory() / kSocketName));
  serve();
  EXPECT_EQ(remote().tail().tail, Position{1});
}

TEST_F(OwnerTest, WhoLeavesInTheMiddleHarmsNobody) {
  fill(3, 50);
  for (int n = 0; n < 150; ++n) {  // More than may look at a time.
    const auto caller = connect_to_owner(directory());
    try {
      const RowsAt at = caller->rows_now();
      throw std::runtime_error("left");
    } catch (const std::runtime_error&) {
      continue;
    }
  }
  EXPECT_EQ(remote().tail().tail, store().tail().tail);
}

TEST_F(OwnerTest, WhatIsUnderWayIsAnsweredWhenAStoreIsLetGo) {
  std::vector<std::future<std::vector<Answer>>> answers;
  for (int n = 0; n < 50; ++n) {
    answers.push_back(remote().submit_later({request(protein("p" + std::to_string(n)))}, {}));
  }
  remote_.reset();
  for (std::size_t n = 0; n < answers.size(); ++n) {
    EXPECT_EQ(brief(answers[n].get().at(0)), std::to_string(n + 1)) << "in their order";
  }
}

TEST_F(OwnerTest, WhatIsTooLargeForACallIsNotSent) {
  events::CommandRequest large = request(protein("Beef"));
  large.command.assign(std::size_t{65} << 20, '\0');
  try {
    (void)remote().submit({&large, 1}, {});
    FAIL() << "it is too large";
  } catch (const UsageError& error) {
    EXPECT_EQ(error.code(), "too_large");
  }
}

TEST_F(OwnerTest, WhatIsNoCommandHarmsNobody) {
  events::CommandRequest broken = request(protein("Beef"));
  broken.command[9] = static_cast<char>(broken.command[9] ^ 0x7f);
  EXPECT_THROW((void)remote().submit({&broken, 1}, {}), UsageError);
  const auto pork = request(protein("Pork"));
  EXPECT_EQ(brief(remote().submit({&pork, 1}, {}).at(0)), "1");
}

TEST_F(OwnerTest, TheSocketIsTheOwnersAlone) {
  EXPECT_EQ(fs::status(directory() / kSocketName).permissions(),
            fs::perms::owner_read | fs::perms::owner_write);
}

TEST_F(OwnerTest, ASocketThatWasCopiedOrLeftBehindIsNobodys) {
  const fs::path copy = temp_ / "copy";
  fs::create_directory(copy);
  fs::create_hard_link(directory() / kSocketName, copy / kSocketName);
  fs::copy_file(directory() / "OWNER.lock", copy / "OWNER.lock");
  EXPECT_EQ(connect_to_owner(copy), nullptr) << "it leads to the owner of another store";
  remote_.reset();
  server_.reset();
  EXPECT_EQ(connect_to_owner(copy), nullptr) << "nobody listens";
  EXPECT_EQ(connect_to_owner(directory()), nullptr) << "there is none";
}

TEST_F(OwnerTest, APathMayBeLongerThanAnAddress) {
  const fs::path deep = temp_ / std::string(120, 'd') / std::string(120, 'e');
  fs::create_directories(deep.parent_path());
  fs::rename(directory(), deep);
  remote_.reset();
  server_.reset();
  server_.emplace(store(), ServerOptions{.directory = deep});
  const auto caller = connect_to_owner(deep);
  ASSERT_NE(caller, nullptr);
  EXPECT_EQ(caller->tail().tail, store().tail().tail);
  server_.reset();
  close();
}

}  // namespace
}  // namespace tenantry::owner
