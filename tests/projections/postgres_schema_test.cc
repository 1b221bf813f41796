#include <fstream>

#include "core/error.h"
#include "projections/postgres/postgres_read_model.h"
#include "tests/projections/postgres_schema_fixture.h"

namespace tenantry::projections::postgres {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAreArray;

using PostgresSchemaTest = PostgresSchemaTestBase;

// The lines of a file with what PostgreSQL says of the tables that the reference application's own
// migrations make, without the heading.
std::vector<std::string> golden(const std::string& name) {
  std::ifstream file(TENANTRY_SOURCE_DIR "/tests/projections/golden/postgres_" + name + ".tsv");
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  if (!lines.empty()) lines.erase(lines.begin());
  return lines;
}

std::vector<std::string> lines_of(const pqxx::result& result) {
  std::vector<std::string> lines;
  for (const pqxx::row& row : result) {
    std::string line;
    for (const pqxx::field& field : row) {
      line += (line.empty() ? "" : "\t") + std::string(field.c_str());
    }
    lines.push_back(line);
  }
  return lines;
}

TEST_F(PostgresSchemaTest, TheColumnsAreWhatDjangoMakes) {
  create_missing();
  const auto found = lines_of(
      sql("SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod),"
          " CASE WHEN a.attnotnull THEN 'not null' ELSE 'null' END,"
          " CASE a.attidentity WHEN 'd' THEN 'by default as identity' ELSE a.attidentity::text END"
          " FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
          " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0"
          " ORDER BY c.relname COLLATE \"C\", a.attnum"));
  ASSERT_THAT(golden("columns"), SizeIs(63));
  EXPECT_THAT(found, ElementsAreArray(golden("columns")));
}

TEST_F(PostgresSchemaTest, TheIndexesAreWhatDjangoMakes) {
  create_missing();
  ASSERT_THAT(golden("indexes"), SizeIs(40));
  EXPECT_THAT(lines_of(sql("SELECT tablename, indexname, indexdef FROM pg_indexes"
                           " WHERE schemaname = 'public'")),
              UnorderedElementsAreArray(golden("indexes")));
}

TEST_F(PostgresSchemaTest, TheConstraintsAreWhatDjangoMakes) {
  create_missing();
  ASSERT_THAT(golden("constraints"), SizeIs(23));
  EXPECT_THAT(lines_of(sql("SELECT conrelid::regclass, conname, pg_get_constraintdef(oid)"
                           " FROM pg_constraint"
                           " WHERE connamespace = 'public'::regnamespace")),
              UnorderedElementsAreArray(golden("constraints")));
}

// What an older version of the application does not know is filled in for it.
TEST_F(PostgresSchemaTest, OnlyTheColumnThatCameLaterHasADefault) {
  create_missing();
  EXPECT_THAT(lines_of(sql("SELECT table_name, column_name, column_default"
                           " FROM information_schema.columns"
                           " WHERE table_schema = 'public' AND column_default IS NOT NULL")),
              ElementsAre("tenants_tenantdomain\tis_active\ttrue"));
}

TEST_F(PostgresSchemaTest, CreatingThemAgainMakesNothing) {
  EXPECT_THAT(create_missing(), SizeIs(7 + 33 + 8));
  EXPECT_THAT(create_missing(), IsEmpty());
}

TEST_F(PostgresSchemaTest, ASecondSchemaIsAnotherReadModel) {
  create_missing();
  sql("CREATE SCHEMA \"audit of May\"");
  EXPECT_THAT(create_missing("audit of May"), SizeIs(7 + 33 + 8));
  EXPECT_THAT(findings("audit of May"), IsEmpty());
  EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(PostgresSchemaTest, WhatIsThereUnderAnotherNameIsNotMissing) {
  create_missing();
  sql("ALTER INDEX td_domain_idx RENAME TO x;"
      "ALTER TABLE tenants_tenant RENAME CONSTRAINT tenants_tenant_slug_key TO y;"
      "ALTER TABLE tenants_tenant"
      " RENAME CONSTRAINT tenants_tenant_created_by_id_f3e30a24_fk_auth_user_id TO z");
  EXPECT_THAT(create_missing(), IsEmpty());
}

TEST_F(PostgresSchemaTest, MissingColumnsAreAddedWithTheirIndexesAndKeys) {
  create_missing();
  sql("ALTER TABLE tenants_tenantdomain DROP COLUMN is_active;"
      "ALTER TABLE tenants_tenant DROP COLUMN schema_name, DROP COLUMN created_by_id");
  EXPECT_THAT(
      create_missing(),
      ElementsAre(
          "column tenants_tenant.schema_name", "column tenants_tenant.created_by_id",
          "column tenants_tenantdomain.is_active", "index tenants_tenant_schema_name_c2605603_like",
          "index tenants_tenant_schema_name_key", "index tenants_tenant_created_by_id_f3e30a24",
          "foreign key tenants_tenant_created_by_id_f3e30a24_fk_auth_user_id"));
  EXPECT_THAT(findings(), IsEmpty());
}

// Nobody knows who was a superuser: the column is left to whoever does.
TEST_F(PostgresSchemaTest, AColumnThatCannotBeGuessedIsNotAddedNorIsItsIndex) {
  create_missing();
  sql("ALTER TABLE auth_user DROP COLUMN is_superuser;"
      "ALTER TABLE tenants_tenant DROP COLUMN slug");
  EXPECT_THAT(create_missing(), IsEmpty());
  const auto found = findings();
  ASSERT_THAT(found, SizeIs(5));  // With slug went a unique index, a plain one and one for LIKE.
  EXPECT_EQ(found[0].message, "column is_superuser is missing");
  EXPECT_EQ(found[0].remedy, "");
}

TEST_F(PostgresSchemaTest, DjangosUsersAreLeftToDjango) {
  sql("CREATE TABLE django_migrations (app text, name text, applied timestamptz)");
  try {
    create_missing();
    ADD_FAILURE() << "auth_user was made";
  } catch (const UsageError& error) {
    EXPECT_EQ(error.code(), "django_migrate_first");
  }
}

TEST_F(PostgresSchemaTest, MigrationsAreRecordedOnlyWhereDjangosOwnAre) {
  EXPECT_THAT(migration_statements({}, "public"), IsEmpty());
  EXPECT_THAT(migration_statements({{"auth", "0002_alter_permission"}}, "public"), IsEmpty());
  const RecordedMigrations recorded = {{"auth", "0001_initial"}, {"tenants", "0001_initial"}};
  const auto statements = migration_statements(recorded, "public");
  ASSERT_THAT(statements, SizeIs(1));
  EXPECT_EQ(statements[0].made, "migration core 0001_initial");
  sql("CREATE TABLE django_migrations (id bigint GENERATED BY DEFAULT AS IDENTITY, app text,"
      " name text, applied timestamptz NOT NULL)");
  sql(statements[0].sql);
  EXPECT_THAT(read_recorded_migrations(transaction(), "public"),
              ElementsAre(std::pair<std::string, std::string>("core", "0001_initial")));
}

class PostgresReadModelSchemaTest : public ::testing::Test {
 protected:
  ReadModel& target() { return *target_; }
  [[nodiscard]] const PostgresDatabase& database() const { return database_; }

 private:
  PostgresDatabase database_;
  std::unique_ptr<ReadModel> target_ = open_postgres_read_model({.connection = database_.url()});
};

TEST_F(PostgresReadModelSchemaTest, MissingNamesWhatWouldBeMadeAndMakesNothing) {
  const auto all = target().missing();
  EXPECT_EQ(target().probe().presence, Presence::kAbsent);
  EXPECT_EQ(target().create_missing(), all);
  EXPECT_THAT(target().missing(), IsEmpty());
  EXPECT_THAT(target().probe().findings, IsEmpty());
}

TEST_F(PostgresReadModelSchemaTest, MigrationsAreMissingOnlyWhereDjangosOwnAreOnRecord) {
  target().create_missing();
  database().execute(
      "CREATE TABLE django_migrations (id bigint GENERATED BY DEFAULT AS IDENTITY, app text,"
      " name text, applied timestamptz);"
      "INSERT INTO django_migrations (app, name) VALUES ('auth', '0001_initial')");
  EXPECT_THAT(target().probe().findings, SizeIs(2));
  EXPECT_FALSE(target().migrations().front().applied);
  const std::vector<std::string> wanted = {"migration core 0001_initial",
                                           "migration tenants 0001_initial"};
  EXPECT_EQ(target().missing(), wanted);
  EXPECT_EQ(target().create_missing(), wanted);
  EXPECT_TRUE(target().migrations().front().applied);
  EXPECT_THAT(target().probe().findings, IsEmpty());
}

// Django would not make them again: to it they are there.
TEST_F(PostgresReadModelSchemaTest, DjangosTablesThatWereDroppedAreMadeAgain) {
  database().execute(
      "CREATE TABLE django_migrations (id bigint GENERATED BY DEFAULT AS IDENTITY, app text,"
      " name text, applied timestamptz);"
      "INSERT INTO django_migrations (app, name) VALUES ('contenttypes', '0001_initial')");
  const auto code_of = [](const auto& call) {
    try {
      call();
    } catch (const UsageError& error) {
      return error.code();
    }
    return std::string();
  };
  EXPECT_EQ(code_of([&] { (void)target().missing(); }), "django_migrate_first");
  EXPECT_EQ(code_of([&] { (void)target().begin_load({}, std::nullopt); }), "django_migrate_first");
  database().execute("INSERT INTO django_migrations (app, name) VALUES ('auth', '0001_initial')");
  EXPECT_EQ(code_of([&] { (void)target().begin_load({}, std::nullopt); }), "");
  const auto all = target().missing();
  EXPECT_EQ(target().create_missing(), all);
  EXPECT_THAT(target().probe().findings, IsEmpty());
}

TEST_F(PostgresReadModelSchemaTest, ADriftThatMayRefuseRowsDoesNotFit) {
  target().create_missing();
  database().execute("CREATE UNIQUE INDEX x ON auth_user (email)");
  EXPECT_FALSE(target().probe().fits());
}

}  // namespace
}  // namespace tenantry::projections::postgres
