// A store wherever it is open: here, or through its owner, and the next one when that ends.

#include "core/owner/shared_store.h"

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <future>
#include <optional>
#include <thread>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/error.h"
#include "core/owner/remote_store.h"
#include "tests/core/reading_test_base.h"

namespace tenantry::owner {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using ::testing::HasSubstr;

class SharedStoreTest : public ReadingTestBase {
 protected:
  SharedStoreTest() { close(); }

  std::unique_ptr<TenancyStore> open_shared(bool read_only = false) {
    StoreOptions options;
    options.directory = directory();
    options.read_only = read_only;
    // On a busy machine.
    options.wait_for_owner = [until = std::chrono::steady_clock::now() + 20s] {
      std::this_thread::sleep_for(1ms);
      return std::chrono::steady_clock::now() < until;
    };
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
  StoreOptions options;
  options.directory = directory();
  EXPECT_THROW((void)open_shared_store(options, clock_, ids_), UnavailableError);
  EXPECT_EQ(reader->tail().tail, Position{0});
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
