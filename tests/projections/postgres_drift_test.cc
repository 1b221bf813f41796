#include <ostream>

#include "tests/projections/postgres_schema_fixture.h"

namespace tenantry::projections::postgres {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

std::string described(const std::vector<ShapeFinding>& findings) {
  std::string text;
  for (const ShapeFinding& finding : findings) {
    text += finding.table + ": " + finding.message + " => " + finding.remedy + "\n";
  }
  return text;
}

enum class Remedy { kMends, kLeavesAWarning, kNone };

// What somebody did to the tables, and the one finding that it gives.
struct Drift {
  const char* name;
  const char* sql;
  Severity severity;
  const char* table;
  const char* message;
  Remedy remedy = Remedy::kMends;
};

class PostgresDriftTest : public PostgresSchemaTestBase,
                          public ::testing::WithParamInterface<Drift> {};

TEST_P(PostgresDriftTest, IsFoundAndMended) {
  create_missing();
  sql(GetParam().sql);
  const auto found = findings();
  ASSERT_THAT(found, SizeIs(1)) << described(found);
  EXPECT_EQ(found[0].severity, GetParam().severity) << described(found);
  EXPECT_EQ(found[0].table, GetParam().table);
  EXPECT_THAT(found[0].message, HasSubstr(GetParam().message));
  ASSERT_EQ(found[0].remedy.empty(), GetParam().remedy == Remedy::kNone) << described(found);
  if (found[0].remedy.empty()) return;
  sql(found[0].remedy);
  const auto left = findings();
  if (GetParam().remedy == Remedy::kLeavesAWarning) {
    ASSERT_THAT(left, SizeIs(1));
    EXPECT_EQ(left[0].severity, Severity::kWarning) << described(left);
  } else {
    EXPECT_EQ(described(left), "");
  }
}

// NOLINTNEXTLINE(readability-identifier-naming): GoogleTest looks for this name.
void PrintTo(const Drift& drift, std::ostream* out) { *out << drift.sql; }

constexpr Severity kFatal = Severity::kFatal;
constexpr Severity kWarning = Severity::kWarning;

std::string name_of(const ::testing::TestParamInfo<Drift>& drift) { return drift.param.name; }

INSTANTIATE_TEST_SUITE_P(
    Columns, PostgresDriftTest,
    ::testing::Values(
        Drift{"late", "ALTER TABLE tenants_tenantdomain DROP COLUMN is_active", kFatal,
              "tenants_tenantdomain", "column is_active is missing"},
        Drift{"nullable", "ALTER TABLE tenants_tenant DROP COLUMN logo", kFatal, "tenants_tenant",
              "column logo is missing"},
        Drift{"order",
              "ALTER TABLE core_userpreferences RENAME theme TO x;"
              "ALTER TABLE core_userpreferences ADD theme varchar(20) NOT NULL DEFAULT 'light';"
              "ALTER TABLE core_userpreferences DROP x",
              kWarning, "core_userpreferences", "columns stand in the order", Remedy::kNone},
        Drift{"needed", "ALTER TABLE auth_user DROP COLUMN is_superuser", kFatal, "auth_user",
              "column is_superuser is missing", Remedy::kNone},
        Drift{"extra", "ALTER TABLE tenants_tenant ADD COLUMN plan text", kWarning,
              "tenants_tenant", "column plan is not part", Remedy::kNone},
        Drift{"extra_default",
              "ALTER TABLE tenants_tenant ADD COLUMN plan text NOT NULL DEFAULT 'x'", kWarning,
              "tenants_tenant", "column plan is not part", Remedy::kNone},
        Drift{"extra_generated",
              "ALTER TABLE tenants_tenant ADD COLUMN low text NOT NULL"
              " GENERATED ALWAYS AS (lower(name)) STORED",
              kWarning, "tenants_tenant", "column low is not part", Remedy::kNone},
        Drift{"extra_not_null", "ALTER TABLE tenants_tenant ADD COLUMN plan text NOT NULL", kFatal,
              "tenants_tenant", "column plan is not part of the read model, may not be NULL",
              Remedy::kLeavesAWarning},
        Drift{"type", "ALTER TABLE core_protein ALTER COLUMN name TYPE text", kFatal,
              "core_protein", "column name is text instead of character varying(50)"},
        Drift{"length", "ALTER TABLE auth_user ALTER COLUMN first_name TYPE varchar(30)", kFatal,
              "auth_user", "is character varying(30) instead of character varying(150)"},
        Drift{"null", "ALTER TABLE auth_user ALTER COLUMN email DROP NOT NULL", kFatal, "auth_user",
              "column email may be NULL"},
        Drift{"not_null", "ALTER TABLE tenants_tenant ALTER COLUMN logo SET NOT NULL", kFatal,
              "tenants_tenant", "column logo may not be NULL"},
        Drift{"no_ids", "ALTER TABLE core_protein ALTER COLUMN id DROP IDENTITY", kFatal,
              "core_protein", "column id draws ids from no sequence"},
        Drift{"borrowed_ids",
              "CREATE SEQUENCE s; ALTER TABLE core_protein ALTER COLUMN id DROP IDENTITY,"
              " ALTER COLUMN id SET DEFAULT nextval('s')",
              kFatal, "core_protein", "column id draws ids from no sequence"},
        Drift{"always", "ALTER TABLE core_protein ALTER COLUMN id SET GENERATED ALWAYS", kFatal,
              "core_protein", "GENERATED ALWAYS"},
        Drift{"collation",
              "ALTER TABLE auth_user ALTER COLUMN email TYPE varchar(254) COLLATE \"POSIX\"",
              kWarning, "auth_user", "column email is sorted by the collation \"POSIX\""},
        Drift{"nondeterministic",
              "CREATE COLLATION anycase (provider = icu, locale = 'und-u-ks-level2',"
              " deterministic = false);"
              "ALTER TABLE auth_user ALTER COLUMN email TYPE varchar(254) COLLATE anycase",
              kFatal, "auth_user", "column email takes texts that differ for equal"},
        Drift{"generated",
              "ALTER TABLE tenants_tenant DROP COLUMN logo; ALTER TABLE tenants_tenant"
              " ADD COLUMN logo varchar(100) GENERATED ALWAYS AS (name) STORED",
              kFatal, "tenants_tenant", "column logo is computed by the database"}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    Indexes, PostgresDriftTest,
    ::testing::Values(
        Drift{"no_constraint",
              "ALTER TABLE core_protein DROP CONSTRAINT core_protein_name_key;"
              "CREATE UNIQUE INDEX z ON core_protein (name)",
              kWarning, "core_protein", "unique constraint on (name) is the plain index z"},
        Drift{"plain", "DROP INDEX td_domain_idx", kWarning, "tenants_tenantdomain",
              "index on (domain) is missing"},
        Drift{"pattern", "DROP INDEX auth_user_username_6821ab7c_like", kWarning, "auth_user",
              "index on (username varchar_pattern_ops) is missing"},
        Drift{"unique", "ALTER TABLE auth_user DROP CONSTRAINT auth_user_username_key", kFatal,
              "auth_user", "unique index on (username) is missing"},
        Drift{"partial", "DROP INDEX unique_pending_invitation_per_tenant_email", kFatal,
              "tenants_invitation", "unique index on (tenant_id, email) WHERE"},
        Drift{"primary_key",
              "ALTER TABLE core_userpreferences DROP CONSTRAINT core_userpreferences_pkey", kFatal,
              "core_userpreferences", "primary key (id) is missing"},
        Drift{"other_primary_key",
              "ALTER TABLE core_protein DROP CONSTRAINT core_protein_pkey,"
              " ADD PRIMARY KEY (name, id)",
              kFatal, "core_protein", "primary key is (name, id) instead of (id)"},
        Drift{"invalid",
              "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'td_domain_idx'::regclass",
              kWarning, "tenants_tenantdomain", "index td_domain_idx is invalid"},
        Drift{"invalid_unique",
              "UPDATE pg_index SET indisvalid = false"
              " WHERE indexrelid = 'tenants_tenant_slug_key'::regclass",
              kFatal, "tenants_tenant", "index tenants_tenant_slug_key is invalid"},
        Drift{"deferrable",
              "ALTER TABLE core_protein DROP CONSTRAINT core_protein_name_key,"
              " ADD UNIQUE (name) DEFERRABLE",
              kWarning, "core_protein", "is deferrable", Remedy::kNone},
        Drift{"nulls_not_distinct",
              "ALTER TABLE tenants_tenant DROP CONSTRAINT tenants_tenant_schema_name_key;"
              "ALTER TABLE tenants_tenant ADD CONSTRAINT tenants_tenant_schema_name_key UNIQUE"
              " (schema_name);"
              "CREATE UNIQUE INDEX x ON tenants_tenant (schema_name) NULLS NOT DISTINCT",
              kFatal, "tenants_tenant", "unique index x (schema_name) NULLS NOT DISTINCT"},
        Drift{"other_order",
              "ALTER TABLE tenants_tenant_user"
              " DROP CONSTRAINT tenants_tenant_user_tenant_id_user_id_5e5c2ebc_uniq,"
              " ADD CONSTRAINT x UNIQUE (user_id, tenant_id)",
              kWarning, "tenants_tenant_user",
              "unique index on (tenant_id, user_id) is laid out as (user_id, tenant_id) by x",
              Remedy::kNone},
        Drift{"extra", "CREATE INDEX x ON auth_user (email DESC)", kWarning, "auth_user",
              "index x (email DESC) is not part"},
        Drift{"extra_unique", "CREATE UNIQUE INDEX x ON auth_user (email)", kFatal, "auth_user",
              "unique index x (email) is not part of the read model: it may refuse rows"},
        Drift{"extra_constraint", "ALTER TABLE auth_user ADD CONSTRAINT x UNIQUE (email)", kFatal,
              "auth_user", "unique index x (email) is not part"},
        Drift{"folded", "CREATE UNIQUE INDEX x ON auth_user (lower(username))", kFatal, "auth_user",
              "unique index x (lower((username)::text)) is not part"},
        Drift{"implied", "CREATE UNIQUE INDEX x ON auth_user (is_staff, username)", kWarning,
              "auth_user", "unique index x (is_staff, username) is not part"},
        Drift{"hash", "CREATE INDEX x ON auth_user USING hash (email)", kWarning, "auth_user",
              "index x USING hash (email) is not part"},
        Drift{"including", "CREATE INDEX x ON auth_user (email) INCLUDE (id)", kWarning,
              "auth_user", "index x (email) INCLUDE (id) is not part"}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    Constraints, PostgresDriftTest,
    ::testing::Values(
        Drift{"missing",
              "ALTER TABLE tenants_tenant"
              " DROP CONSTRAINT tenants_tenant_created_by_id_f3e30a24_fk_auth_user_id",
              kWarning, "tenants_tenant", "column created_by_id does not refer to auth_user"},
        Drift{"immediate",
              "ALTER TABLE tenants_tenant ALTER CONSTRAINT"
              " tenants_tenant_created_by_id_f3e30a24_fk_auth_user_id NOT DEFERRABLE",
              kFatal, "tenants_tenant", "is not DEFERRABLE INITIALLY DEFERRED"},
        Drift{"initially_immediate",
              "ALTER TABLE tenants_tenant ALTER CONSTRAINT"
              " tenants_tenant_created_by_id_f3e30a24_fk_auth_user_id DEFERRABLE"
              " INITIALLY IMMEDIATE",
              kFatal, "tenants_tenant", "is not DEFERRABLE INITIALLY DEFERRED"},
        Drift{"cascade",
              "ALTER TABLE tenants_tenant"
              " DROP CONSTRAINT tenants_tenant_created_by_id_f3e30a24_fk_auth_user_id,"
              " ADD CONSTRAINT x FOREIGN KEY (created_by_id) REFERENCES auth_user"
              " ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED",
              kFatal, "tenants_tenant", "foreign key x acts on its own: ON DELETE SET NULL"},
        Drift{"cascading_update",
              "ALTER TABLE tenants_tenant"
              " DROP CONSTRAINT tenants_tenant_created_by_id_f3e30a24_fk_auth_user_id,"
              " ADD CONSTRAINT x FOREIGN KEY (created_by_id) REFERENCES auth_user"
              " ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED",
              kWarning, "tenants_tenant", "foreign key x acts on its own: ON UPDATE CASCADE"},
        Drift{"not_valid",
              "ALTER TABLE tenants_tenant"
              " DROP CONSTRAINT tenants_tenant_created_by_id_f3e30a24_fk_auth_user_id,"
              " ADD CONSTRAINT x FOREIGN KEY (created_by_id) REFERENCES auth_user"
              " DEFERRABLE INITIALLY DEFERRED NOT VALID",
              kWarning, "tenants_tenant", "foreign key x is NOT VALID"},
        Drift{"extra",
              "CREATE TABLE plan (name varchar(255) PRIMARY KEY);"
              "ALTER TABLE tenants_tenant ADD CONSTRAINT x FOREIGN KEY (name) REFERENCES plan",
              kFatal, "tenants_tenant", "foreign key x to public.plan is not part"},
        Drift{"check", "ALTER TABLE auth_user ADD CONSTRAINT x CHECK (email <> '')", kFatal,
              "auth_user", "check constraint x may refuse rows: CHECK"},
        Drift{"exclusion", "ALTER TABLE auth_user ADD CONSTRAINT x EXCLUDE (email WITH =)", kFatal,
              "auth_user", "exclusion constraint x may refuse rows: EXCLUDE"},
        Drift{"inbound_cascade",
              "CREATE TABLE shop (id int, owner int CONSTRAINT x REFERENCES auth_user"
              " ON DELETE CASCADE)",
              kFatal, "auth_user",
              "deleting a row changes rows of public.shop: foreign key x has ON DELETE CASCADE"},
        Drift{"inbound_null",
              "CREATE TABLE shop (id int, owner int CONSTRAINT x REFERENCES auth_user"
              " ON DELETE SET NULL)",
              kFatal, "auth_user", "foreign key x has ON DELETE SET NULL"}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    Tables, PostgresDriftTest,
    ::testing::Values(
        Drift{"unlogged", "ALTER TABLE core_protein SET UNLOGGED", kFatal, "core_protein",
              "is unlogged"},
        Drift{"missing", "DROP TABLE core_protein", kFatal, "core_protein", "is missing",
              Remedy::kNone},
        Drift{"view",
              "ALTER TABLE core_protein RENAME TO p; CREATE VIEW core_protein AS SELECT * FROM p",
              kFatal, "core_protein", "is a view rather than a table", Remedy::kNone},
        Drift{"partitioned",
              "DROP TABLE core_protein;"
              "CREATE TABLE core_protein (id bigint, name varchar(50)) PARTITION BY HASH (id)",
              kFatal, "core_protein", "is a partitioned table rather than a table", Remedy::kNone},
        Drift{"child", "CREATE TABLE more () INHERITS (core_protein)", kFatal, "core_protein",
              "child table more shows its rows in this table"},
        Drift{"trigger",
              "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
              "CREATE TRIGGER x BEFORE INSERT ON core_protein FOR EACH ROW EXECUTE FUNCTION f()",
              kFatal, "core_protein", "trigger x may change what is written"},
        Drift{"sleeping_trigger",
              "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
              "CREATE TRIGGER x BEFORE INSERT ON core_protein FOR EACH ROW EXECUTE FUNCTION f();"
              "ALTER TABLE core_protein DISABLE TRIGGER x",
              kWarning, "core_protein", "trigger x is switched off"},
        Drift{"rule", "CREATE RULE x AS ON DELETE TO core_protein DO INSTEAD NOTHING", kFatal,
              "core_protein", "rule x may change what is written"}),
    name_of);

using PostgresShapeTest = PostgresSchemaTestBase;

TEST_F(PostgresShapeTest, CreatedTablesFit) {
  create_missing();
  EXPECT_EQ(described(findings()), "");
}

// As databases have it that were made by Django before identities: the sequence is the column's.
TEST_F(PostgresShapeTest, ASerialIsAsGoodAsAnIdentity) {
  create_missing();
  sql("ALTER TABLE core_protein ALTER COLUMN id DROP IDENTITY;"
      "CREATE SEQUENCE core_protein_id_seq OWNED BY core_protein.id;"
      "ALTER TABLE core_protein ALTER COLUMN id SET DEFAULT nextval('core_protein_id_seq')");
  EXPECT_EQ(described(findings()), "");
}

TEST_F(PostgresShapeTest, NamesDefaultsAndStorageParametersAreNoDifference) {
  create_missing();
  sql("ALTER INDEX td_domain_idx RENAME TO x;"
      "ALTER INDEX td_tenant_primary_idx SET (fillfactor = 70);"
      "ALTER TABLE tenants_tenant RENAME CONSTRAINT tenants_tenant_slug_key TO y;"
      "DROP INDEX core_protein_name_4d094180_like;"
      "CREATE INDEX w ON core_protein (name text_pattern_ops);"
      "ALTER TABLE tenants_tenantdomain ALTER COLUMN is_active DROP DEFAULT;"
      "ALTER TABLE auth_user ALTER COLUMN email SET DEFAULT ''");
  EXPECT_EQ(described(findings()), "");
}

TEST_F(PostgresShapeTest, TablesThatReferToOursAreNoDifference) {
  create_missing();
  sql("CREATE TABLE shop (id int, owner int REFERENCES auth_user DEFERRABLE INITIALLY DEFERRED,"
      " tenant uuid REFERENCES tenants_tenant ON DELETE RESTRICT)");
  EXPECT_EQ(described(findings()), "");
}

TEST_F(PostgresShapeTest, RowSecurityIsFatalOnlyForRolesThatItHidesRowsFrom) {
  create_missing();
  sql("CREATE ROLE tenantry_test_reader; GRANT USAGE ON SCHEMA public TO tenantry_test_reader;"
      "ALTER TABLE auth_user ENABLE ROW LEVEL SECURITY");
  EXPECT_EQ(described(findings()), "") << "a superuser sees all rows";
  sql("SET LOCAL ROLE tenantry_test_reader");
  const auto found = findings();
  sql("RESET ROLE");
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].severity, Severity::kFatal);
  EXPECT_EQ(found[0].message, "row security hides rows from the role tenantry_test_reader");
  sql(found[0].remedy);
  sql("SET LOCAL ROLE tenantry_test_reader");
  EXPECT_EQ(described(findings()), "");
}

TEST_F(PostgresShapeTest, RowSecurityThatIsForcedHidesRowsFromTheOwnerToo) {
  create_missing();
  sql("CREATE ROLE tenantry_test_owner; GRANT ALL ON SCHEMA public TO tenantry_test_owner;"
      "ALTER TABLE auth_user OWNER TO tenantry_test_owner;"
      "ALTER TABLE auth_user ENABLE ROW LEVEL SECURITY; SET LOCAL ROLE tenantry_test_owner");
  EXPECT_EQ(described(findings()), "");
  sql("ALTER TABLE auth_user FORCE ROW LEVEL SECURITY");
  EXPECT_THAT(described(findings()), StartsWith("auth_user: row security hides rows"));
}

TEST_F(PostgresShapeTest, WhatAnotherSchemaHasIsNotLookedAt) {
  create_missing();
  sql("CREATE SCHEMA other; CREATE TABLE other.core_protein (id int); SET search_path = other");
  EXPECT_EQ(described(findings()), "");
  EXPECT_THAT(described(findings("other")), HasSubstr("core_protein: column name is missing"));
}

class PostgresMigrationsTest : public PostgresSchemaTestBase {
 protected:
  void record(const std::string& application, const std::string& name) {
    sql("CREATE TABLE IF NOT EXISTS django_migrations"
        " (id bigint GENERATED BY DEFAULT AS IDENTITY, app text, name text, applied timestamptz)");
    sql("INSERT INTO django_migrations (app, name, applied) VALUES (" + text_literal(application) +
        ", " + text_literal(name) + ", now())");
  }
  std::vector<std::string> messages(const std::vector<std::string>& missing_tables) {
    std::vector<std::string> all;
    last_ = compare_recorded_migrations(transaction(), "public", missing_tables);
    for (const ShapeFinding& finding : last_) all.push_back(finding.message);
    return all;
  }
  std::vector<ShapeFinding> last_;
};

TEST_F(PostgresMigrationsTest, WithoutDjangoThereIsNothingToCompare) {
  EXPECT_THAT(messages({"core_protein"}), IsEmpty());
}

TEST_F(PostgresMigrationsTest, ARecordWhoseTableIsMissingIsAGhost) {
  record("auth", "0001_initial");
  record("core", "0001_initial");
  record("tenants", "0001_initial");
  EXPECT_THAT(messages({}), IsEmpty());
  EXPECT_THAT(messages({"core_protein"}),
              ElementsAre("core 0001_initial is on record, but the table core_protein is missing"));
  sql(last_[0].remedy);
  EXPECT_THAT(messages({"core_protein"}), IsEmpty());
}

TEST_F(PostgresMigrationsTest, TablesWithoutARecordAreNamedWhereDjangosOwnAreOnRecord) {
  record("admin", "0001_initial");
  EXPECT_THAT(messages({}), IsEmpty());
  record("auth", "0001_initial");
  record("tenants", "0001_initial");
  EXPECT_THAT(messages({}),
              ElementsAre("core 0001_initial is not on record, but its tables are there"));
  sql(last_[0].remedy);
  EXPECT_THAT(messages({}), IsEmpty());
}

TEST_F(PostgresMigrationsTest, ARecordOfAMigrationThatTheContractDoesNotKnowIsNamed) {
  record("core", "0001_initial");
  record("tenants", "0001_initial");
  record("core", "0017_it's gone");
  EXPECT_THAT(messages({}), ElementsAre(HasSubstr("core 0017_it's gone is on record, but is no")));
  EXPECT_EQ(last_[0].severity, Severity::kWarning);
}

}  // namespace
}  // namespace tenantry::projections::postgres
