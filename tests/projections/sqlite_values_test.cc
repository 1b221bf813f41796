#include <gtest/gtest.h>

#include "core/error.h"
#include "projections/sqlite/values.h"
#include "tests/projections/sqlite_fixture.h"

namespace tenantry::projections::sqlite {
namespace {

using events::Null;
using events::RowValues;
using events::SqlType;
using events::Timestamp;
using events::Value;

TEST(SqliteValuesTest, JsonIsSpelledAsPythonSpellsIt) {
  EXPECT_EQ(to_django_json(R"({"a": [1, 2.50], "b": "x\n\""})"),
            R"({"a": [1, 2.50], "b": "x\n\""})");
  EXPECT_EQ(to_django_json("{\"é\": \"ш\"}"), R"({"\u00e9": "\u0448"})");
  EXPECT_EQ(to_django_json("\"\U0001F600\""), R"("\ud83d\ude00")") << "beyond 16 bits: a pair";
  EXPECT_EQ(to_django_json("\"\x7f\""), R"("\u007f")");
}

TEST(SqliteValuesTest, TimesLeaveOutAFractionOfNothing) {
  EXPECT_EQ(to_django_time({0}), "1970-01-01 00:00:00");
  EXPECT_EQ(to_django_time({1}), "1970-01-01 00:00:00.000001");
  EXPECT_EQ(to_django_time({-62'135'596'800'000'000}), "0001-01-01 00:00:00");
}

// Writes a value into a column and reads it back, through the database.
class SqliteRoundTripTest : public ::testing::Test {
 protected:
  Value round_trip(SqlType type, const Value& value) {
    connection_.execute("DELETE FROM t");
    Statement insert = connection_.prepare("INSERT INTO t VALUES (?)");
    std::string scratch;
    bind_value(insert, 1, column(type), value, scratch);
    insert.run();
    return read(type);
  }
  Value written_by_hand(SqlType type, const std::string& sql_value) {
    connection_.execute("DELETE FROM t; INSERT INTO t VALUES (" + sql_value + ")");
    return read(type);
  }

 private:
  static events::ColumnInfo column(SqlType type) {
    events::ColumnInfo made;
    made.type = type;
    return made;
  }
  Value read(SqlType type) {
    Statement select = connection_.prepare("SELECT x FROM t");
    EXPECT_TRUE(select.step());
    return read_value(select, 0, column(type));
  }

  TempDirectory directory_;
  Connection connection_ = [this] {
    return Connection({.path = directory_ / "t.sqlite3", .access = Access::kCreate});
  }();
  bool made_ = (connection_.execute("CREATE TABLE t (x)"), true);
};

TEST_F(SqliteRoundTripTest, EveryTypeComesBackAsItWas) {
  const std::string nasty = "a'b\"c\\d\t\r\n%_;--\x01\x7f é ш 中 \U0001F600 {}";
  const events::Uuid uuid = events::entity_key(std::int64_t{-1});
  const std::pair<SqlType, Value> cases[] = {
      {SqlType::TEXT, Null{}},
      {SqlType::TEXT, std::string()},
      {SqlType::TEXT, nasty},
      {SqlType::VARCHAR, nasty},
      {SqlType::JSONB, std::string("{\"\U0001F600\": \"\\n\\u0001 é\"}")},
      {SqlType::JSONB, std::string("[1.10, 12345678901234567890123, -7, null]")},
      {SqlType::BOOLEAN, true},
      {SqlType::BOOLEAN, false},
      {SqlType::INTEGER, std::int64_t{-2147483648}},
      {SqlType::BIGINT, std::numeric_limits<std::int64_t>::max()},
      {SqlType::BIGINT, std::numeric_limits<std::int64_t>::min()},
      {SqlType::TIMESTAMPTZ, Timestamp{1}},
      {SqlType::TIMESTAMPTZ, Timestamp{-1}},
      {SqlType::TIMESTAMPTZ, Timestamp{253'402'300'799'999'999}},
      {SqlType::UUID, uuid},
  };
  for (const auto& [type, value] : cases) EXPECT_EQ(round_trip(type, value), value);
}

TEST_F(SqliteRoundTripTest, JsonOfAnotherSpellingIsTheSameDocument) {
  EXPECT_EQ(written_by_hand(SqlType::JSONB, "'{\"bb\":1,\"a\":\"\\u00e9\"}'"),
            Value("{\"a\": \"é\", \"bb\": 1}"));
}

TEST_F(SqliteRoundTripTest, WhatTheTypeCannotHoldComesBackAsItWasFound) {
  EXPECT_EQ(written_by_hand(SqlType::UUID, "'nonsense'"), Value("nonsense"));
  EXPECT_EQ(written_by_hand(SqlType::UUID, "'0000000000000000000000000000000A'"),
            Value("0000000000000000000000000000000A"))
      << "Django looks for lower case";
  EXPECT_EQ(written_by_hand(SqlType::BOOLEAN, "7"), Value(std::int64_t{7}));
  EXPECT_EQ(written_by_hand(SqlType::TIMESTAMPTZ, "'yesterday'"), Value("yesterday"));
  EXPECT_EQ(written_by_hand(SqlType::JSONB, "'{'"), Value("{"));
  EXPECT_EQ(written_by_hand(SqlType::TEXT, "x'00ff'"), Value("blob 00ff"));
}

}  // namespace
}  // namespace tenantry::projections::sqlite
