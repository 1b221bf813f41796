#include "core/ack_file.h"

#include <csignal>
#include <cstdlib>
#include <random>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "core/error.h"
#include "core/file_ops.h"
#include "tests/support/temp_directory.h"

namespace tenantry {
namespace {

using ::testing::HasSubstr;

Ack ack(std::uint64_t batch_seq, bool closed = false) {
  Ack result;
  result.incarnation = 1;
  result.term = 2;
  result.batch_seq = batch_seq;
  result.tail = batch_seq * 10;
  result.head_digest.fill(static_cast<std::uint8_t>(batch_seq));
  result.closed = closed;
  return result;
}

class AckFileTest : public ::testing::Test {
 protected:
  std::string bytes() { return read_file(path_).value(); }
  void flip(std::size_t at) {
    std::string changed = bytes();
    changed[at] = static_cast<char>(changed[at] ^ 0x10);
    write_file_durably(path_, changed);
  }
  // Two valid slots: the first holds batch 1, the second batch 2.
  void write_both_slots() {
    AckFile file(path_, ack(1));
    file.note(ack(2));
  }

  TempDirectory directory_;
  const std::filesystem::path path_ = directory_ / "ack";
};

TEST_F(AckFileTest, AbsentFileGivesNothing) { EXPECT_EQ(AckFile::read(path_), std::nullopt); }

TEST_F(AckFileTest, NewFileHoldsWhatItWasOpenedWith) {
  const AckFile file(path_, ack(7));
  EXPECT_EQ(AckFile::read(path_), ack(7));
}

// The layout is for ever.
TEST_F(AckFileTest, SlotIsWrittenByteForByte) {
  Ack written;
  written.incarnation = 0x0102030405060708;
  written.term = 3;
  written.batch_seq = 4;
  written.tail = 0xFF00;
  for (std::size_t i = 0; i < written.head_digest.size(); ++i) {
    written.head_digest[i] = static_cast<std::uint8_t>(0xA0 + i);
  }
  { AckFile(path_, ack(1)).close(written); }
  const std::string slot = bytes().substr(64);
  EXPECT_EQ(bytes().size(), 128U);
  EXPECT_EQ(slot.substr(0, 4), "TACK");
  EXPECT_EQ(slot.substr(4, 4), "\x46\xa5\x34\x02");
  EXPECT_EQ(slot.substr(8, 8), "\x08\x07\x06\x05\x04\x03\x02\x01");
  EXPECT_EQ(slot.substr(16, 8), std::string("\x03\0\0\0\0\0\0\0", 8));
  EXPECT_EQ(slot.substr(24, 8), std::string("\x04\0\0\0\0\0\0\0", 8));
  EXPECT_EQ(slot.substr(32, 8), std::string("\0\xff\0\0\0\0\0\0", 8));
  EXPECT_EQ(slot.substr(40, 16),
            "\xa0\xa1\xa2\xa3\xa4\xa5\xa6\xa7\xa8\xa9\xaa\xab\xac\xad\xae\xaf");
  EXPECT_EQ(slot.substr(56, 8), std::string("\x01\0\0\0\0\0\0\0", 8));
}

TEST_F(AckFileTest, NotedAckIsWritten) {
  write_both_slots();
  EXPECT_EQ(AckFile::read(path_), ack(2));
}

TEST_F(AckFileTest, NewestSlotCountsWhereverItLies) {
  {
    AckFile file(path_, ack(1));
    file.close(ack(2));
  }
  { const AckFile file(path_, ack(3)); }
  EXPECT_EQ(AckFile::read(path_), ack(3));
}

TEST_F(AckFileTest, OlderAckIsIgnored) {
  {
    AckFile file(path_, ack(5));
    file.note(ack(4));
  }
  EXPECT_EQ(AckFile::read(path_), ack(5));
}

TEST_F(AckFileTest, TermCountsBeforeBatchNumber) {
  Ack later = ack(1);
  later.term = 3;
  {
    AckFile file(path_, ack(9));
    file.note(later);
  }
  EXPECT_EQ(AckFile::read(path_), later);
}

TEST_F(AckFileTest, CloseIsFlagged) {
  AckFile file(path_, ack(1));
  file.note(ack(2));
  file.close(ack(2));
  EXPECT_EQ(AckFile::read(path_), ack(2, /*closed=*/true));
}

// Else the first commit after an idle term, and a crash, would look like a tail beyond a closed
// store.
TEST_F(AckFileTest, OpeningClearsTheClosedFlagEvenInTheSameTerm) {
  AckFile(path_, ack(1)).close(ack(2));
  const AckFile file(path_, ack(2, /*closed=*/true));
  EXPECT_EQ(AckFile::read(path_), ack(2));
}

TEST_F(AckFileTest, OtherSlotStandsInForAnyTornOne) {
  for (std::size_t at = 0; at < AckFile::kFileBytes; ++at) {
    std::filesystem::remove(path_);
    write_both_slots();
    flip(at);
    EXPECT_EQ(AckFile::read(path_), at < AckFile::kSlotBytes ? ack(2) : ack(1)) << "byte " << at;
  }
}

TEST_F(AckFileTest, TornSlotIsTheNextOneWritten) {
  write_both_slots();
  flip(AckFile::kSlotBytes);
  { const AckFile file(path_, ack(3)); }
  flip(AckFile::kSlotBytes);
  EXPECT_EQ(AckFile::read(path_), ack(1));
}

TEST_F(AckFileTest, FileWithoutValidSlotIsCorrupt) {
  write_both_slots();
  flip(10);
  flip(AckFile::kSlotBytes + 10);
  try {
    (void)AckFile::read(path_);
    FAIL() << "damage passed for an ack";
  } catch (const CorruptionError& error) {
    EXPECT_THAT(error.what(), HasSubstr(path_.string()));
  }
}

TEST_F(AckFileTest, CutFileGivesTheSlotThatIsWhole) {
  write_both_slots();
  std::filesystem::resize_file(path_, 100);
  EXPECT_EQ(AckFile::read(path_), ack(1));
  std::filesystem::resize_file(path_, 63);
  EXPECT_THROW((void)AckFile::read(path_), CorruptionError);
  std::filesystem::resize_file(path_, 0);
  EXPECT_THROW((void)AckFile::read(path_), CorruptionError);
}

TEST_F(AckFileTest, CutFileIsMadeWholeByOpening) {
  write_both_slots();
  std::filesystem::resize_file(path_, 100);
  const AckFile file(path_, ack(3));
  EXPECT_EQ(bytes().size(), AckFile::kFileBytes);
  EXPECT_EQ(AckFile::read(path_), ack(3));
}

TEST_F(AckFileTest, NewestOfManyThreadsIsWritten) {
  constexpr std::uint64_t kPerThread = 2000;
  {
    AckFile file(path_, ack(0));
    std::vector<std::jthread> threads;
    for (std::uint64_t thread = 0; thread < 4; ++thread) {
      threads.emplace_back([&file, thread] {
        for (std::uint64_t i = 0; i < kPerThread; ++i) file.note(ack(i * 4 + thread + 1));
      });
    }
  }
  EXPECT_EQ(AckFile::read(path_), ack(4 * kPerThread));
}

// Runs in a process of its own, whose writes into the second slot fail.
[[noreturn]] void fail_to_close(const std::filesystem::path& path) {
  AckFile file(path, ack(1));
  std::signal(SIGXFSZ, SIG_IGN);
  const struct rlimit limit { AckFile::kSlotBytes, AckFile::kSlotBytes };
  if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) std::_Exit(2);
  file.note(ack(2));
  try {
    file.close(ack(3));
  } catch (const UnavailableError& error) {
    const bool named = std::string(error.what()).find(path.string()) != std::string::npos;
    std::_Exit(named && file.error() == error.what() ? 0 : 3);
  }
  std::_Exit(1);
}

TEST_F(AckFileTest, FailedWriteIsReportedAtCloseAndSparesTheDurableSlot) {
  EXPECT_EXIT(fail_to_close(path_), ::testing::ExitedWithCode(0), "");
  EXPECT_EQ(AckFile::read(path_), ack(1));
}

}  // namespace
}  // namespace tenantry
