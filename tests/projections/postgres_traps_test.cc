// What PostgreSQL 15, libpq 15 and libpqxx 6.4 do that nobody would expect, and that our code
// relies on or steers round. A newer version that behaves otherwise turns these red: then look at
// what projections/postgres does about it.

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>

#include <gtest/gtest.h>
#include <libpq-fe.h>
#include <pqxx/pqxx>

#include "tests/support/postgres_database.h"

namespace tenantry {
namespace {

using namespace std::literals;

// The SQLSTATE that `body` ends with; "" when it ends well, or in one of the errors that lose it.
std::string sqlstate(const std::function<void()>& body) {
  try {
    body();
  } catch (const pqxx::sql_error& error) {
    return error.sqlstate();
  }
  return "";
}

class PqxxTrapsTest : public ::testing::Test {
 protected:
  static std::string ask(pqxx::connection_base& connection, const std::string& sql) {
    pqxx::nontransaction transaction(connection);
    return transaction.exec1(sql)[0].c_str();
  }
  void kill(const std::string& backend) const {
    ASSERT_EQ(database_.query("SELECT pg_terminate_backend(" + backend + ", 10000)"), "t");
  }
  // Uses the connection again and again, as a loop that retries would.
  std::string backend_after_kill(pqxx::connection_base& connection, int uses) const {
    kill(ask(connection, "SELECT pg_backend_pid()"));
    for (int use = 0; use < uses; ++use) {
      try {
        return ask(connection, "SELECT pg_backend_pid()");
      } catch (const pqxx::failure&) {
        continue;
      }
    }
    return "none";
  }

  PostgresDatabase database_;
  pqxx::connection connection_{database_.url()};
};

TEST_F(PqxxTrapsTest, ALostConnectionComesBackSilentlyWithoutItsSettingsAndLocks) {
  ask(connection_, "SELECT set_config('application_name', 'ours', false)");
  ask(connection_, "SELECT pg_advisory_lock(1)::text");
  const std::string before = ask(connection_, "SELECT pg_backend_pid()");

  const std::string after = backend_after_kill(connection_, 5);

  EXPECT_NE(after, "none");
  EXPECT_NE(after, before);
  EXPECT_EQ(ask(connection_, "SHOW application_name"), "");
  EXPECT_EQ(ask(connection_,
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
                " AND pid = pg_backend_pid()"),
            "0");
}

TEST_F(PqxxTrapsTest, ALostConnectionStaysLostWhereReactivationIsInhibited) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  connection_.inhibit_reactivation(true);
#pragma GCC diagnostic pop
  EXPECT_EQ(backend_after_kill(connection_, 5), "none");
}

TEST_F(PqxxTrapsTest, ParametersAreCutAtAZeroByte) {
  pqxx::work transaction(connection_);
  EXPECT_EQ(transaction.exec_params1("SELECT $1::text", "a\0b"s)[0].c_str(), "a"s);
}

TEST_F(PqxxTrapsTest, QuotedTextIsCutAtAZeroByte) {
  pqxx::work transaction(connection_);
  EXPECT_EQ(transaction.quote("a\0b"s), "'a'");
}

TEST_F(PqxxTrapsTest, ConflictsBetweenTransactionsAreNoSqlErrors) {
  EXPECT_FALSE((std::is_base_of_v<pqxx::sql_error, pqxx::serialization_failure>));
  EXPECT_FALSE((std::is_base_of_v<pqxx::sql_error, pqxx::deadlock_detected>));
  EXPECT_FALSE((std::is_base_of_v<pqxx::sql_error, pqxx::statement_completion_unknown>));

  database_.execute("CREATE TABLE t (a int); INSERT INTO t VALUES (1)");
  pqxx::transaction<pqxx::repeatable_read> transaction(connection_);
  transaction.exec("SELECT * FROM t");
  database_.execute("UPDATE t SET a = 2");
  EXPECT_THROW(transaction.exec("UPDATE t SET a = 3"), pqxx::serialization_failure);
}

TEST_F(PqxxTrapsTest, TimeOutsOfLocksAndStatementsAreToldApartBySqlstateOnly) {
  database_.execute("CREATE TABLE t (a int)");
  pqxx::connection other(database_.url());
  pqxx::work holder(other);
  holder.exec("LOCK TABLE t");
  EXPECT_EQ(sqlstate([&] {
              pqxx::work transaction(connection_);
              transaction.exec("SET LOCAL lock_timeout = 1; SELECT * FROM t");
            }),
            "55P03");
  EXPECT_EQ(sqlstate([&] {
              pqxx::work transaction(connection_);
              transaction.exec("SET LOCAL statement_timeout = 1; SELECT * FROM t");
            }),
            "57014");
}

TEST_F(PqxxTrapsTest, ACommitWhoseConnectionIsLostIsInDoubt) {
  database_.execute("CREATE TABLE t (a int)");
  pqxx::work transaction(connection_);
  transaction.exec("INSERT INTO t VALUES (1)");
  kill(transaction.exec1("SELECT pg_backend_pid()")[0].c_str());
  EXPECT_THROW(transaction.commit(), pqxx::in_doubt_error);
}

// Errors of the rows that are sent show at complete(); without it nobody hears of them.
TEST_F(PqxxTrapsTest, AStreamThatIsNotCompletedSwallowsItsErrors) {
  database_.execute("CREATE TABLE t (a int)");
  {
    pqxx::work transaction(connection_);
    pqxx::stream_to stream(transaction, "t");
    stream << std::make_tuple(std::string("no number"));
    EXPECT_EQ(sqlstate([&] { stream.complete(); }), "22P02");
  }
  pqxx::work transaction(connection_);
  EXPECT_NO_THROW({
    pqxx::stream_to stream(transaction, "t");
    stream << std::make_tuple(std::string("no number"));
  });
}

TEST_F(PqxxTrapsTest, SomeErrorsLoseTheirSqlstate) {
  const auto raise = [&](const std::string& code) {
    pqxx::work transaction(connection_);
    transaction.exec("DO $$ BEGIN RAISE 'x' USING ERRCODE = '" + code + "'; END $$");
  };
  EXPECT_EQ(sqlstate([&] { raise("42703"); }), "42703");
  EXPECT_EQ(sqlstate([&] { raise("42501"); }), "");
  EXPECT_THROW(raise("42501"), pqxx::insufficient_privilege);
  EXPECT_THROW(raise("53300"), pqxx::too_many_connections);
  EXPECT_FALSE((std::is_base_of_v<pqxx::sql_error, pqxx::too_many_connections>));
}

// --- libpq ---

struct Finish {
  void operator()(PGconn* connection) const { PQfinish(connection); }
  void operator()(PGresult* result) const { PQclear(result); }
};
using Connection = std::unique_ptr<PGconn, Finish>;
using Result = std::unique_ptr<PGresult, Finish>;

class LibpqTrapsTest : public ::testing::Test {
 protected:
  Result run(const std::string& sql) const {
    return Result(PQexec(connection_.get(), sql.c_str()));
  }
  [[nodiscard]] Result next() const { return Result(PQgetResult(connection_.get())); }
  // The SQLSTATE of one binary COPY into an int4 column.
  [[nodiscard]] std::string copy_integer(std::string_view field) const {
    run("BEGIN");
    run("CREATE TEMPORARY TABLE numbers (a int) ON COMMIT DROP");
    run("COPY numbers FROM STDIN (FORMAT binary)");
    const std::string rows = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0\0\1\0\0\0"s +
                             static_cast<char>(field.size()) + std::string(field) + "\377\377";
    PQputCopyData(connection_.get(), rows.data(), static_cast<int>(rows.size()));
    PQputCopyEnd(connection_.get(), nullptr);
    const Result result = next();
    const char* const state = PQresultErrorField(result.get(), PG_DIAG_SQLSTATE);
    while (next() != nullptr) continue;
    run("ROLLBACK");
    return state == nullptr ? "" : state;
  }

  PostgresDatabase database_;
  Connection connection_{PQconnectdb(database_.url().c_str())};
};

TEST_F(LibpqTrapsTest, ACommitOfAFailedTransactionSucceedsWithTheTagRollback) {
  run("BEGIN");
  run("SELECT 1/0");
  const Result committed = run("COMMIT");
  EXPECT_EQ(PQresultStatus(committed.get()), PGRES_COMMAND_OK);
  EXPECT_STREQ(PQcmdStatus(committed.get()), "ROLLBACK");
}

TEST_F(LibpqTrapsTest, BinaryCopyTakesIntegersOfTheColumnsWidthOnly) {
  EXPECT_EQ(copy_integer("\0\0\0\1"sv), "");
  EXPECT_EQ(copy_integer("\0\0\0\0\0\0\0\1"sv), "22P03");
}

TEST_F(LibpqTrapsTest, APipelineThatFailedSkipsTheRestAndLeavesAFailedTransaction) {
  PGconn* const handle = connection_.get();
  run("BEGIN");
  ASSERT_EQ(PQenterPipelineMode(handle), 1);
  for (const char* sql : {"SELECT 1/0", "SELECT 1"}) {
    ASSERT_EQ(PQsendQueryParams(handle, sql, 0, nullptr, nullptr, nullptr, nullptr, 0), 1);
  }
  ASSERT_EQ(PQpipelineSync(handle), 1);

  EXPECT_EQ(PQresultStatus(next().get()), PGRES_FATAL_ERROR);
  EXPECT_EQ(next(), nullptr);
  EXPECT_EQ(PQresultStatus(next().get()), PGRES_PIPELINE_ABORTED);
  EXPECT_EQ(next(), nullptr);
  EXPECT_EQ(PQresultStatus(next().get()), PGRES_PIPELINE_SYNC);
  EXPECT_EQ(PQexitPipelineMode(handle), 1);
  EXPECT_EQ(PQtransactionStatus(handle), PQTRANS_INERROR);
}

TEST_F(LibpqTrapsTest, CopyInAPipelineIsNotRefused) {
  PGconn* const handle = connection_.get();
  run("CREATE TEMPORARY TABLE t (a int)");
  ASSERT_EQ(PQenterPipelineMode(handle), 1);
  ASSERT_EQ(
      PQsendQueryParams(handle, "COPY t FROM STDIN", 0, nullptr, nullptr, nullptr, nullptr, 0), 1);
  ASSERT_EQ(PQpipelineSync(handle), 1);
  EXPECT_EQ(PQresultStatus(next().get()), PGRES_COPY_IN);
}

// --- PostgreSQL ---

class PostgresTrapsTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::string query(const std::string& sql) const { return database_.query(sql); }
  [[nodiscard]] std::string refusal(const std::string& sql) const {
    return sqlstate([&] {
      pqxx::connection connection(database_.url());
      pqxx::nontransaction(connection).exec(sql);
    });
  }

  PostgresDatabase database_;
};

TEST_F(PostgresTrapsTest, BlanksBeyondTheLengthOfAVarcharAreCutSilently) {
  database_.execute("CREATE TABLE t (a varchar(2)); INSERT INTO t VALUES ('ab   ')");
  EXPECT_EQ(query("SELECT octet_length(a) FROM t"), "2");
  EXPECT_EQ(refusal("INSERT INTO t VALUES ('abc')"), "22001");
}

TEST_F(PostgresTrapsTest, AVarcharCountsCharacters) {
  database_.execute("CREATE TABLE t (a varchar(2)); INSERT INTO t VALUES ('🧬🧬')");
  EXPECT_EQ(query("SELECT octet_length(a) FROM t"), "8");
}

TEST_F(PostgresTrapsTest, TimesAreRoundedToMicrosecondsAndASixtiethSecondIsTheNextMinute) {
  EXPECT_EQ(query("SELECT '2026-01-31 09:30:59.9999999Z'::timestamptz AT TIME ZONE 'UTC'"),
            "2026-01-31 09:31:00");
  EXPECT_EQ(query("SELECT '2026-01-31 09:30:60Z'::timestamptz AT TIME ZONE 'UTC'"),
            "2026-01-31 09:31:00");
}

TEST_F(PostgresTrapsTest, TimesAreSpelledAsTheSessionSays) {
  const std::string sql = "SELECT '2026-01-31 23:30:00Z'::timestamptz";
  EXPECT_EQ(query("SET TimeZone = 'Asia/Tokyo'; " + sql), "2026-02-01 08:30:00+09");
  EXPECT_EQ(query("SET TimeZone = 'UTC'; SET DateStyle = 'German'; " + sql),
            "31.01.2026 23:30:00 UTC");
}

TEST_F(PostgresTrapsTest, OfAKeyThatOccursTwiceJsonbKeepsTheLast) {
  EXPECT_EQ(query(R"(SELECT '{"a": 1, "a": 2}'::jsonb)"), R"({"a": 2})");
}

TEST_F(PostgresTrapsTest, JsonbRefusesU0000ThoughItIsValidJson) {
  EXPECT_EQ(refusal(R"(SELECT '"\u0000"'::jsonb)"), "22P05");
  EXPECT_EQ(query(R"(SELECT '"\u0000"'::json)"), R"("\u0000")");
}

TEST_F(PostgresTrapsTest, EqualJsonbMayPrintDifferently) {
  EXPECT_EQ(query("SELECT '1.0'::jsonb = '1'::jsonb"), "t");
  EXPECT_EQ(query("SELECT '1.0'::jsonb::text = '1'::jsonb::text"), "f");
}

TEST_F(PostgresTrapsTest, JsonHasNoEquality) {
  EXPECT_EQ(refusal("SELECT '1'::json = '1'::json"), "42883");
}

// Keys are sorted by their bytes in the encoding of the server.
TEST_F(PostgresTrapsTest, JsonbPrintsInAnotherOrderWhereTheEncodingIsNotUtf8) {
  const PostgresDatabase latin({.encoding = "LATIN1", .locale = "C"});
  const std::string sql = R"(SELECT '{"zz": 1, "\u00e9": 2}'::jsonb::text LIKE '{"zz"%')";
  EXPECT_EQ(query(sql), "t");
  EXPECT_EQ(latin.query(sql), "f");
}

TEST_F(PostgresTrapsTest, TextSortsAsTheDatabasesCollationSays) {
  const PostgresDatabase german({.icu_locale = "de"});
  const std::string sql =
      "SELECT string_agg(a, '' ORDER BY a) FROM (VALUES ('a'),('B'),('-c')) t(a)";
  EXPECT_EQ(query(sql), "-cBa");
  EXPECT_EQ(german.query(sql), "-caB");
}

TEST_F(PostgresTrapsTest, UniqueValuesThatChangeHandsInOneStatementCollide) {
  database_.execute(
      "CREATE TABLE t (id int PRIMARY KEY, name text UNIQUE);"
      "INSERT INTO t VALUES (1, 'a'), (2, 'b')");
  EXPECT_EQ(refusal("UPDATE t SET name = CASE name WHEN 'a' THEN 'b' ELSE 'a' END"), "23505");
}

TEST_F(PostgresTrapsTest, AnUpsertMeetsNoKeyTwiceAndGuardsNoOtherKey) {
  database_.execute(
      "CREATE TABLE t (id int PRIMARY KEY, name text UNIQUE);"
      "INSERT INTO t VALUES (1, 'a')");
  const std::string update = " ON CONFLICT (id) DO UPDATE SET name = excluded.name";
  EXPECT_EQ(refusal("INSERT INTO t VALUES (2, 'x'), (2, 'y')" + update), "21000");
  EXPECT_EQ(refusal("INSERT INTO t VALUES (3, 'a')" + update), "23505");
}

TEST_F(PostgresTrapsTest, IdsThatAreGivenDoNotMoveTheSequenceAndSetvalIsNotRolledBack) {
  database_.execute(
      "CREATE TABLE t (id int GENERATED BY DEFAULT AS IDENTITY);"
      "INSERT INTO t VALUES (7)");
  EXPECT_EQ(query("INSERT INTO t DEFAULT VALUES RETURNING id"), "1");
  database_.execute("BEGIN; SELECT setval(pg_get_serial_sequence('t', 'id'), 40); ROLLBACK");
  EXPECT_EQ(query("INSERT INTO t DEFAULT VALUES RETURNING id"), "41");
}

TEST_F(PostgresTrapsTest, ADeferredReferenceFailsAtCommit) {
  database_.execute(
      "CREATE TABLE p (id int PRIMARY KEY);"
      "CREATE TABLE c (p int REFERENCES p DEFERRABLE INITIALLY DEFERRED)");
  pqxx::connection connection(database_.url());
  pqxx::work transaction(connection);
  EXPECT_EQ(sqlstate([&] { transaction.exec("INSERT INTO c VALUES (1)"); }), "");
  EXPECT_EQ(sqlstate([&] { transaction.commit(); }), "23503");
}

TEST_F(PostgresTrapsTest, AForeignKeyFollowsTheTableThatWasSwappedAway) {
  database_.execute(
      "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (p int REFERENCES p);"
      "CREATE TABLE p_new (id int PRIMARY KEY); INSERT INTO p_new VALUES (1);"
      "ALTER TABLE p RENAME TO p_old; ALTER TABLE p_new RENAME TO p");
  EXPECT_EQ(refusal("INSERT INTO c VALUES (1)"), "23503");
}

// What a transaction does that began before, and that sees the table for the first time.
TEST_F(PostgresTrapsTest, TruncateEmptiesTheTableForOlderSnapshotsToo) {
  database_.execute("CREATE TABLE t (a int); INSERT INTO t VALUES (1)");
  pqxx::connection connection(database_.url());
  pqxx::transaction<pqxx::repeatable_read> reader(connection);
  reader.exec("SELECT 1 FROM pg_class");
  database_.execute("TRUNCATE t");
  EXPECT_EQ(reader.exec1("SELECT count(*) FROM t")[0].as<int>(), 0);
}

TEST_F(PostgresTrapsTest, TruncateIsRefusedWhereATableIsReferredTo) {
  database_.execute("CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (p int REFERENCES p)");
  EXPECT_EQ(refusal("TRUNCATE p"), "0A000");
}

TEST_F(PostgresTrapsTest, RowsHiddenByPoliciesAreMissedSilentlyUnlessRowSecurityIsOff) {
  database_.execute(
      "CREATE TABLE t (a int); INSERT INTO t VALUES (1);"
      "ALTER TABLE t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;"
      "CREATE ROLE owner_" +
      database_.name() +
      ";"
      "ALTER TABLE t OWNER TO owner_" +
      database_.name());
  const std::string as_owner = "SET ROLE owner_" + database_.name() + "; ";
  EXPECT_EQ(query(as_owner + "SELECT count(*) FROM t"), "0");
  EXPECT_THROW(database_.execute(as_owner + "SET row_security = off; SELECT count(*) FROM t"),
               std::runtime_error);
  EXPECT_EQ(refusal(as_owner + "COPY t FROM STDIN"), "0A000");
  database_.execute("DROP OWNED BY owner_" + database_.name() + "; DROP ROLE owner_" +
                    database_.name());
}

TEST_F(PostgresTrapsTest, AServersOrRolesSettingsApplyToOurSessionsToo) {
  database_.execute("ALTER DATABASE " + database_.name() +
                    " SET default_transaction_isolation = 'serializable'");
  database_.execute("ALTER DATABASE " + database_.name() +
                    " SET standard_conforming_strings = off");
  EXPECT_EQ(query("SHOW transaction_isolation"), "serializable");
  EXPECT_EQ(query(R"(SELECT length('\n'))"), "1");
}

}  // namespace
}  // namespace tenantry
