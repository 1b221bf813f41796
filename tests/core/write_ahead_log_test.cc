#include "core/write_ahead_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/file_ops.h"
#include "core/storage.h"
#include "tests/support/temp_directory.h"

namespace tenantry {
namespace {

namespace fs = std::filesystem;

// A write-ahead log as RocksDB writes it: a short write, one of many blocks, a short one.
class WriteAheadLogTest : public ::testing::Test {
 protected:
  static constexpr std::size_t kLongBytes = 150'000;

  WriteAheadLogTest() {
    RocksOptions options;
    options.directory = database_;
    options.create = true;
    const auto storage = open_rocks_storage(options);
    put(*storage, 100);
    first_bytes_ = end().bytes;
    put(*storage, kLongBytes);
    second_bytes_ = end().bytes;
    second_ = read_file(end().path).value();
    put(*storage, 100);
    path_ = end().path;
    third_ = read_file(path_).value();
  }
  // The log that ends so.
  LogFileEnd examined(const std::string& bytes) {
    write_file_durably(path_, bytes);
    return examine_log_file(path_);
  }
  static std::string garbled(std::string bytes, std::size_t at) {
    bytes.at(at) = static_cast<char>(bytes.at(at) ^ 0x40);
    return bytes;
  }

  TempDirectory directory_;
  const fs::path database_ = directory_ / "db";
  fs::path path_;
  std::uint64_t first_bytes_ = 0;
  std::uint64_t second_bytes_ = 0;
  std::string second_;  // The file after the second write.
  std::string third_;

 private:
  static void put(Storage& storage, std::size_t bytes) {
    ChangeSet changes;
    changes.put(Family::kMeta, "key", std::string(bytes, '\1'));
    ASSERT_EQ(storage.write(changes, /*sync=*/true), WriteResult::kDone);
  }
  [[nodiscard]] LogFileEnd end() const { return examine_log_files(database_).last.value(); }
};

TEST_F(WriteAheadLogTest, AWholeFileIsWhole) {
  for (const std::string& file : {second_, third_}) {
    const LogFileEnd end = examined(file);
    EXPECT_FALSE(end.damaged());
    EXPECT_FALSE(end.goes_on);
    EXPECT_EQ(end.bytes, file.size());
  }
}

TEST_F(WriteAheadLogTest, DamageOfTheLastWriteIsTheLastWhereverItLies) {
  for (std::uint64_t at = first_bytes_; at < second_bytes_; at += 3011) {
    const LogFileEnd end = examined(garbled(second_, at));
    EXPECT_TRUE(end.damaged()) << at;
    EXPECT_EQ(end.whole_bytes, first_bytes_) << at;
    EXPECT_FALSE(end.goes_on) << "the rest of the same write follows; damaged at " << at;
  }
}

TEST_F(WriteAheadLogTest, AWriteBehindTheDamageIsFoundWhereverThatLies) {
  for (std::uint64_t at = 0; at < second_bytes_; at += at < 16 ? 1 : 3011) {
    const LogFileEnd end = examined(garbled(third_, at));
    EXPECT_TRUE(end.goes_on) << at;
    EXPECT_EQ(end.whole_bytes, at < first_bytes_ ? 0 : first_bytes_) << at;
  }
}

TEST_F(WriteAheadLogTest, AFileThatIsCutShortEndsWithItsLastWholeWrite) {
  for (const std::uint64_t kept : {second_bytes_ - 1, first_bytes_ + 40'000, first_bytes_ + 3}) {
    const LogFileEnd end = examined(second_.substr(0, kept));
    EXPECT_TRUE(end.damaged()) << kept;
    EXPECT_FALSE(end.goes_on) << kept;
    EXPECT_EQ(end.whole_bytes, first_bytes_) << kept;
  }
}

TEST_F(WriteAheadLogTest, WritesAreInOrderAndCounted) {
  const LogSequence sequence = examined(third_).sequence;
  EXPECT_TRUE(sequence.in_order);
  EXPECT_EQ(sequence.end - sequence.first, 3U);
  EXPECT_EQ(examined(second_).sequence.end, sequence.end - 1);
}

// RocksDB aborts on it.
TEST_F(WriteAheadLogTest, AnOlderPieceOrFileBehindANewerOneIsFound) {
  EXPECT_FALSE(examined(third_ + third_.substr(0, first_bytes_)).sequence.in_order);
  (void)examined(third_);
  EXPECT_TRUE(examine_log_files(database_).sequence.in_order);
  write_file_durably(database_ / "999999.log", second_);
  EXPECT_FALSE(examine_log_files(database_).sequence.in_order);
}

TEST_F(WriteAheadLogTest, AnOlderDamagedFileIsNoMatterOfTheLastWrite) {
  (void)examined(garbled(third_, third_.size() - 1));
  EXPECT_TRUE(examine_log_files(database_).only_last_write_damaged());
  write_file_durably(database_ / "999999.log", third_);
  EXPECT_TRUE(examine_log_files(database_).older_damaged);
  EXPECT_THAT(examine_log_files(database_).older_damage,
              ::testing::HasSubstr(path_.filename().string()));
  EXPECT_FALSE(examine_log_files(database_).only_last_write_damaged());
  write_file_durably(database_ / "999999.log", garbled(third_, third_.size() - 1));
  EXPECT_FALSE(examine_log_files(database_).only_last_write_damaged());
}

}  // namespace
}  // namespace tenantry
