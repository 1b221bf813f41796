// A store that is used through its owner's socket gives what the store itself gives.

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <filesystem>
#include <optional>
#include <random>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/error.h"
#include "core/owner/remote_store.h"
#include "core/owner/server.h"
#include "core/owner/shared_store.h"
#include "core/owner/socket.h"
#include "tests/core/random_history.h"
#include "tests/core/store_test_base.h"

namespace tenantry::owner {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ReadingTest : public StoreTestBase {
 protected:
  // Commands of all sorts.
  [[nodiscard]] std::vector<std::string> history_of(unsigned seed, int commands) const {
    RandomHistory history(seed, clock_.now());
    std::vector<std::string> lines = RandomHistory::opening_lines();
    for (int n = 0; n < commands; ++n) lines.push_back(history.next_line());
    return lines;
  }

  // Every event that is read, in words.
  static std::vector<std::string> events_of(const TenancyStore& store, const LogFilter& filter) {
    std::vector<std::string> events;
    store.read_log(filter, [&](const StoredEvent& event) {
      events.push_back(words_of(event));
      return true;
    });
    return events;
  }
  static std::string words_of(const StoredEvent& event) {
    std::string words;
    for (const std::uint64_t number :
         {event.position.value, event.scope_seq, event.version.value,
          static_cast<std::uint64_t>(event.recorded_at.micros), std::uint64_t{event.kind},
          std::uint64_t{event.flags}, std::uint64_t{event.index_in_command},
          std::uint64_t{event.count_in_command}, event.causation,
          static_cast<std::uint64_t>(event.scope)}) {
      words += std::to_string(number) + " ";
    }
    for (const events::Uuid& id : {event.tenant, event.stream, event.actor, event.command}) {
      words += events::format_uuid(id) + " ";
    }
    words.append(event.chain_hash.begin(), event.chain_hash.end());
    return words.append(event.payload);
  }
  static std::string words_of(const StoredRow& row) {
    return events::format_uuid(row.key.tenant) + events::format_uuid(row.key.id) + " " +
           std::to_string(row.version.value) + " " + std::to_string(row.last.value) + row.bytes;
  }
  static std::vector<std::string> keys_of(const StateView& state) {
    std::vector<std::string> keys;
    state.scan_rows(*events::find_table("core_protein"), std::nullopt, [&](const StoredRow& row) {
      keys.push_back(words_of(row));
      return true;
    });
    return keys;
  }
  // Everything that a view tells, in words.
  static std::vector<std::string> rows_of(const StateView& state) {
    std::vector<std::string> words;
    for (const events::TableInfo& table : events::tables()) {
      words.push_back(table.name + " " + std::to_string(state.largest_id(table)));
      std::vector<StoredRow> rows;
      state.scan_rows(table, std::nullopt, [&](const StoredRow& row) {
        rows.push_back(row);
        return true;
      });
      for (const StoredRow& row : rows) {
        words.push_back(words_of(row));
        EXPECT_EQ(words_of(state.row(table, row.key).value()), words.back());
        EXPECT_EQ(words_of(state.row_by_id(table, row.key.id).value()), words.back());
        words.push_back(std::to_string(
            state.stream_version(table, events::stream_id(table, row.key.id)).value));
        const events::RowValues values = events::decode_row(table, row.bytes);
        for (const events::ClaimInfo& claim : table.claims) {
          const auto claimed = claimed_by(claim, values);
          if (!claimed) continue;
          EXPECT_EQ(state.claim_holder(table, claim, *claimed), row.key);
        }
      }
      for (const events::LookupInfo& lookup : table.lookups) {
        constexpr auto kFirst = std::numeric_limits<std::int64_t>::min();
        constexpr auto kLast = std::numeric_limits<std::int64_t>::max();
        state.scan_lookup(table, lookup, kFirst, kLast, [&](const RowKey& key) {
          words.push_back(events::format_uuid(key.tenant) + events::format_uuid(key.id));
          return true;
        });
      }
    }
    return words;
  }
};

class OwnerTest : public ReadingTest {
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

// --- A store wherever it is open.

class SharedStoreTest : public ReadingTest {
 protected:
  SharedStoreTest() { close(); }

  std::unique_ptr<TenancyStore> open_shared(bool read_only = false) {
    StoreOptions options;
    options.directory = directory();
    options.read_only = read_only;
    return open_shared_store(options, clock_, ids_);
  }
  // Another process that has the store, and does nothing with it.
  pid_t owner_elsewhere() {
    std::array<int, 2> ready{};
    EXPECT_EQ(::pipe(ready.data()), 0);
    const pid_t owner = ::fork();
    if (owner == 0) {
      const auto mine = open_shared();
      (void)::write(ready[1], "r", 1);
      ::pause();
      ::_exit(0);
    }
    char byte = 0;
    EXPECT_EQ(::read(ready[0], &byte, 1), 1);
    ::close(ready[0]);
    ::close(ready[1]);
    return owner;
  }
  std::string run_on(TenancyStore& store, const std::string& line) {
    const auto command = request(line);
    return brief(store.submit({&command, 1}, {}).at(0));
  }
};

TEST_F(SharedStoreTest, TheSecondOneUsesItThroughTheFirst) {
  const auto first = open_shared();
  const auto second = open_shared();
  EXPECT_EQ(run_on(*first, protein("Beef")), "1");
  EXPECT_EQ(run_on(*second, protein("Beef")), "protein_taken");
  EXPECT_EQ(run_on(*second, protein("Pork")), "2");
  EXPECT_EQ(first->tail().digest, second->tail().digest);
}

TEST_F(SharedStoreTest, TheNextOneTakesOver) {
  auto first = open_shared();
  const auto second = open_shared();
  const auto third = open_shared();
  EXPECT_EQ(run_on(*second, protein("Beef")), "1");
  first.reset();
  EXPECT_EQ(run_on(*second, protein("Pork")), "2");
  EXPECT_EQ(run_on(*third, protein("Lamb")), "3");
  EXPECT_EQ(second->tail().digest, third->tail().digest);
}

// It keeps the connection, and would keep whoever waits for it.
TEST_F(SharedStoreTest, AnOwnerThatIsFrozenIsGivenUp) {
  const pid_t owner = owner_elsewhere();
  const auto remote = connect_to_owner(directory(), /*writes=*/true, 10ms);
  ASSERT_NE(remote, nullptr);
  EXPECT_EQ(run_on(*remote, protein("Beef")), "1");
  ASSERT_EQ(::kill(owner, SIGSTOP), 0);
  ASSERT_EQ(::waitpid(owner, nullptr, WUNTRACED), owner);
  try {
    (void)run_on(*remote, protein("Pork"));
    ADD_FAILURE() << "nobody can have answered";
  } catch (const OwnerGone& gone) {
    EXPECT_TRUE(gone.may_be_done());
    EXPECT_THAT(gone.what(), HasSubstr("does not answer any more"));
  }
  EXPECT_THROW((void)remote->tail(), OwnerGone);
  ASSERT_EQ(::kill(owner, SIGKILL), 0);
  ASSERT_EQ(::waitpid(owner, nullptr, 0), owner);
}

// Nobody can say then whether a command that was on its way was done; one that is sent later goes
// to the next owner.
TEST_F(SharedStoreTest, AnOwnerThatIsKilledIsSucceeded) {
  const pid_t owner = owner_elsewhere();
  const auto mine = open_shared();
  EXPECT_EQ(run_on(*mine, protein("Beef")), "1");
  ASSERT_EQ(::kill(owner, SIGKILL), 0);
  ASSERT_EQ(::waitpid(owner, nullptr, 0), owner);
  std::string answer;
  for (int tries = 0; answer.empty() && tries < 3; ++tries) {
    try {
      answer = run_on(*mine, protein("Pork"));
    } catch (const UnavailableError& error) {
      EXPECT_THAT(error.what(), HasSubstr("nobody knows"));
    }
  }
  EXPECT_EQ(answer, "2");
}

TEST_F(SharedStoreTest, ReadingGoesOnWhereItWas) {
  auto first = open_shared();
  const std::string reason(400, 'r');
  std::vector<events::CommandRequest> commands;
  for (int n = 0; n < 2000; ++n) {
    commands.push_back(request(protein("p" + std::to_string(n), ",'reason':'" + reason + "'")));
  }
  (void)first->submit(commands, {});
  for (const bool reverse : {false, true}) {
    if (!first) first = open_shared();
    const auto second = open_shared();
    std::vector<std::uint64_t> seen;
    second->read_log({.reverse = reverse}, [&](const StoredEvent& event) {
      seen.push_back(event.position.value);
      if (seen.size() == 10) first.reset();
      if (seen.size() == 20) {
        EXPECT_EQ(run_on(*second, protein(reverse ? "last" : "first")),
                  std::to_string(2001 + reverse));
      }
      return true;
    });
    if (reverse) std::ranges::reverse(seen);
    ASSERT_EQ(seen.size(), 2000U + reverse) << "what was there when it began";
    for (std::size_t n = 0; n < seen.size(); ++n) EXPECT_EQ(seen[n], n + 1);
  }
}

// Whoever shows the rows: they are those of the moment when somebody first asked for them.
TEST_F(SharedStoreTest, RowsAreReadOnAsTheyWere) {
  auto first = open_shared();
  for (const std::string& line : history_of(1, 300)) (void)run_on(*first, line);
  const std::vector<std::string> then = rows_of(*first->rows_now().rows);
  for (const bool grown : {false, true}) {
    const auto second = open_shared();
    const RowsAt at = second->rows_now();
    first.reset();
    if (grown) (void)run_on(*second, protein("Seitan"));
    EXPECT_EQ(rows_of(*at.rows), then);
    first = open_shared();
    EXPECT_EQ(rows_of(*at.rows), then) << "through whom it was does not matter any more";
    first.reset();
  }
  EXPECT_NE(rows_of(*open_shared()->rows_now().rows), then);
}

// Also in the middle of a scan, whose rows come in pieces.
TEST_F(SharedStoreTest, AScanGoesOnBehindTheLastRow) {
  auto first = open_shared();
  std::vector<events::CommandRequest> commands;
  for (int n = 0; n < 6000; ++n) commands.push_back(request(protein("p" + std::to_string(n))));
  (void)first->submit(commands, {});
  const std::vector<std::string> then = keys_of(*first->rows_now().rows);
  ASSERT_EQ(then.size(), 6000U);
  for (const bool grown : {false, true}) {
    if (!first) first = open_shared();
    const auto second = open_shared();
    std::vector<std::string> seen;
    const RowsAt at = second->rows_now();
    at.rows->scan_rows(
        *events::find_table("core_protein"), std::nullopt, [&](const StoredRow& row) {
          seen.push_back(words_of(row));
          if (seen.size() == 3) {
            first.reset();
            if (grown) {
              EXPECT_EQ(run_on(*second, "{'command':'remove_protein','data':{'protein':'p5999'}}"),
                        "6001");
            }
          }
          return true;
        });
    EXPECT_EQ(seen, then);
  }
}

// What is computed from the events outlives their owner, too.
TEST_F(SharedStoreTest, FoldingGoesOnWhereItWas) {
  auto first = open_shared();
  for (const std::string& line : history_of(2, 300)) (void)run_on(*first, line);
  const Position end = first->tail().tail;
  const auto commands_of = [](const TenancyStore& store, const std::function<void()>& meanwhile) {
    std::vector<std::string> commands;
    store.read_commands({}, {}, [&](const events::CommandRequest& command) {
      commands.push_back(command.command);
      if (commands.size() == 20) meanwhile();
      return true;
    });
    return commands;
  };
  const auto folded = [&](const TenancyStore& store, const std::function<void()>& meanwhile) {
    std::vector<std::string> rows;
    store.fold_rows(
        end,
        [&](const StoredEvent& event) {
          if (event.position == Position{20}) meanwhile();
          return true;
        },
        [&](const FoldedRow& row) {
          rows.push_back(row.table->name + events::format_uuid(row.id) +
                         (row.values ? events::encode_row(*row.table, *row.values) : "gone"));
          return true;
        });
    return rows;
  };
  const auto nothing = [] {};
  const std::vector<std::string> commands = commands_of(*first, nothing);
  const std::vector<std::string> rows = folded(*first, nothing);
  const auto second = open_shared();
  EXPECT_EQ(commands_of(*second, [&] { first.reset(); }), commands);
  first = open_shared();
  const auto third = open_shared();
  EXPECT_EQ(folded(*third, [&] { first.reset(); }), rows);
}

TEST_F(SharedStoreTest, WhoReadsMakesRoomForWhoWrites) {
  const auto reader = open_shared(/*read_only=*/true);
  const auto other_reader = open_shared(/*read_only=*/true);
  EXPECT_EQ(other_reader->tail().tail, Position{0});
  const auto writer = open_shared();
  EXPECT_EQ(run_on(*writer, protein("Beef")), "1");
  for (const auto* store : {&reader, &other_reader}) {
    EXPECT_EQ((*store)->tail().digest, writer->tail().digest);
    const auto pork = request(protein("Pork"));
    EXPECT_THROW((void)(*store)->submit({&pork, 1}, {}), UsageError) << "it is there to read";
  }
}

// Also of one whose reader is busy with something else, such as a pipe that is full.
TEST_F(SharedStoreTest, WhoReadsMakesRoomInTheMiddleOfReading) {
  std::vector<events::CommandRequest> commands;
  for (int n = 0; n < 6000; ++n) commands.push_back(request(protein("p" + std::to_string(n))));
  (void)open_shared()->submit(commands, {});
  int written = 6000;
  const auto write = [&] {
    const std::string name = "q" + std::to_string(++written);
    EXPECT_EQ(run_on(*open_shared(), protein(name)), std::to_string(written));
  };
  std::size_t seen = 0;
  const auto write_once = [&] {
    if (++seen == 3) write();
    return true;
  };
  const auto expect_all = [&](int all) {
    EXPECT_EQ(seen, static_cast<std::size_t>(all)) << "what was there when it began";
    seen = 0;
  };
  for (const bool reverse : {false, true}) {
    const auto reader = open_shared(/*read_only=*/true);
    const int all = written;
    reader->read_log({.reverse = reverse}, [&](const StoredEvent&) { return write_once(); });
    expect_all(all);
  }
  const events::TableInfo& proteins = *events::find_table("core_protein");
  {
    const auto reader = open_shared(/*read_only=*/true);
    const int all = written;
    const RowsAt at = reader->rows_now();
    at.rows->scan_rows(proteins, std::nullopt, [&](const StoredRow&) { return write_once(); });
    expect_all(all);
    EXPECT_EQ(keys_of(*at.rows).size(), static_cast<std::size_t>(all));
  }
  {
    const auto reader = open_shared(/*read_only=*/true);
    const int all = written;
    reader->read_commands({}, {}, [&](const events::CommandRequest&) { return write_once(); });
    expect_all(all);
  }
  {
    const auto reader = open_shared(/*read_only=*/true);
    (void)reader->rows_at({5000}, [&](std::uint64_t, std::uint64_t) { write(); });
    reader->fold_rows(
        {6000}, [&](const StoredEvent&) { return write_once(); },
        [](const FoldedRow&) { return true; });
    expect_all(6000);
  }
  {
    const auto reader = open_shared(/*read_only=*/true);
    bool begun = false;
    std::future<void> writing;
    for (const CheckResult& check :
         reader->verify(VerifyDepth::kFull, [&](std::uint64_t, std::uint64_t) {
           if (!std::exchange(begun, true)) writing = std::async(std::launch::async, write);
         })) {
      EXPECT_TRUE(check.passed) << check.name;
    }
    writing.get();
  }
}

// What cannot be interrupted is waited for, for a while.
TEST_F(SharedStoreTest, WhoWritesIsRefusedWhileOneThatReadsCannotMakeRoom) {
  const auto reader = open_shared(/*read_only=*/true);
  auto rehearsal = reader->rehearse();
  EXPECT_THROW((void)open_shared(), UnavailableError);
  EXPECT_EQ(reader->tail().tail, Position{0});
  StoreOptions options;
  options.directory = directory();
  int asked = 0;
  options.wait_for_owner = [&] {
    if (++asked == 3) rehearsal.reset();
    return true;
  };
  const auto writer = open_shared_store(options, clock_, ids_);
  EXPECT_EQ(run_on(*writer, protein("Beef")), "1");
  EXPECT_EQ(reader->tail().tail, Position{1});
}

TEST_F(SharedStoreTest, AnotherStoreInItsPlaceIsNotTakenForIt) {
  auto first = open_shared();
  const auto second = open_shared();
  first.reset();
  fs::remove_all(directory());
  init_store(directory(), clock_, ids_);
  try {
    (void)second->tail();
    FAIL() << "it is another store";
  } catch (const UsageError& error) {
    EXPECT_EQ(error.code(), "store_replaced");
  }
}

TEST_F(SharedStoreTest, WhoWaitsNoticesThatItsStoreWasReplaced) {
  const auto mine = open_shared();
  EXPECT_EQ(mine->await_tail({}, 0ms), Position{0});
  fs::rename(directory(), directory().string() + ".old");
  init_store(directory(), clock_, ids_);
  try {
    (void)mine->await_tail({}, 0ms);
    FAIL() << "it is another store";
  } catch (const UsageError& error) {
    EXPECT_EQ(error.code(), "store_replaced");
  }
}

TEST_F(SharedStoreTest, ManyShareItWhileOwnersComeAndGo) {
  constexpr int kCallers = 6;
  constexpr int kCommands = 40;
  std::atomic<int> accepted = 0;
  {
    std::vector<std::jthread> callers;
    for (int caller = 0; caller < kCallers; ++caller) {
      callers.emplace_back([&, caller] {
        for (int n = 0; n < kCommands; ++n) {
          StoreOptions options;
          options.directory = directory();
          options.wait_for_owner = [] {
            std::this_thread::sleep_for(1ms);
            return true;
          };
          const auto mine = open_shared_store(options, clock_, ids_);
          const std::string name = std::to_string(caller) + "-" + std::to_string(n);
          const std::string answer = run_on(*mine, protein(name));
          if (answer.find_first_not_of("0123456789") == std::string::npos) ++accepted;
        }
      });
    }
  }
  EXPECT_EQ(accepted, kCallers * kCommands);
  const auto after = open_shared();
  EXPECT_EQ(after->tail().tail.value, static_cast<std::uint64_t>(kCallers * kCommands));
}

}  // namespace
}  // namespace tenantry::owner
