#include <limits>

#include <capnp/message.h>

#include "projections/sqlite/sqlite_read_model.h"
#include "tests/projections/postgres_fixture.h"
#include "tests/support/temp_directory.h"

namespace tenantry::projections {
namespace {

constexpr std::int64_t kFirstMicro = -62'135'596'800'000'000;  // Of the year 1.
constexpr std::int64_t kLastMicro = 253'402'300'799'999'999;   // Of the year 9999.

// The same log in both kinds of database.
class PostgresEqualityTest : public PostgresTestBase {
 protected:
  // By way of the projector, and by way of a rebuild.
  std::vector<std::string> digests_in_sqlite() {
    const TempDirectory directory;
    std::vector<std::vector<std::string>> found;
    for (const bool projected : {true, false}) {
      const auto model =
          open_sqlite_read_model({.path = directory / (projected ? "projected" : "rebuilt")});
      if (projected) {
        (void)project(log_, *model, {.batch_events = 7});
      } else {
        (void)rebuild(log_, *model, {});
      }
      const auto view = model->read();
      found.emplace_back();
      for (const events::TableInfo& table : events::tables()) {
        found.back().push_back(view->fingerprint(table, std::nullopt).hex());
      }
    }
    EXPECT_EQ(found.front(), found.back());
    return found.front();
  }
  void expect_equal_in_both() {
    const auto expected = digests_in_sqlite();
    run_projector({.batch_events = 7});
    EXPECT_EQ(digests(), expected) << "projected";
    EXPECT_TRUE(run_verify({.all_columns = true}).equal());
    const Certificate in_place = run_rebuild();
    EXPECT_EQ(touched(in_place), 0U);
    EXPECT_TRUE(in_place.correct());
    EXPECT_TRUE(target().probe().findings.empty()) << "made by us, under the same settings";
    drop();
    prepare();
    EXPECT_TRUE(run_rebuild().correct());
    EXPECT_EQ(digests(), expected) << "rebuilt";
    EXPECT_EQ(touched(run_rebuild({.from_events = true})), 0U);
    log_.register_user(31, "later");
    EXPECT_EQ(run_projector().events, 1U);
    EXPECT_TRUE(run_verify({.all_columns = true}).equal());
  }
  // What an empty database is given before we come.
  virtual void prepare() {}
};

// --- Values at the edges ---

TEST_F(PostgresEqualityTest, TextOfEverySort) {
  const std::vector<std::string> names = {
      "",
      " ",
      "  blanks around  ",
      "back\\slash \\n \\\\ \\N \\. \\x41",
      "'single' \"double\" $$dollar$$ `tick` ''",
      "tab\tnewline\nreturn\r\x01\x1f\x7f",
      "-",
      "NULL",
      "12:looks measured",
      "ÄÖÜ ß ı İ ǅ",
      "e\u0301 and é",
      "\u202e\u200b\ufeff",
      "\U0001F600\U0010FFFF\uFFFD",
      std::string("\u0416\u0416\u0416\u0416"),
  };
  std::int64_t id = 100;
  for (const std::string& name : names) {
    log_.append([&](events::Event::Builder event) {
      auto fact = event.initProteinAdded();
      fact.setId(++id);
      fact.setName(name);
    });
  }
  expect_equal_in_both();
}

TEST_F(PostgresEqualityTest, NumbersAtTheirBounds) {
  log_.register_user(std::numeric_limits<std::int32_t>::max(), "last");
  for (const std::int64_t id : {std::int64_t{1}, std::numeric_limits<std::int64_t>::max()}) {
    log_.append([&](events::Event::Builder event) {
      auto fact = event.initProteinAdded();
      fact.setId(id);
      fact.setName("p" + std::to_string(id));
    });
  }
  expect_equal_in_both();
}

TEST_F(PostgresEqualityTest, TimesFromTheFirstYearToTheLast) {
  log_.create_tenant(10, "acme");
  std::uint64_t id = 20;
  for (const std::int64_t micros : {kFirstMicro, kFirstMicro + 1, std::int64_t{-1}, std::int64_t{0},
                                    std::int64_t{999'999}, kLastMicro - 999'999, kLastMicro}) {
    log_.append([&](events::Event::Builder event) {
      const events::Uuid invitation = FakeLog::number(++id);
      const events::Uuid tenant = FakeLog::number(10);
      auto fact = event.initInvitationIssued();
      fact.setId(capnp::Data::Reader(invitation.bytes.data(), invitation.bytes.size()));
      fact.setTenantId(capnp::Data::Reader(tenant.bytes.data(), tenant.bytes.size()));
      fact.setToken("token-" + std::to_string(id));
      fact.setEmail("m" + std::to_string(id) + "@example.org");
      fact.setRole("member");
      fact.setExpiresAt(micros);
      fact.setMessage("");
    });
  }
  expect_equal_in_both();
}

TEST_F(PostgresEqualityTest, LargeAndOddDocuments) {
  // As jsonb prints them, which is how the log has them.
  const std::vector<std::string> documents = {
      "{\"k\": \"" + std::string(std::size_t{250} << 10, 'x') + "\"}",
      "{\"a\": [1, 1.0, 1.50, 0.00, -0.5, 12345678901234567890123, 1000000000000000000000]}",
      "[]",
      "\"\"",
      "null",
      R"({"": {"": []}, "b": "\\ \" \n \t \b \f \r \u0001", "é": "ж", "𐍈": "😀"})",
      "[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]",
  };
  std::int32_t user = 100;
  for (const std::string& document : documents) {
    ++user;
    log_.register_user(user, "u" + std::to_string(user));
    log_.create_preferences(user, user, document);
  }
  expect_equal_in_both();
}

// --- A server that is set otherwise ---

struct Settings {
  std::string name;
  PostgresDatabase::Options database = {};
  std::vector<std::string> set = {};  // ALTER DATABASE … SET …
  std::string before = {};            // Run first.
};
std::ostream& operator<<(std::ostream& out, const Settings& settings) {
  return out << settings.name;
}

class PostgresSettingsTest : public PostgresEqualityTest,
                             public ::testing::WithParamInterface<Settings> {
 protected:
  void SetUp() override {
    database_ = std::make_unique<PostgresTestDatabase>(GetParam().database);
    prepare();
  }
  void prepare() override {
    if (!GetParam().before.empty()) sql(GetParam().before);
    for (const std::string& setting : GetParam().set) {
      sql("ALTER DATABASE " + database_name() + " SET " + setting);
    }
  }
};

TEST_P(PostgresSettingsTest, BothEnginesAgreeOnRandomHistories) {
  constexpr std::uint64_t kSeed = 20260131;
  SCOPED_TRACE(kSeed);
  std::mt19937_64 random(kSeed);
  log_.fill_every_table();
  log_.append_random(random, 120);
  log_.register_user(30, "İstanbul \\'ß\\n");
  expect_equal_in_both();
}

// Whatever our statements would call or read if they named it without its schema.
constexpr const char* kEvil =
    "CREATE SCHEMA evil;"
    "CREATE FUNCTION evil.sha256(bytea) RETURNS bytea LANGUAGE sql AS $$ SELECT $1 $$;"
    "CREATE FUNCTION evil.encode(bytea, text) RETURNS text LANGUAGE sql AS $$ SELECT 'x' $$;"
    "CREATE FUNCTION evil.convert_to(text, name) RETURNS bytea LANGUAGE sql AS"
    " $$ SELECT ''::bytea $$;"
    "CREATE FUNCTION evil.octet_length(text) RETURNS int LANGUAGE sql AS $$ SELECT 1 $$;"
    "CREATE FUNCTION evil.to_char(timestamp, text) RETURNS text LANGUAGE sql AS $$ SELECT 'x' $$;"
    "CREATE FUNCTION evil.to_regclass(text) RETURNS regclass LANGUAGE sql AS"
    " $$ SELECT NULL::regclass $$;"
    "CREATE FUNCTION evil.setval(regclass, bigint) RETURNS bigint LANGUAGE sql AS"
    " $$ SELECT 1/0::bigint $$;"
    "CREATE FUNCTION evil.concat_evil(text, text) RETURNS text LANGUAGE sql AS $$ SELECT 'x' $$;"
    "CREATE OPERATOR evil.|| (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.concat_evil);"
    "CREATE FUNCTION evil.never(uuid, uuid) RETURNS boolean LANGUAGE sql AS $$ SELECT false $$;"
    "CREATE OPERATOR evil.= (LEFTARG = uuid, RIGHTARG = uuid, FUNCTION = evil.never);"
    "CREATE TABLE evil.tenants_tenant (id int); CREATE TABLE evil.auth_user (id int);"
    "CREATE TABLE evil.mark (id int); CREATE TABLE evil.pg_class (oid oid, relname name);"
    "CREATE TABLE evil.pg_namespace (oid oid); CREATE TABLE evil.pg_constraint (oid oid)";

INSTANTIATE_TEST_SUITE_P(
    Servers, PostgresSettingsTest,
    ::testing::Values(
        Settings{.name = "OldSpellings",
                 .set = {"TimeZone = 'Asia/Kathmandu'", "DateStyle = 'SQL, DMY'",
                         "IntervalStyle = 'sql_standard'", "bytea_output = 'escape'",
                         "extra_float_digits = -15", "standard_conforming_strings = off",
                         "escape_string_warning = off", "backslash_quote = on",
                         "quote_all_identifiers = on", "array_nulls = off",
                         "transform_null_equals = on"}},
        Settings{.name = "Turkish",
                 .database = {.icu_locale = "tr"},
                 .set = {"default_transaction_isolation = 'serializable'",
                         "default_transaction_deferrable = on", "row_security = on"}},
        Settings{.name = "German", .database = {.icu_locale = "de"}, .set = {"search_path = ''"}},
        Settings{.name = "HostilePath",
                 .set = {"search_path = evil, pg_catalog, public"},
                 .before = kEvil}),
    [](const auto& each) { return each.param.name; });

// --- Times that no log can have ---

using PostgresOddTimeTest = PostgresTestBase;

// Of a row that was edited by hand; digests() compares what the database computes with what is
// read row by row.
TEST_F(PostgresOddTimeTest, IsADifferenceAndNoFault) {
  log_.fill_every_table();
  run_rebuild();
  const auto expected = digests();
  for (const std::string time :
       {"infinity", "-infinity", "0044-03-15 12:00:00+00 BC", "0001-12-31 23:59:59.999999+00 BC",
        "4713-01-01 00:00:00+00 BC", "10000-01-01 00:00:00+00", "294276-12-31 23:59:59.999999+00",
        "0001-01-01 00:00:00+00", "9999-12-31 23:59:59.999999+00"}) {
    SCOPED_TRACE(time);
    sql("UPDATE tenants_invitation SET expires_at = '" + time + "'");
    EXPECT_NE(digests(), expected);
    EXPECT_FALSE(run_verify().equal());
    EXPECT_EQ(touched(run_rebuild()), 1U);
    EXPECT_EQ(digests(), expected);
  }
}

}  // namespace
}  // namespace tenantry::projections
