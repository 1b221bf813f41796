#include <fstream>

#include <sys/stat.h>
#include <unistd.h>

#include "tests/projections/sqlite_fixture.h"

namespace tenantry::projections {
namespace {

using ::testing::HasSubstr;

constexpr std::uint32_t kPages = 64;  // Enough for the empty tables, too few for many users.

class SqliteFaultsTest : public SqliteTestBase {
 protected:
  void SetUp() override { log_.fill_every_table(); }
  void write_file(std::string_view bytes) const {
    std::ofstream(path(), std::ios::binary).write(bytes.data(), static_cast<long>(bytes.size()));
  }
  void overwrite(std::size_t offset, std::size_t size) const {
    std::fstream file(path(), std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(static_cast<long>(offset));
    file << std::string(size, '\xa5');
  }
  static ReadModel& keep(std::unique_ptr<ReadModel>& holder, SqliteOptions options) {
    holder = open_sqlite_read_model(std::move(options));
    return *holder;
  }
  void register_many() {
    for (std::int32_t id = 100; id < 1100; ++id) log_.register_user(id, "u" + std::to_string(id));
  }
  std::unique_ptr<ReadModel> other_;
};

TEST_F(SqliteFaultsTest, AFileThatIsNoDatabaseIsAWrongName) {
  write_file("This is a letter, and not a database; it is long enough to be taken for one.\n");
  EXPECT_EQ(usage_code([&] { run_rebuild(); }), "not_a_database");
  EXPECT_EQ(usage_code([&] { run_projector(); }), "not_a_database");
}

TEST_F(SqliteFaultsTest, ADamagedDatabaseIsCorruption) {
  register_many();
  run_rebuild();
  reopen();
  const auto size = std::filesystem::file_size(path());
  overwrite(4096, size - 4096);
  EXPECT_THROW(run_verify(), CorruptionError);
}

TEST_F(SqliteFaultsTest, ALockedDatabaseIsUnavailableWithAHint) {
  run_rebuild();
  reopen();
  sqlite::Connection writer({.path = path(), .access = sqlite::Access::kWrite});
  writer.execute("BEGIN IMMEDIATE");
  log_.rename_user(1, "anna");
  try {
    run_projector();
    FAIL();
  } catch (const UnavailableError& error) {
    EXPECT_THAT(error.what(), HasSubstr("is locked by another writer"));
    EXPECT_THAT(error.what(), HasSubstr(path().string()));
    EXPECT_FALSE(error.hint().empty());
  }
  writer.execute("ROLLBACK");
  EXPECT_EQ(run_projector().events, 1U);
}

// What a writer leaves that was killed while it changed the file itself: the changed pages, and the
// journal that has the old ones.
TEST_F(SqliteFaultsTest, WhatAKilledWriterLeftIsRolledBackByWhoReads) {
  run_rebuild();
  reopen();
  const std::filesystem::path changed = beside("changed");
  {
    sqlite::Connection writer({.path = path(), .access = sqlite::Access::kWrite});
    writer.execute("PRAGMA journal_mode=DELETE; PRAGMA cache_size=1; BEGIN IMMEDIATE");
    writer.execute(
        "CREATE TABLE filler AS WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1"
        " FROM n WHERE i < 200) SELECT randomblob(3000) AS bytes FROM n");
    std::filesystem::copy_file(path(), changed);
    std::filesystem::copy_file(path().string() + "-journal", changed.string() + "-journal");
    writer.execute("ROLLBACK");
  }
  auto& reader = keep(other_, {.path = changed, .read_only = true});
  EXPECT_EQ(reader.probe().mark->position, log_.end());
  EXPECT_TRUE(verify(log_, log_.state_at(), reader, {}).equal());
}

TEST_F(SqliteFaultsTest, ADirectoryThatIsNotThereIsUnavailable) {
  auto& lost = keep(other_, {.path = beside("nowhere") / "x.sqlite3"});
  EXPECT_THROW((void)rebuild(log_, lost, {}), UnavailableError);
  EXPECT_THROW((void)project(log_, lost, {}), UnavailableError);
}

TEST_F(SqliteFaultsTest, ADirectoryInThePlaceOfTheFileIsUnavailable) {
  auto& lost = keep(other_, {.path = file().directory()});
  EXPECT_THROW((void)project(log_, lost, {}), UnavailableError);
}

TEST_F(SqliteFaultsTest, AFileThatCannotBeWrittenIsUnavailable) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may write everything";
  run_rebuild();
  reopen();
  ASSERT_EQ(::chmod(path().c_str(), 0400), 0);
  EXPECT_THROW(run_rebuild(), UnavailableError);
}

TEST_F(SqliteFaultsTest, OpenedForReadingNothingIsWritten) {
  auto& reader = keep(other_, {.path = path(), .read_only = true});
  EXPECT_THROW((void)rebuild(log_, reader, {}), UsageError);
  EXPECT_FALSE(std::filesystem::exists(path()));
}

// A limit on the file's size stands for a disk that is full.
TEST_F(SqliteFaultsTest, AFullDiskStopsAProjectionBetweenTransactions) {
  register_many();
  auto& small = keep(other_, {.path = path(), .pages_max = kPages});
  try {
    (void)project(log_, small, {.batch_events = 100});
    FAIL();
  } catch (const UnavailableError& error) {
    EXPECT_THAT(error.what(), HasSubstr("disk is full"));
  }
  other_.reset();
  EXPECT_GT(target().probe().mark->position, Position{});
  EXPECT_TRUE(run_verify().equal()) << "what was committed is whole";
  EXPECT_EQ(run_projector().mark.position, log_.end()) << "it goes on when there is space";
  EXPECT_TRUE(run_verify().equal());
}

TEST_F(SqliteFaultsTest, AFullDiskLeavesNoFileOfAFreshRebuild) {
  register_many();
  auto& small = keep(other_, {.path = path(), .pages_max = kPages});
  EXPECT_THROW((void)rebuild(log_, small, {}), UnavailableError);
  EXPECT_TRUE(std::filesystem::is_empty(file().directory()));
}

TEST_F(SqliteFaultsTest, AFullDiskLeavesAnInPlaceRebuildAsItWas) {
  run_rebuild();
  const auto before = digests();
  const auto mark = target().probe().mark;
  reopen();
  register_many();
  auto& small = keep(other_, {.path = path(), .pages_max = kPages});
  EXPECT_THROW((void)rebuild(log_, small, {}), UnavailableError);
  other_.reset();
  EXPECT_EQ(digests(), before);
  EXPECT_EQ(target().probe().mark, mark);
}

// Keys are not enforced while a new file is loaded: what they forbid is found at its end.
TEST_F(SqliteFaultsTest, RowsThatReferToNothingAreNotPublished) {
  const auto load = target().begin_load({.mode = LoadMode::kFresh}, std::nullopt);
  const events::TableInfo& members = *events::find_table("tenants_tenant_user");
  log_.rows_now().rows->scan_rows(members, std::nullopt, [&](const StoredRow& row) {
    load->add(members, events::decode_row(members, row.bytes));
    return true;
  });
  EXPECT_EQ(usage_code([&] { (void)load->publish(Mark{}); }), "read_model_referenced");
  EXPECT_EQ(target().probe().presence, Presence::kAbsent);
}

// Rows go into a new file many at a time.
TEST_F(SqliteFaultsTest, ValuesThatCollideAreNamedByTheRowsThatWereWrittenAtOnce) {
  const events::TableInfo& proteins = *events::find_table("core_protein");
  const auto add_hundred = [&](std::int64_t twin) {
    const auto load = target().begin_load({.mode = LoadMode::kFresh}, std::nullopt);
    for (std::int64_t id = 1; id <= 100; ++id) {
      load->add(proteins, {id, "protein " + std::to_string(id == twin ? 1 : id)});
    }
    const LoadOutcome outcome = load->publish(Mark{});
    EXPECT_EQ(std::get<std::vector<TableChanges>>(outcome)[1].inserted, 100U);
  };
  for (const auto& [twin, ids] : {std::pair(40, "ids from 33 to 64"), std::pair(100, "id 100")}) {
    try {
      add_hundred(twin);
      ADD_FAILURE() << "a name was taken twice";
    } catch (const UsageError& error) {
      EXPECT_EQ(error.code(), "read_model_conflict");
      EXPECT_THAT(error.what(), HasSubstr(ids));
    }
    EXPECT_EQ(target().probe().presence, Presence::kAbsent);
  }
  add_hundred(0);
}

// Fail at the n-th row for n = 1, 2, … until none fails: what there was is there after each.
TEST_F(SqliteFaultsTest, AFailureAtAnyRowLeavesEverythingAsItWas) {
  run_rebuild();
  sql("UPDATE auth_user SET email = 'edited'");
  const auto before = digests();
  std::uint64_t failed = 0;
  for (std::uint64_t after = 0; after < 100; ++after) {
    struct Failure {};
    auto load = target().begin_load({.mode = LoadMode::kInPlace}, target().probe().mark);
    try {
      std::uint64_t rows = 0;
      const RowsAt at = log_.rows_now();
      for (const events::TableInfo& table : events::tables()) {
        at.rows->scan_rows(table, std::nullopt, [&](const StoredRow& row) {
          if (rows++ == after) throw Failure{};
          load->add(table, events::decode_row(table, row.bytes));
          return true;
        });
      }
      break;
    } catch (const Failure&) {
      load.reset();
      ++failed;
      EXPECT_EQ(digests(), before) << after;
    }
  }
  EXPECT_EQ(failed, 10U);
  EXPECT_TRUE(run_rebuild().correct());
}

}  // namespace
}  // namespace tenantry::projections
