#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "projections/postgres/session.h"
#include "tests/support/postgres_database.h"

namespace tenantry::projections::postgres {
namespace {

using ::testing::HasSubstr;

class SessionTest : public ::testing::Test {
 protected:
  // The hint of the fault that comes of an error with this SQLSTATE.
  std::string hint_of(const std::string& sqlstate) {
    try {
      session_.translated([&] {
        pqxx::work transaction(session_.connection());
        transaction.exec("DO $$ BEGIN RAISE 'x' USING ERRCODE = '" + sqlstate + "'; END $$");
      });
    } catch (const UnavailableError& error) {
      return error.hint();
    }
    return "no fault";
  }

  PostgresDatabase database_;
  Session session_{parse_connection(database_.url())};
};

// libpqxx reports these by type and without their code: each has its hint all the same.
TEST_F(SessionTest, ErrorsWithoutTheirCodeAreTranslatedLikeAllOthers) {
  EXPECT_THAT(hint_of("42501"), HasSubstr("GRANT"));
  EXPECT_THAT(hint_of("53300"), HasSubstr("no connection left"));
  EXPECT_THAT(hint_of("40001"), HasSubstr("another transaction"));
  EXPECT_THAT(hint_of("40P01"), HasSubstr("another transaction"));
  EXPECT_THAT(hint_of("55P03"), HasSubstr("at work"));
  EXPECT_THAT(hint_of("57014"), HasSubstr("statement_timeout"));
  EXPECT_THAT(hint_of("57P05"), HasSubstr("idle too long"));
}

TEST_F(SessionTest, ALostConnectionStaysLost) {
  const auto backend = [&] {
    std::string pid;
    session_.translated([&] {
      pqxx::nontransaction transaction(session_.connection());
      pid = transaction.exec1("SELECT pg_backend_pid()")[0].c_str();
    });
    return pid;
  };
  ASSERT_EQ(database_.query("SELECT pg_terminate_backend(" + backend() + ", 10000)"), "t");
  for (int use = 0; use < 5; ++use) EXPECT_THROW(backend(), UnavailableError) << use;
  EXPECT_FALSE(session_.usable());
}

TEST_F(SessionTest, ItsSettingsHoldWhateverTheDatabaseSays) {
  database_.execute("ALTER DATABASE " + database_.name() +
                    " SET TimeZone = 'Asia/Tokyo';"
                    "ALTER DATABASE " +
                    database_.name() +
                    " SET DateStyle = 'German';"
                    "ALTER DATABASE " +
                    database_.name() +
                    " SET bytea_output = 'escape';"
                    "ALTER DATABASE " +
                    database_.name() + " SET default_transaction_isolation = 'serializable'");
  Session session(parse_connection(database_.url()));
  pqxx::work transaction(session.connection());
  EXPECT_STREQ(transaction.exec1("SELECT '2026-01-31 23:30:00Z'::timestamptz")[0].c_str(),
               "2026-01-31 23:30:00+00");
  EXPECT_STREQ(transaction.exec1("SELECT '\\x00'::bytea")[0].c_str(), "\\x00");
}

}  // namespace
}  // namespace tenantry::projections::postgres
