#include "tests/projections/sqlite_fixture.h"

namespace tenantry::projections {
namespace {

using ::testing::HasSubstr;

class SqliteRebuildTest : public SqliteTestBase {
 protected:
  void SetUp() override { log_.fill_every_table(); }
  static const TableVerification& found_of(const Verification& result, std::string_view name) {
    for (const TableVerification& one : result.tables) {
      if (one.table->name == name) return one;
    }
    throw std::logic_error("no such table");
  }
};

TEST_F(SqliteRebuildTest, ItIsASoundDatabaseThatReadersAndOneWriterShare) {
  run_rebuild();
  EXPECT_EQ(query("PRAGMA journal_mode"), "wal");
  EXPECT_EQ(query("PRAGMA integrity_check"), "ok");
  drop();
  run_rebuild({.from_events = true});
  EXPECT_EQ(query("PRAGMA integrity_check"), "ok");
}

TEST_F(SqliteRebuildTest, TheFileIsPutInPlaceWholeAndNothingElseIsLeft) {
  const auto files = [&] {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(file().directory())) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  };
  RebuildOptions options;
  options.progress = [&](const RebuildProgress&) { EXPECT_FALSE(std::filesystem::exists(path())); };
  const auto other = open();
  (void)std::get<Certificate>(rebuild(log_, *other, options));
  EXPECT_THAT(files(), ::testing::Contains("read_model.sqlite3"));
  for (const std::string& name : files()) EXPECT_THAT(name, ::testing::Not(HasSubstr("loading")));
}

TEST_F(SqliteRebuildTest, ALogOfChangesLeftByAnEarlierFileIsNotAppliedToTheNewOne) {
  run_rebuild();
  reopen();
  std::filesystem::copy_file(path(), beside("read_model.sqlite3-wal"));
  std::filesystem::remove(path());
  EXPECT_TRUE(run_rebuild().correct());
  EXPECT_EQ(query("PRAGMA integrity_check"), "ok");
}

// Law: whatever was done to the rows, an in-place rebuild brings back what a fresh one makes.
TEST_F(SqliteRebuildTest, RandomDamageIsMended) {
  constexpr std::uint64_t kSeed = 99;
  SCOPED_TRACE(kSeed);
  std::mt19937_64 random(kSeed);
  log_.append_random(random, 200);
  run_rebuild();
  const auto whole = digests();
  for (int round = 0; round < 10; ++round) {
    const std::string k = std::to_string(random() % 5 + 2);
    sql("PRAGMA foreign_keys=OFF;"
        "DELETE FROM tenants_tenant_user WHERE id % " +
        k +
        " = 0;"
        "UPDATE auth_user SET username = 'u' || id WHERE id % " +
        k +
        " = 1;"
        "CREATE TEMP TABLE n AS SELECT id, lead(username) OVER (ORDER BY id) AS u FROM auth_user;"
        "UPDATE auth_user SET username = 'x' || id;"
        "UPDATE auth_user SET username = (SELECT u FROM n WHERE n.id = auth_user.id) WHERE id < "
        "(SELECT max(id) FROM auth_user);"
        "UPDATE tenants_tenant SET slug = 's' || id, is_active = 7, created_at = 'never';"
        "DELETE FROM tenants_invitation WHERE rowid % " +
        k +
        " = 0;"
        "UPDATE tenants_tenantdomain SET tenant_id = 'nonsense' WHERE id % " +
        k + " = 0");
    EXPECT_NE(digests(), whole);
    EXPECT_TRUE(run_rebuild().correct());
    EXPECT_EQ(digests(), whole);
  }
}

TEST_F(SqliteRebuildTest, ValuesOfAnotherTypeAreDifferencesAndNoFault) {
  run_rebuild();
  sql("PRAGMA foreign_keys=OFF; UPDATE tenants_tenant SET created_at = 'never', is_active = 7, id "
      "= 'nonsense' WHERE slug = "
      "'globex'; UPDATE tenants_invitation SET message = x'ff'");
  const Verification result = run_verify();
  EXPECT_EQ(found_of(result, "tenants_tenant").unexpected, 1U);
  EXPECT_EQ(found_of(result, "tenants_tenant").missing, 1U);
  EXPECT_EQ(found_of(result, "tenants_invitation").differences[0].columns[0].found, "blob ff");
}

}  // namespace
}  // namespace tenantry::projections
