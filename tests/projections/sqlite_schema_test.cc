#include <algorithm>
#include <fstream>

#include "tests/projections/sqlite_fixture.h"

namespace tenantry::projections {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAreArray;

using SqliteSchemaTest = SqliteTestBase;

std::vector<std::string> golden() {
  std::ifstream file(TENANTRY_SOURCE_DIR "/tests/projections/golden/sqlite_schema.sql");
  std::vector<std::string> statements;
  for (std::string line; std::getline(file, line);) {
    line.pop_back();  // The semicolon.
    statements.push_back(line);
  }
  return statements;
}

// What Django's own migrations of the reference models leave in sqlite_master.
TEST_F(SqliteSchemaTest, TheTablesAreWhatDjangoMakes) {
  ASSERT_THAT(golden(), SizeIs(27));
  EXPECT_THAT(target().schema_sql(), UnorderedElementsAreArray(golden()));
}

TEST_F(SqliteSchemaTest, CreatedTablesFitAndCreatingThemAgainMakesNothing) {
  EXPECT_THAT(target().create_missing(), SizeIs(27));
  const Probe probe = target().probe();
  EXPECT_EQ(probe.presence, Presence::kUnmarked);
  EXPECT_FALSE(probe.has_rows);
  EXPECT_THAT(probe.findings, IsEmpty());
  EXPECT_THAT(probe.missing_tables, IsEmpty());
  EXPECT_THAT(target().create_missing(), IsEmpty());
}

TEST_F(SqliteSchemaTest, NoFileIsAnAbsentReadModelAndLookingMakesNone) {
  EXPECT_EQ(target().probe().presence, Presence::kAbsent);
  EXPECT_FALSE(std::filesystem::exists(path()));
}

TEST_F(SqliteSchemaTest, ADatabaseOfOthersIsAnAbsentReadModel) {
  sql("CREATE TABLE shop_order (id integer)");
  EXPECT_EQ(target().probe().presence, Presence::kAbsent);
}

TEST_F(SqliteSchemaTest, MigrationsAreRecordedOnlyWhereDjangosOwnAre) {
  sql("CREATE TABLE django_migrations (id integer NOT NULL PRIMARY KEY AUTOINCREMENT, app text, "
      "name text, applied datetime)");
  EXPECT_EQ(usage_code([&] { target().create_missing(); }), "django_migrate_first");
  sql(golden().front());  // auth_user
  target().create_missing();
  EXPECT_EQ(query("SELECT count(*) FROM django_migrations"), "0");
  sql("INSERT INTO django_migrations VALUES (1, 'auth', '0001_initial', '')");
  target().create_missing();
  EXPECT_EQ(query("SELECT group_concat(app || ' ' || name) FROM django_migrations WHERE id > 1"),
            "core 0001_initial,tenants 0001_initial");
  for (const Migration& migration : target().migrations()) EXPECT_TRUE(migration.applied);
}

TEST_F(SqliteSchemaTest, MissingNamesWhatWouldBeMadeAndMakesNothing) {
  const auto all = target().missing();
  EXPECT_FALSE(std::filesystem::exists(path()));
  EXPECT_EQ(target().create_missing(), all);
  sql("DROP INDEX td_domain_idx; ALTER TABLE tenants_tenantdomain DROP COLUMN is_active");
  const std::vector<std::string> gone = {"column tenants_tenantdomain.is_active",
                                         "index td_domain_idx"};
  EXPECT_EQ(target().missing(), gone);
  EXPECT_EQ(query("SELECT count(*) FROM sqlite_master WHERE name = 'td_domain_idx'"), "0");
  EXPECT_EQ(target().create_missing(), gone);
}

// Nobody knows who was a superuser: the column is left to whoever does.
TEST_F(SqliteSchemaTest, AColumnThatCannotBeGuessedIsNotAdded) {
  target().create_missing();
  sql("ALTER TABLE auth_user DROP COLUMN is_superuser");
  reopen();
  EXPECT_THAT(target().create_missing(), IsEmpty());
  const Probe probe = target().probe();
  ASSERT_THAT(probe.findings, SizeIs(1));
  EXPECT_EQ(probe.findings[0].message, "column is_superuser is missing");
  EXPECT_EQ(probe.findings[0].remedy, "");
}

TEST_F(SqliteSchemaTest, ARecordedMigrationWhoseTablesAreGoneIsAGhost) {
  sql("CREATE TABLE django_migrations (id integer, app text, name text, applied datetime);"
      "INSERT INTO django_migrations VALUES (1, 'core', '0001_initial', '')");
  const Probe probe = target().probe();
  EXPECT_EQ(probe.presence, Presence::kAbsent);
  ASSERT_THAT(probe.findings, SizeIs(1));
  EXPECT_EQ(probe.findings[0].severity, Severity::kWarning);
  EXPECT_EQ(probe.findings[0].message,
            "core 0001_initial is on record, but the table core_protein is missing");
  sql(probe.findings[0].remedy);
  EXPECT_THAT(target().probe().findings, IsEmpty());
}

struct Drift {
  const char* name;
  const char* sql;
  Severity severity;
  const char* message;
};

class SqliteDriftTest : public SqliteTestBase, public ::testing::WithParamInterface<Drift> {};

TEST_P(SqliteDriftTest, IsFound) {
  target().create_missing();
  reopen();
  sql(GetParam().sql);
  const Probe probe = target().probe();
  ASSERT_THAT(probe.findings, SizeIs(1)) << probe.findings.front().message;
  EXPECT_THAT(probe.findings[0].message, HasSubstr(GetParam().message));
  EXPECT_EQ(probe.findings[0].severity, GetParam().severity);
  EXPECT_EQ(probe.fits(), GetParam().severity == Severity::kWarning);
  if (!probe.findings[0].remedy.empty()) {
    sql(probe.findings[0].remedy);
    EXPECT_THAT(target().probe().findings, IsEmpty()) << "the remedy mends it";
  }
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, SqliteDriftTest,
    ::testing::Values(
        Drift{"column", "ALTER TABLE tenants_tenantdomain DROP COLUMN is_active", Severity::kFatal,
              "column is_active is missing"},
        Drift{"extra", "ALTER TABLE tenants_tenant ADD COLUMN plan text", Severity::kWarning,
              "column plan is not part"},
        Drift{"index", "DROP INDEX td_domain_idx", Severity::kWarning,
              "index on (domain) is missing"},
        Drift{"unique", "DROP INDEX unique_pending_invitation_per_tenant_email", Severity::kFatal,
              "unique index on (tenant_id,email) is missing"},
        Drift{"more_unique", "CREATE UNIQUE INDEX u ON auth_user (email)", Severity::kFatal,
              "unique index u (email) is not part"},
        Drift{"trigger",
              "CREATE TRIGGER g AFTER INSERT ON auth_user BEGIN DELETE FROM core_protein; END",
              Severity::kFatal, "trigger g"}),
    [](const auto& drift) { return std::string(drift.param.name); });

TEST_F(SqliteSchemaTest, AColumnOfAnotherTypeIsFatal) {
  sql("CREATE TABLE core_protein (id integer NOT NULL PRIMARY KEY AUTOINCREMENT, name integer NULL "
      "UNIQUE)");
  const Probe probe = target().probe();
  EXPECT_FALSE(probe.fits());
  ASSERT_THAT(probe.findings, SizeIs(2));
  EXPECT_EQ(probe.findings[0].message, "column name is integer instead of varchar(50)");
  EXPECT_EQ(probe.findings[1].message, "column name may be NULL");
  EXPECT_EQ(usage_code([&] { run_projector(); }), "read_model_shape");
  EXPECT_EQ(usage_code([&] { run_rebuild(); }), "read_model_shape");
}

}  // namespace
}  // namespace tenantry::projections
