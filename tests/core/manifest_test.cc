#include "core/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/file_ops.h"
#include "core/log_fragments.h"
#include "core/storage.h"
#include "tests/support/temp_directory.h"

namespace tenantry {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

// A database that was opened twice, flushed meanwhile, and killed while its write-ahead log held
// something.
class ManifestTest : public ::testing::Test {
 protected:
  ManifestTest() {
    {
      const auto storage = open_rocks_storage({.directory = live_, .create = true});
      put(*storage, "before");
    }
    first_ = manifest_of(live_);
    const auto storage = open_rocks_storage({.directory = live_});
    opened_ = manifest_of(live_);
    put(*storage, "flushed");
    fs::copy(live_, unflushed_);
    storage->flush();
    put(*storage, "after");
    fs::copy(live_, database_);
    flushed_ = manifest_of(database_);
  }

  static std::optional<LogFileEnd> checked(const fs::path& database) {
    const ManifestCheck manifest(database);
    return manifest.check(examine_log_files(database, manifest.oldest_log()));
  }
  // Why the database with such a manifest is refused; empty when it is not.
  std::string refusal_of(const std::string& manifest) {
    write_file_durably(path_of(database_), manifest);
    try {
      (void)checked(database_);
    } catch (const CorruptionError& error) {
      EXPECT_THAT(error.what(), HasSubstr("MANIFEST-"));
      return error.what();
    }
    return {};
  }
  // Where the records of a manifest that is shorter than a block begin.
  static std::vector<std::size_t> records_of(const std::string& manifest) {
    std::vector<std::size_t> begins;
    std::size_t at = 0;
    while (const auto fragment = log_fragments::fragment_at(manifest, at)) {
      begins.push_back(at);
      at += fragment->bytes;
    }
    return begins;
  }
  static fs::path path_of(const fs::path& database) {
    const std::string named = read_file(database / "CURRENT").value();
    return database / named.substr(0, named.size() - 1);
  }
  static std::string manifest_of(const fs::path& database) {
    return read_file(path_of(database)).value();
  }
  // What is found of such a manifest of the database before its flush: the write-ahead log still
  // has all.
  [[nodiscard]] LogFileEnd end_of(const std::string& manifest) const {
    write_file_durably(path_of(unflushed_), manifest);
    const auto end = checked(unflushed_);
    return end.value_or(LogFileEnd{{}, manifest.size(), manifest.size(), false, {}});
  }
  // Where the edits of the flush begin: one for each family, and one that lets go of the log.
  // Before them, one says how much of the log was synced.
  [[nodiscard]] std::vector<std::size_t> group() const {
    const std::vector<std::size_t> places = records_of(flushed_);
    EXPECT_EQ(places.size(), records_of(opened_).size() + 1 + kGroupSize);
    return {places.end() - static_cast<std::ptrdiff_t>(kGroupSize), places.end()};
  }
  static void put(Storage& storage, const std::string& key) {
    ChangeSet changes;
    for (const Family family :
         {Family::kMeta, Family::kLog, Family::kIndex, Family::kState, Family::kIdempotency}) {
      changes.put(family, key, "value");
    }
    ASSERT_EQ(storage.write(changes, /*sync=*/true), WriteResult::kDone);
  }

  static constexpr std::size_t kGroupSize = kFamilyCount + 1;

  TempDirectory directory_;
  const fs::path live_ = directory_ / "live";
  const fs::path database_ = directory_ / "crashed";
  const fs::path unflushed_ = directory_ / "unflushed";
  std::string first_;    // The manifest of the first opening,
  std::string opened_;   // of the second, as it was begun,
  std::string flushed_;  // and as it was in the end.
};

TEST_F(ManifestTest, AWholeOneIsTaken) { EXPECT_EQ(refusal_of(flushed_), ""); }

TEST_F(ManifestTest, AnOlderOneUnderItsNameIsRefused) {
  EXPECT_THAT(refusal_of(first_), HasSubstr("is an older one"));
}

TEST_F(ManifestTest, OneWhoseBeginningIsNotWholeIsRefused) {
  ASSERT_GT(records_of(opened_).size(), 5U);
  for (const std::size_t begin : records_of(opened_)) {
    EXPECT_THAT(refusal_of(opened_.substr(0, begin)), HasSubstr("its end is lost")) << begin;
    EXPECT_THAT(refusal_of(opened_.substr(0, begin + 3)), HasSubstr("its end is lost")) << begin;
  }
}

// The write-ahead log that held the changes went with the flush.
TEST_F(ManifestTest, OneThatLostAFlushIsRefused) {
  EXPECT_THAT(refusal_of(opened_), HasSubstr("what lies between is lost"));
}

// A crash leaves an edit half done only before anything rests on it.
TEST_F(ManifestTest, OneWhoseFlushIsDamagedIsRefused) {
  std::string damaged = flushed_;
  const auto begins = records_of(flushed_);
  ASSERT_GT(begins.size(), records_of(opened_).size());
  damaged.at(begins.at(records_of(opened_).size()) + log_fragments::kHeaderBytes) ^= 1;
  EXPECT_THAT(refusal_of(damaged), HasSubstr("what lies between is lost"));
}

TEST_F(ManifestTest, ItTellsWhereItStopsBeingWhole) {
  EXPECT_FALSE(end_of(flushed_).damaged());
  const LogFileEnd cut = end_of(flushed_ + "half an edit");
  EXPECT_EQ(cut.whole_bytes, flushed_.size());
  EXPECT_FALSE(cut.goes_on);
  const std::size_t second = records_of(opened_).at(1);
  EXPECT_TRUE(end_of(flushed_ + "half an edit" + opened_.substr(0, second)).goes_on);
}

// The edits of a group are written one after the other, and synced together.
TEST_F(ManifestTest, AGroupOfEditsIsLeftHalfDoneAsAWhole) {
  const auto places = group();
  for (const std::size_t place : places) {
    std::string garbled = flushed_;
    garbled.at(place + log_fragments::kHeaderBytes) ^= 1;
    for (const std::string& manifest : {flushed_.substr(0, place), garbled}) {
      const LogFileEnd end = end_of(manifest);
      EXPECT_EQ(end.whole_bytes, places.front()) << place;
      EXPECT_FALSE(end.goes_on) << place;
    }
  }
}

TEST_F(ManifestTest, NothingFollowsAGroupThatIsHalfDone) {
  const auto places = group();
  const std::string edits = flushed_.substr(places.front());
  const std::string single = flushed_.substr(opened_.size(), places.front() - opened_.size());
  for (const std::size_t place : places) {
    std::string garbled = flushed_;
    garbled.at(place + log_fragments::kHeaderBytes) ^= 1;
    EXPECT_TRUE(end_of(garbled + single).goes_on) << "an edit that is of no group, " << place;
    EXPECT_TRUE(end_of(garbled + edits).goes_on) << "another group, " << place;
  }
  EXPECT_TRUE(end_of(opened_ + "half an edit" + edits).goes_on) << "a whole group";
}

// A power loss brings back a file that was removed; it is not read, whatever is in it.
TEST_F(ManifestTest, ItTellsWhichLogsAreReadNoMore) {
  const auto log_of = [](const fs::path& database) {
    return examine_log_files(database).last.value().path.filename();
  };
  const fs::path before = log_of(unflushed_);
  EXPECT_EQ(examine_log_files(unflushed_, ManifestCheck(unflushed_).oldest_log()).last->path,
            unflushed_ / before);
  std::string half = read_file(unflushed_ / before).value();
  half.pop_back();
  write_file_durably(database_ / before, half);
  EXPECT_TRUE(examine_log_files(database_).older_damaged);
  const LogFilesEnd files = examine_log_files(database_, ManifestCheck(database_).oldest_log());
  EXPECT_FALSE(files.older_damaged);
  EXPECT_EQ(files.first_sequences.size(), 1U);
  EXPECT_EQ(checked(database_), std::nullopt);
}

TEST_F(ManifestTest, OneThatGoesBackIsRefused) {
  EXPECT_THAT(refusal_of(flushed_ + flushed_), HasSubstr("goes back"));
}

TEST_F(ManifestTest, WhatIsNoManifestIsLeftToTheDatabase) {
  EXPECT_EQ(refusal_of(flushed_ + std::string(1000, '\0')), "");
  EXPECT_EQ(refusal_of(flushed_ + std::string(1000, 'x')), "");
  fs::remove(path_of(database_));
  EXPECT_EQ(checked(database_), std::nullopt);
  fs::remove(database_ / "CURRENT");
  EXPECT_EQ(checked(database_), std::nullopt);
}

}  // namespace
}  // namespace tenantry
