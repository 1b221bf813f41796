#include <cerrno>
#include <utility>

#include <gtest/gtest.h>

#include "core/error.h"
#include "core/file_ops.h"
#include "tests/support/temp_directory.h"

namespace {

bool next_sync_fails = false;

}  // namespace

// The linker directs the calls of `fsync` in our objects here (tests/core/CMakeLists.txt).
// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming): the linker's names.
extern "C" {

int __real_fsync(int descriptor);

int __wrap_fsync(int descriptor) {
  if (!std::exchange(next_sync_fails, false)) return __real_fsync(descriptor);
  errno = EIO;
  return -1;
}

}  // extern "C"
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)

namespace tenantry {
namespace {

// After a sync that failed the system may have forgotten what was to be written: the next one
// proves nothing.
TEST(FailedSyncTest, IsNotTriedAgainAndBelieved) {
  const TempDirectory directory;
  const std::filesystem::path file = directory / "file";
  write_file_durably(file, "old");
  next_sync_fails = true;
  EXPECT_THROW(write_file_durably(file, "new"), UnavailableError);
  EXPECT_FALSE(next_sync_fails);
  EXPECT_EQ(read_file(file), "old");
}

}  // namespace
}  // namespace tenantry
