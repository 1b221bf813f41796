#include "core/store_lock.h"

#include <array>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <optional>

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/error.h"
#include "core/storage.h"
#include "tests/support/temp_directory.h"

namespace tenantry {
namespace {

using ::testing::HasSubstr;

constexpr int kGot = 0;
constexpr int kRefused = 7;

int try_lock(const std::filesystem::path& store) {
  try {
    const StoreLock lock(store);
    return kGot;
  } catch (const UnavailableError&) {
    return kRefused;
  }
}

int exit_code_of(pid_t child) {
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int in_child(const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) std::_Exit(body());
  return exit_code_of(child);
}

// A forked child that lives, and holds what it inherited, until this object ends.
class WaitingChild {
 public:
  WaitingChild() {
    EXPECT_EQ(::pipe(pipe_.data()), 0);
    child_ = ::fork();
    if (child_ == 0) {
      ::close(pipe_[1]);
      char byte = 0;
      while (::read(pipe_[0], &byte, 1) > 0) continue;
      std::_Exit(0);
    }
    ::close(pipe_[0]);
  }
  WaitingChild(const WaitingChild&) = delete;
  WaitingChild& operator=(const WaitingChild&) = delete;
  ~WaitingChild() {
    ::close(pipe_[1]);
    exit_code_of(child_);
  }

 private:
  std::array<int, 2> pipe_{};
  pid_t child_ = -1;
};

class StoreLockTest : public ::testing::Test {
 protected:
  TempDirectory store_;
};

TEST_F(StoreLockTest, SecondProcessIsRefused) {
  const StoreLock lock(store_.path());
  EXPECT_EQ(in_child([&] { return try_lock(store_.path()); }), kRefused);
}

TEST_F(StoreLockTest, SecondOwnerInTheSameProcessIsRefused) {
  const StoreLock lock(store_.path());
  EXPECT_EQ(try_lock(store_.path()), kRefused);
}

TEST_F(StoreLockTest, OtherPathToTheSameStoreIsRefused) {
  const StoreLock lock(store_.path());
  const TempDirectory elsewhere;
  std::filesystem::create_directory_symlink(store_.path(), elsewhere / "link");
  EXPECT_EQ(try_lock(elsewhere / "link"), kRefused);
}

TEST_F(StoreLockTest, RefusalNamesTheOwner) {
  const StoreLock lock(store_.path());
  try {
    const StoreLock second(store_.path());
    FAIL() << "two owners";
  } catch (const UnavailableError& error) {
    EXPECT_THAT(error.what(), HasSubstr(fmt::format("(pid {})", ::getpid())));
    EXPECT_FALSE(error.hint().empty());
  }
}

TEST_F(StoreLockTest, ShorterPidReplacesALongerOneWhole) {
  write_file_durably(store_ / StoreLock::kFileName, "99999999999999\n");
  const StoreLock lock(store_.path());
  EXPECT_EQ(read_file(store_ / StoreLock::kFileName), fmt::format("{}\n", ::getpid()));
}

TEST_F(StoreLockTest, EndOfTheObjectReleasesTheStore) {
  { const StoreLock lock(store_.path()); }
  EXPECT_EQ(try_lock(store_.path()), kGot);
}

TEST_F(StoreLockTest, MovedLockHoldsOnce) {
  std::optional<StoreLock> first(std::in_place, store_.path());
  const StoreLock second(std::move(*first));
  first.reset();
  EXPECT_EQ(try_lock(store_.path()), kRefused);
}

TEST_F(StoreLockTest, DeathOfTheOwnerReleasesTheStore) {
  const pid_t child = ::fork();
  if (child == 0) {
    const StoreLock lock(store_.path());
    ::raise(SIGKILL);
  }
  exit_code_of(child);
  EXPECT_EQ(try_lock(store_.path()), kGot);
}

TEST_F(StoreLockTest, LivingChildDoesNotKeepTheStoreOfItsParent) {
  std::optional<StoreLock> lock(std::in_place, store_.path());
  const WaitingChild child;
  lock.reset();
  EXPECT_EQ(try_lock(store_.path()), kGot);
}

TEST_F(StoreLockTest, ChildCannotReleaseTheStoreOfItsParent) {
  std::optional<StoreLock> lock(std::in_place, store_.path());
  const int released = in_child([&] {
    lock.reset();
    return 0;
  });
  ASSERT_EQ(released, 0);
  EXPECT_EQ(try_lock(store_.path()), kRefused);
}

TEST_F(StoreLockTest, OpeningAndClosingTheLockFileKeepsTheLock) {
  const StoreLock lock(store_.path());
  { const FileDescriptor file = open_file(store_ / StoreLock::kFileName, O_RDWR); }
  EXPECT_EQ(in_child([&] { return try_lock(store_.path()); }), kRefused);
}

TEST_F(StoreLockTest, LosingTheLockOfRocksDbKeepsOurs) {
  const StoreLock lock(store_.path());
  RocksOptions options;
  options.directory = store_ / "db";
  options.create = true;
  const auto storage = open_rocks_storage(options);
  { const FileDescriptor file = open_file(options.directory / "LOCK", O_RDONLY); }
  EXPECT_EQ(in_child([&] { return try_lock(store_.path()); }), kRefused);
}

TEST_F(StoreLockTest, WhoWaitsGetsTheStoreOnceItIsFree) {
  std::optional<StoreLock> owner(std::in_place, store_.path());
  int waits = 0;
  const StoreLock second(store_.path(), /*read_only=*/false, [&] {
    if (++waits == 3) owner.reset();
    return true;
  });
  EXPECT_EQ(waits, 3);
  EXPECT_EQ(try_lock(store_.path()), kRefused);
}

TEST_F(StoreLockTest, WhoStopsWaitingIsRefused) {
  const StoreLock owner(store_.path());
  int waits = 0;
  EXPECT_THROW(StoreLock(store_.path(), /*read_only=*/false, [&] { return ++waits < 3; }),
               UnavailableError);
  EXPECT_EQ(waits, 3);
}

// --- Where nothing can be written. The superuser may write anywhere, so nobody tries.

class StoreLockReadOnlyTest : public StoreLockTest {
 protected:
  void forbid_writing() {
    using std::filesystem::perms;
    const perms read = perms::owner_read | perms::group_read | perms::others_read;
    const perms enter = perms::owner_exec | perms::group_exec | perms::others_exec;
    if (std::filesystem::exists(lock_file_)) std::filesystem::permissions(lock_file_, read);
    std::filesystem::permissions(store_.path(), read | enter);
  }
  ~StoreLockReadOnlyTest() override {
    std::filesystem::permissions(store_.path(), std::filesystem::perms::owner_all);
  }
  int try_reading() {
    return in_child([&]() -> int {
      constexpr uid_t kNobody = 65534;
      if (::geteuid() == 0 && ::setuid(kNobody) != 0) return 1;
      try {
        const StoreLock lock(store_.path(), /*read_only=*/true);
        const StoreLock other(store_.path(), /*read_only=*/true);
        return kGot;
      } catch (const UnavailableError&) {
        return kRefused;
      }
    });
  }
  const std::filesystem::path lock_file_ = store_ / StoreLock::kFileName;
};

TEST_F(StoreLockReadOnlyTest, WhoOnlyReadsSharesIt) {
  { const StoreLock owner(store_.path()); }
  forbid_writing();
  EXPECT_EQ(try_reading(), kGot);
}

TEST_F(StoreLockReadOnlyTest, WhoReadsIsRefusedByWhoWrites) {
  const StoreLock owner(store_.path());
  forbid_writing();
  EXPECT_EQ(try_reading(), kRefused);
}

TEST_F(StoreLockReadOnlyTest, ADirectoryThatCannotBeEnteredIsRefused) {
  { const StoreLock owner(store_.path()); }
  std::filesystem::permissions(store_.path(), std::filesystem::perms::none);
  EXPECT_EQ(try_reading(), kRefused);
}

TEST_F(StoreLockReadOnlyTest, AStoreThatNobodyEverOwnedIsRead) {
  forbid_writing();
  EXPECT_EQ(try_reading(), kGot);
}

TEST_F(StoreLockTest, WhoOnlyReadsOwnsItAloneWhereItCanBeWritten) {
  const StoreLock lock(store_.path(), /*read_only=*/true);
  EXPECT_EQ(in_child([&] { return try_lock(store_.path()); }), kRefused);
}

TEST_F(StoreLockTest, AbsentStoreIsAnError) {
  EXPECT_THROW(StoreLock(store_ / "absent"), UnavailableError);
}

}  // namespace
}  // namespace tenantry
