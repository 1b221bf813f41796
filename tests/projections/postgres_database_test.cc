#include "tests/support/postgres_database.h"

#include <memory>
#include <stdexcept>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

namespace tenantry {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(PostgresDatabaseTest, EachHasItsOwnTables) {
  const PostgresDatabase one;
  const PostgresDatabase other;
  one.execute("CREATE TABLE t (a text); INSERT INTO t VALUES ('x')");

  EXPECT_EQ(one.query("SELECT a FROM t"), "x");
  EXPECT_EQ(one.query("SELECT NULL"), "NULL");
  EXPECT_EQ(other.query("SELECT count(*) FROM pg_tables WHERE tablename = 't'"), "0");
}

TEST(PostgresDatabaseTest, HasTheEncodingAndTheOrderThatWereAskedFor) {
  const PostgresDatabase plain;
  const PostgresDatabase latin({.encoding = "LATIN1", .locale = "C"});
  const PostgresDatabase german({.icu_locale = "de"});

  EXPECT_EQ(plain.query("SHOW server_encoding"), "UTF8");
  EXPECT_EQ(latin.query("SHOW server_encoding"), "LATIN1");
  EXPECT_EQ(plain.query("SELECT 'ä' < 'b'"), "f");
  EXPECT_EQ(german.query("SELECT 'ä' < 'b'"), "t");
}

TEST(PostgresDatabaseTest, IsGoneAfterwardsThoughSomebodyIsConnected) {
  const PostgresDatabase observer;
  auto database = std::make_unique<PostgresDatabase>();
  const std::string name = database->name();
  const std::string count = "SELECT count(*) FROM pg_database WHERE datname = '" + name + "'";
  ASSERT_EQ(observer.query(count), "1");

  database.reset();

  EXPECT_EQ(observer.query(count), "0");
}

TEST(PostgresDatabaseTest, AFailedStatementSpeaks) {
  const PostgresDatabase database;
  EXPECT_THAT([&] { database.execute("SELECT 1/0"); },
              ThrowsMessage<std::runtime_error>(HasSubstr("division by zero")));
  EXPECT_THAT([&] { (void)database.query("SELECT 1 WHERE false"); },
              ThrowsMessage<std::runtime_error>(HasSubstr("no row")));
}

TEST(PostgresDatabaseTest, AMissingServerIsAnErrorThatSaysWhatToDo) {
  const std::string before = std::getenv("TENANTRY_TEST_POSTGRES");
  ::unsetenv("TENANTRY_TEST_POSTGRES");
  EXPECT_THAT([] { const PostgresDatabase database; },
              ThrowsMessage<std::runtime_error>(HasSubstr("tools/postgres.sh run")));
  ::setenv("TENANTRY_TEST_POSTGRES", "postgresql:///postgres?host=/nowhere", 1);
  EXPECT_THAT([] { const PostgresDatabase database; },
              ThrowsMessage<std::runtime_error>(HasSubstr("no connection to")));
  ::setenv("TENANTRY_TEST_POSTGRES", before.c_str(), 1);
}

}  // namespace
}  // namespace tenantry
