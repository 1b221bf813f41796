#include <atomic>
#include <cerrno>
#include <chrono>
#include <functional>
#include <map>
#include <memory>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rocksdb/env.h>

#include "core/error.h"
#include "core/rocks_testing.h"
#include "tests/core/store_test_base.h"
#include "tests/support/faulty_files.h"

// Disks that fail, each time one change later, until the work is done before the fault.
namespace tenantry {
namespace {

namespace fs = std::filesystem;
using ::testing::IsEmpty;

constexpr int kFaultCommands = 12;
constexpr int kFaultsMax = 5000;

class StoreFaultsTest : public StoreTestBase {
 protected:
  StoreFaultsTest() {
    close();
    fs::rename(directory(), temp_ / "pristine");
  }

  // The store as it was, on a disk that works.
  void restore() {
    close();
    fs::remove_all(directory());
    fs::copy(temp_ / "pristine", directory(), fs::copy_options::recursive);
  }

  static std::string command(int n) {
    const std::string digits = std::to_string(100 + n);
    return protein("p" + digits, ",'id':'00000000-0000-4000-8000-000000000" + digits + "'");
  }

  // Opens, writes, closes, opens, writes; ends at the first fault. Every answer is noted.
  void work(const Disk& disk) {
    try {
      for (int half = 0; half < 2; ++half) {
        store_ = open_store({.directory = directory(), .disk = disk}, clock_, ids_);
        for (int n = half * kFaultCommands / 2; n < (half + 1) * kFaultCommands / 2; ++n) {
          answered_[n] = run(command(n));
        }
        close();
      }
    } catch (const UnavailableError&) {
      close();
    }
  }

  // All in one call, cut into commits of two.
  void work_at_once(const Disk& disk) {
    std::vector<Answer> durable;
    std::vector<std::string> answers;
    try {
      store_ = open_store({.directory = directory(), .disk = disk}, clock_, ids_);
      std::vector<std::string> commands;
      for (int n = 0; n < kFaultCommands; ++n) commands.push_back(command(n));
      answers = run_all(commands, {.commit_commands_max = 2, .answered = &durable});
    } catch (const UnavailableError&) {
      for (const Answer& answer : durable) answers.push_back(brief(answer));
      if (!answers.empty()) ++calls_answered_in_part_;
    }
    for (std::size_t n = 0; n < answers.size(); ++n) answered_[static_cast<int>(n)] = answers[n];
    close();
  }

  void expect_nothing_lost(long fault) {
    open();
    EXPECT_GE(store().tail().tail.value, answered_.size()) << "fault " << fault;
    EXPECT_LE(store().tail().tail.value, answered_.size() + 2) << "one commit may be in doubt";
    for (const auto& [n, answer] : answered_) {
      EXPECT_EQ(run(command(n)), answer) << "fault " << fault << ", command " << n;
    }
    for (int n = 0; n < kFaultCommands; ++n) {
      EXPECT_EQ(run(command(n)), std::to_string(n + 1)) << "fault " << fault;
    }
    EXPECT_THAT(failed_checks(), IsEmpty()) << "fault " << fault;
    close();
  }

  // The store borrows what is below, and what a test gives it.
  void TearDown() override { close(); }

  std::map<int, std::string> answered_;
  int calls_answered_in_part_ = 0;
  std::atomic<bool> ack_fails_ = false;
  std::vector<std::string> warnings_;
};

class StoreFailedChangeTest : public StoreFaultsTest,
                              public ::testing::WithParamInterface<FaultyFiles::Repeat> {
 protected:
  // Does the work again and again, with a fault one change later each time.
  void fail_every_change(const std::function<void(const Disk&)>& work);
};

void StoreFailedChangeTest::fail_every_change(const std::function<void(const Disk&)>& work) {
  for (long fault = 1;; ++fault) {
    ASSERT_LT(fault, kFaultsMax);
    restore();
    answered_.clear();
    const auto files = std::make_shared<FaultyFiles>(fault, GetParam());
    const std::unique_ptr<rocksdb::Env> env = rocksdb::NewCompositeEnv(files);
    Disk disk;
    disk.open_storage = [&](const RocksOptions& options) {
      return open_rocks_storage_on(*env, options);
    };
    work(disk);
    expect_nothing_lost(fault);
    if (HasFailure()) break;
    if (files->met_fault()) continue;
    EXPECT_EQ(answered_.size(), static_cast<std::size_t>(kFaultCommands));
    EXPECT_GT(fault, 20) << "the loop meets the changes of opening and of every commit";
    RecordProperty("faults", static_cast<int>(fault - 1));
    break;
  }
}

TEST_P(StoreFailedChangeTest, NothingAnsweredIsLostWhicheverChangeFails) {
  fail_every_change([this](const Disk& disk) { this->work(disk); });
}

TEST_P(StoreFailedChangeTest, NothingAnsweredIsLostOfCommitsThatOverlap) {
  fail_every_change([this](const Disk& disk) { work_at_once(disk); });
  EXPECT_GE(calls_answered_in_part_, 3) << "of six commits those before the fault are answered";
}

INSTANTIATE_TEST_SUITE_P(Repeats, StoreFailedChangeTest,
                         ::testing::Values(FaultyFiles::Repeat::kOnce,
                                           FaultyFiles::Repeat::kFromThenOn));

// --- The ack file.

TEST_F(StoreFaultsTest, AnAckThatCannotBeSyncedStopsTheStore) {
  restore();
  Disk disk;
  disk.sync_ack = [this](int /*file*/) {
    errno = EIO;
    return ack_fails_ ? -1 : 0;
  };
  store_ = open_store({.directory = directory(),
                       .warn = [this](const std::string& text) { warnings_.push_back(text); },
                       .disk = disk},
                      clock_, ids_);
  answered_[0] = run(command(0));
  ack_fails_ = true;
  // A thread of its own finds out; from then on nothing is taken, not even a retry.
  bool refused = false;
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (!refused && std::chrono::steady_clock::now() < give_up) {
    try {
      answered_[1] = run(command(1));
    } catch (const UnavailableError& error) {
      refused = true;
      EXPECT_THAT(error.what(), ::testing::HasSubstr("ack"));
      EXPECT_FALSE(error.hint().empty());
    }
  }
  EXPECT_TRUE(refused);
  close();
  EXPECT_THAT(warnings_, ::testing::ElementsAre(::testing::HasSubstr("ack")));
  expect_nothing_lost(0);
}

TEST_F(StoreFaultsTest, AnAckThatCannotBeSyncedAtOpeningKeepsTheStoreClosed) {
  restore();
  Disk disk;
  disk.sync_ack = [](int /*file*/) {
    errno = EIO;
    return -1;
  };
  EXPECT_THROW((void)open_store({.directory = directory(), .disk = disk}, clock_, ids_),
               UnavailableError);
  expect_nothing_lost(0);
}

}  // namespace
}  // namespace tenantry
