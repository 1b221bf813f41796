#include "core/file_ops.h"

#include <csignal>
#include <cstdlib>
#include <fstream>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "core/error.h"
#include "tests/support/temp_directory.h"

namespace tenantry {
namespace {

using ::testing::HasSubstr;

class FileOpsTest : public ::testing::Test {
 protected:
  mode_t mode_of(const std::filesystem::path& path) {
    struct stat status {};
    EXPECT_EQ(::stat(path.c_str(), &status), 0);
    return status.st_mode & 07777;
  }

  TempDirectory directory_;
  const std::filesystem::path file_ = directory_ / "file";
};

TEST_F(FileOpsTest, WrittenBytesAreReadBack) {
  const std::string bytes("a\0b\n", 4);
  write_file_durably(file_, bytes);
  EXPECT_EQ(read_file(file_), bytes);
}

TEST_F(FileOpsTest, LargeFileIsReadWhole) {
  const std::string bytes(200'001, 'x');
  write_file_durably(file_, bytes);
  EXPECT_EQ(read_file(file_), bytes);
}

TEST_F(FileOpsTest, WritingReplacesTheOldContentAndLeavesNoTemporaryFile) {
  write_file_durably(file_, "a long first content");
  write_file_durably(file_, "second");
  EXPECT_EQ(read_file(file_), "second");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory_.path()), {}), 1);
}

TEST_F(FileOpsTest, TemporaryFileOfACrashIsOverwritten) {
  std::ofstream(file_.string() + ".tmp") << "longer than what comes next";
  write_file_durably(file_, "new");
  EXPECT_EQ(read_file(file_), "new");
}

// Opening a pipe that nobody writes to would wait for ever.
TEST_F(FileOpsTest, WhatIsNotAFileIsRefusedAtOnce) {
  ASSERT_EQ(::mkfifo(file_.c_str(), 0600), 0);
  const auto refused = [](const std::filesystem::path& path, const auto& open) {
    try {
      open(path);
      ADD_FAILURE() << path << " was opened";
    } catch (const UnavailableError& error) {
      EXPECT_THAT(error.what(), HasSubstr(path.string() + " is not a file, but a"));
      EXPECT_THAT(error.hint(), HasSubstr("put the file back"));
    }
  };
  for (const std::filesystem::path& path :
       {file_, directory_.path(), std::filesystem::path("/dev/zero")}) {
    refused(path, [](const auto& opened) { (void)read_file(opened); });
    refused(path, [](const auto& opened) { (void)open_file(opened, O_RDONLY); });
  }
}

TEST_F(FileOpsTest, WhatALinkLeadsToIsNotCopied) {
  write_file_durably(file_, "secret");
  std::filesystem::create_symlink(file_, directory_ / "link");
  try {
    copy_file_durably(directory_ / "link", directory_ / "copy");
    ADD_FAILURE() << "it was copied";
  } catch (const UnavailableError& error) {
    EXPECT_THAT(error.what(), HasSubstr("link"));
    EXPECT_THAT(error.hint(), HasSubstr("only directories may be symbolic links"));
  }
  EXPECT_FALSE(std::filesystem::exists(directory_ / "copy"));
}

TEST_F(FileOpsTest, OnlyTheOwnerMayReadFilesAndDirectories) {
  write_file_durably(file_, "secret");
  make_private_directory(directory_ / "private");
  EXPECT_EQ(mode_of(file_), 0600U);
  EXPECT_EQ(mode_of(directory_ / "private"), 0700U);
}

TEST_F(FileOpsTest, AbsentFileIsNoError) { EXPECT_EQ(read_file(file_), std::nullopt); }

TEST_F(FileOpsTest, ErrorsNameThePathAndTheReason) {
  try {
    write_file_durably(directory_ / "absent" / "file", "x");
    FAIL() << "no error";
  } catch (const UnavailableError& error) {
    EXPECT_THAT(error.what(), HasSubstr((directory_ / "absent" / "file").string()));
    EXPECT_THAT(error.what(), HasSubstr("No such file or directory"));
    EXPECT_THAT(error.hint(),
                HasSubstr("no directory " + (directory_ / "absent").string() + ": make it"));
  }
}

TEST_F(FileOpsTest, UnreadableFileIsAnError) {
  EXPECT_THROW((void)read_file(directory_.path()), UnavailableError);
  EXPECT_THROW(fsync_directory(directory_ / "absent"), UnavailableError);
  EXPECT_THROW((void)free_space(directory_ / "absent"), UnavailableError);
}

TEST_F(FileOpsTest, ExistingDirectoryIsAccepted) {
  make_private_directory(directory_ / "private");
  EXPECT_NO_THROW(make_private_directory(directory_ / "private"));
}

TEST_F(FileOpsTest, FileInPlaceOfADirectoryIsAnError) {
  write_file_durably(file_, "");
  EXPECT_THROW(make_private_directory(file_), UnavailableError);
}

TEST_F(FileOpsTest, FullDiskIsNamedWithAHint) {
  try {
    throw_file_error("write", "/store/file", ENOSPC);
  } catch (const UnavailableError& error) {
    EXPECT_STREQ(error.what(), "cannot write /store/file: No space left on device");
    EXPECT_THAT(error.hint(), HasSubstr("free disk space"));
  }
}

// Runs in a process of its own, which may write files of at most 8 bytes.
[[noreturn]] void fail_to_write(const std::filesystem::path& file) {
  std::signal(SIGXFSZ, SIG_IGN);
  const struct rlimit limit { 8, 8 };
  if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) std::_Exit(2);
  try {
    write_file_durably(file, "more than eight bytes");
  } catch (const UnavailableError&) {
    std::_Exit(0);
  }
  std::_Exit(1);
}

TEST_F(FileOpsTest, FailedWriteLeavesTheOldContent) {
  write_file_durably(file_, "old");
  EXPECT_EXIT(fail_to_write(file_), ::testing::ExitedWithCode(0), "");
  EXPECT_EQ(read_file(file_), "old");
  EXPECT_FALSE(std::filesystem::exists(file_.string() + ".tmp"));
}

TEST_F(FileOpsTest, FreeSpaceIsKnown) { EXPECT_GT(free_space(directory_.path()), 0U); }

}  // namespace
}  // namespace tenantry
