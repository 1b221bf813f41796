#include "core/writer.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <future>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "tests/core/store_test_base.h"

// One commit is written while the next is decided. The store looks at the free space before each
// write: there the tests hold a commit up, and let it pass or fail.
namespace tenantry {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr auto kPatience = 1min;

class Gate {
 public:
  void close() {
    const std::lock_guard lock(mutex_);
    open_ = false;
    waiting_ = 0;
  }
  void open(bool disk_is_full = false) {
    const std::lock_guard lock(mutex_);
    open_ = true;
    full_ = disk_is_full;
    changed_.notify_all();
  }
  // Whether a commit came to the gate.
  bool await_commit() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [this] { return waiting_ > 0; });
  }
  std::uint64_t free_space() {
    constexpr std::uint64_t kPlenty = std::uint64_t{1} << 40;
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
    return full_ ? 0 : kPlenty;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = true;
  bool full_ = false;
  int waiting_ = 0;
};

class WriterTest : public StoreTestBase {
 protected:
  WriterTest() {
    close();
    Disk disk;
    disk.free_space = [this](const std::filesystem::path&) { return gate_.free_space(); };
    disk.now = [this] { return std::chrono::steady_clock::time_point(1h * ++looks_); };
    store_ = open_store({.directory = directory(), .disk = disk}, clock_, ids_);
  }
  void TearDown() override {
    gate_.open();
    close();
  }

  static std::string tenant(const std::string& slug) {
    return "{'command':'create_tenant','data':{'name':'N','slug':'" + slug +
           "','contact_email':'a@example.com','domain':'" + slug + ".example.com'}}";
  }
  // The answer, or what failed.
  std::future<std::string> run_aside(const std::string& line) {
    return std::async(std::launch::async, [this, line] {
      try {
        return run(line);
      } catch (const UnavailableError& error) {
        return std::string("failed: ") + error.what();
      }
    });
  }
  // Its commit waits at the gate.
  std::future<std::string> hold_up(const std::string& line) {
    gate_.close();
    auto answer = run_aside(line);
    EXPECT_TRUE(gate_.await_commit());
    return answer;
  }
  // Each tenant draws one id when it is decided.
  [[nodiscard]] bool await_drawn(std::uint64_t count) const {
    const auto give_up = std::chrono::steady_clock::now() + kPatience;
    while (ids_.drawn() < count) {
      if (std::chrono::steady_clock::now() > give_up) return false;
      std::this_thread::sleep_for(1ms);
    }
    return true;
  }

  Gate gate_;
  std::atomic<int> looks_ = 0;
};

TEST_F(WriterTest, WhoComesMeanwhileIsDecidedBeforeTheCommitIsWritten) {
  ASSERT_EQ(run(tenant("zero")), "1-2");
  const std::uint64_t drawn = ids_.drawn();
  auto first = hold_up(tenant("one"));
  auto second = run_aside(tenant("two"));
  auto third = run_aside(tenant("three"));
  EXPECT_TRUE(await_drawn(drawn + 3)) << "all are decided";
  EXPECT_EQ(first.wait_for(0s), std::future_status::timeout) << "and nobody is answered";
  EXPECT_EQ(second.wait_for(0s), std::future_status::timeout);
  EXPECT_EQ(store().tail().tail.value, 2U);
  gate_.open();
  EXPECT_EQ(first.get(), "3-4");
  const std::vector<std::string> others{second.get(), third.get()};
  EXPECT_THAT(others, ::testing::UnorderedElementsAre("5-6", "7-8"));
  EXPECT_THAT(failed_checks(), IsEmpty());
}

// Nothing of it is written, though nothing is wrong with it: it saw what is not there.
TEST_F(WriterTest, WhatWasDecidedOnACommitThatFailedFailsWithIt) {
  ASSERT_EQ(run(tenant("zero")), "1-2");
  const std::uint64_t drawn = ids_.drawn();
  auto first = hold_up(tenant("one"));
  auto second = run_aside(tenant("two"));
  ASSERT_TRUE(await_drawn(drawn + 2));
  auto same = run_aside(tenant("one"));
  gate_.open(/*disk_is_full=*/true);
  EXPECT_THAT(first.get(), HasSubstr("free"));
  EXPECT_THAT(second.get(), HasSubstr("free"));
  EXPECT_THAT(same.get(), HasSubstr("free")) << "whichever group it came to";
  gate_.open();
  EXPECT_EQ(store().tail().tail.value, 2U);
  EXPECT_EQ(run(tenant("two")), "3-4");
  EXPECT_EQ(run(tenant("one")), "5-6");
  EXPECT_THAT(failed_checks(), IsEmpty());
}

TEST_F(WriterTest, ARefusalThatRestsOnACommitWaitsForIt) {
  auto first = hold_up(tenant("one"));
  auto same = run_aside(tenant("one"));
  EXPECT_EQ(same.wait_for(50ms), std::future_status::timeout);
  gate_.open();
  EXPECT_EQ(first.get(), "1-2");
  EXPECT_EQ(same.get(), "slug_taken");
}

TEST_F(WriterTest, ARetryOfWhatIsBeingWrittenWaitsForIt) {
  std::string with_id = tenant("one");
  with_id.insert(1, "'id':'00000000-0000-4000-8000-000000000777',");
  auto first = hold_up(with_id);
  auto retry = run_aside(with_id);
  EXPECT_EQ(retry.wait_for(50ms), std::future_status::timeout);
  gate_.open();
  EXPECT_EQ(first.get(), "1-2");
  EXPECT_EQ(retry.get(), "1-2");
  EXPECT_EQ(store().tail().tail.value, 2U);
}

TEST_F(WriterTest, ThoseWhoDoNotWaitAreDecidedMeanwhileToo) {
  gate_.close();
  std::vector<std::future<std::vector<Answer>>> under_way;
  under_way.push_back(store().submit_later({request(tenant("t0"))}, {}));
  ASSERT_TRUE(gate_.await_commit());
  for (int n = 1; n < 5; ++n) {
    under_way.push_back(store().submit_later({request(tenant("t" + std::to_string(n)))}, {}));
  }
  EXPECT_TRUE(await_drawn(5));
  gate_.open();
  std::vector<std::string> answers;
  for (auto& answer : under_way) answers.push_back(brief(answer.get().at(0)));
  EXPECT_THAT(answers, ElementsAre("1-2", "3-4", "5-6", "7-8", "9-10"));
}

// Its batch is finished while the commit before it is written, so that it can follow at once.
TEST_F(WriterTest, AGroupAsLargeAsWhatIsBeingWrittenIsClosed) {
  constexpr int kMany = 20;
  const auto later = [&](const std::string& name, int count) {
    std::vector<events::CommandRequest> commands;
    for (int n = 0; n < count; ++n) commands.push_back(request(tenant(name + std::to_string(n))));
    return store().submit_later(std::move(commands), {});
  };
  const std::uint64_t batches = store().status().batches;
  gate_.close();
  auto first = later("a", kMany);
  ASSERT_TRUE(gate_.await_commit());
  auto second = later("b", kMany);
  ASSERT_TRUE(await_drawn(2 * kMany));
  std::this_thread::sleep_for(300ms);  // Decided is not finished yet; nothing tells when.
  auto third = later("c", 1);
  gate_.open();
  EXPECT_THAT(first.get(), SizeIs(kMany));
  EXPECT_THAT(second.get(), SizeIs(kMany));
  EXPECT_THAT(third.get(), SizeIs(1));
  EXPECT_EQ(store().status().batches, batches + 3) << "the third did not join the second";
  EXPECT_THAT(failed_checks(), IsEmpty());
}

TEST_F(WriterTest, ACallOfManyCommitsGoesOnTopOfWhatIsBeingWritten) {
  auto first = hold_up(tenant("one"));
  auto many = std::async(std::launch::async, [this] {
    std::vector<std::string> lines;
    for (int n = 0; n < 7; ++n) lines.push_back(tenant("m" + std::to_string(n)));
    return run_all(lines, {.commit_commands_max = 2});
  });
  EXPECT_TRUE(await_drawn(3)) << "its first commit is decided";
  gate_.open();
  EXPECT_EQ(first.get(), "1-2");
  const std::vector<std::string> answers = many.get();
  ASSERT_THAT(answers, SizeIs(7));
  EXPECT_EQ(answers.front(), "3-4");
  EXPECT_EQ(answers.back(), "15-16");
  EXPECT_THAT(failed_checks(), IsEmpty());
}

}  // namespace
}  // namespace tenantry
