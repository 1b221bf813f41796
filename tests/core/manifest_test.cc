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
    storage->flush();
    put(*storage, "after");
    fs::copy(live_, database_);
    flushed_ = manifest_of(database_);
  }

  // Why the database with such a manifest is refused; empty when it is not.
  std::string refusal_of(const std::string& manifest) {
    write_file_durably(path_of(database_), manifest);
    try {
      (void)check_manifest(database_, examine_log_files(database_));
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
  static void put(Storage& storage, const std::string& key) {
    ChangeSet changes;
    for (const Family family : {Family::kMeta, Family::kLog, Family::kIndex, Family::kState}) {
      changes.put(family, key, "value");
    }
    ASSERT_EQ(storage.write(changes, /*sync=*/true), WriteResult::kDone);
  }

  TempDirectory directory_;
  const fs::path live_ = directory_ / "live";
  const fs::path database_ = directory_ / "crashed";
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
  const auto end_of = [&](const std::string& manifest) {
    write_file_durably(path_of(database_), manifest);
    return check_manifest(database_, examine_log_files(database_));
  };
  EXPECT_EQ(end_of(flushed_), std::nullopt);
  const auto cut = end_of(flushed_ + "half an edit");
  ASSERT_TRUE(cut.has_value());
  EXPECT_EQ(cut->whole_bytes, flushed_.size());
  EXPECT_FALSE(cut->goes_on);
  const std::string edit = flushed_.substr(records_of(flushed_).back());
  EXPECT_TRUE(end_of(flushed_ + "half an edit" + edit)->goes_on);
}

TEST_F(ManifestTest, OneThatGoesBackIsRefused) {
  EXPECT_THAT(refusal_of(flushed_ + flushed_), HasSubstr("goes back"));
}

TEST_F(ManifestTest, WhatIsNoManifestIsLeftToTheDatabase) {
  EXPECT_EQ(refusal_of(flushed_ + std::string(1000, '\0')), "");
  EXPECT_EQ(refusal_of(flushed_ + std::string(1000, 'x')), "");
  fs::remove(path_of(database_));
  EXPECT_EQ(check_manifest(database_, examine_log_files(database_)), std::nullopt);
  fs::remove(database_ / "CURRENT");
  EXPECT_EQ(check_manifest(database_, examine_log_files(database_)), std::nullopt);
}

}  // namespace
}  // namespace tenantry
