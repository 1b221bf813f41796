#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <set>
#include <thread>
#include <utility>

#include <pqxx/pqxx>

#include "tests/projections/postgres_fixture.h"

namespace tenantry::projections {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class PostgresConcurrencyTest : public PostgresTestBase {
 protected:
  void SetUp() override { log_.fill_every_table(); }

  void append_random(std::uint64_t seed, std::size_t commands) {
    std::mt19937_64 random(seed);
    log_.append_random(random, commands);
  }
  // What either throws fails the test.
  static void run_twice_at_once(const std::function<void()>& work) {
    auto one = std::async(std::launch::async, work);
    auto other = std::async(std::launch::async, work);
    one.get();
    other.get();
  }
  // Who waits for another must be done waiting before the test is.
  [[nodiscard]] std::unique_ptr<ReadModel> open_patiently() const {
    return open_postgres_read_model({.connection = url()});
  }
};

// --- Two that write ---

TEST_F(PostgresConcurrencyTest, AZombiePastATakeOverWritesNothing) {
  run_rebuild();
  const Mark seen = *target().probe().mark;
  auto begun = target().begin(seen);
  auto& batch = std::get<std::unique_ptr<Batch>>(begun);
  events::RowChange change;
  change.table = events::find_table("core_protein");
  change.effect = events::Effect::REMOVE;
  change.id = events::entity_key(std::int64_t{7});
  batch->apply(change);

  end_sessions();  // As idle_in_transaction_session_timeout does with who was stopped.
  const auto other = open();
  ASSERT_TRUE(std::get<Certificate>(rebuild(log_, *other, {})).correct());

  EXPECT_THROW(batch->commit(seen), UnavailableError);
  batch.reset();
  EXPECT_TRUE(std::holds_alternative<Fenced>(target().begin(seen)));
  EXPECT_TRUE(run_verify().equal());
  EXPECT_EQ(target().probe().mark->epoch, seen.epoch + 1);
}

TEST_F(PostgresConcurrencyTest, ProjectorsThatRunAtOnceApplyEveryEventOnce) {
  constexpr std::uint64_t kSeed = 3;
  SCOPED_TRACE(kSeed);
  append_random(kSeed, 150);
  std::atomic<std::uint64_t> applied = 0;
  const auto work = [&] {
    const auto model = open_patiently();
    for (Position at; at != log_.end();) {
      ProjectOptions options{.batch_events = 5};
      std::uint64_t before = 0;
      options.progress = [&](const ProjectProgress& done) {
        applied += done.events - std::exchange(before, done.events);
      };
      const ProjectOutcome outcome = project(log_, *model, options);
      if (const auto* done = std::get_if<Projected>(&outcome)) at = done->mark.position;
    }
  };
  run_twice_at_once(work);
  EXPECT_EQ(applied, log_.end().value);
  EXPECT_TRUE(run_verify().equal());
  EXPECT_TRUE(target().probe().findings.empty());
}

TEST_F(PostgresConcurrencyTest, FreshRebuildsAtOnceMakeOneReadModel) {
  std::atomic<int> made = 0;
  const auto work = [&] {
    const auto outcome = rebuild(log_, *open_patiently(), {});
    if (const auto* done = std::get_if<Certificate>(&outcome)) made += done->correct() ? 1 : 0;
  };
  run_twice_at_once(work);
  EXPECT_GE(made, 1);
  EXPECT_TRUE(run_verify().equal());
  EXPECT_EQ(query("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'tenantry\\_%'"), "0");
}

TEST_F(PostgresConcurrencyTest, RebuildsOfDroppedTablesAtOnceMakeThemOnce) {
  run_rebuild();
  sql("DROP TABLE auth_user, core_protein, core_userpreferences, tenants_tenant,"
      " tenants_tenantdomain, tenants_tenant_user, tenants_invitation CASCADE");
  const auto other = open_patiently();
  const auto load = other->begin_load({.mode = LoadMode::kFresh}, other->probe().mark);
  ASSERT_EQ(run_rebuild().mode, LoadMode::kFresh);
  const Mark stands = *target().probe().mark;
  ASSERT_TRUE(std::holds_alternative<Fenced>(load->publish(stands)));
  EXPECT_EQ(target().probe().mark, stands);
  EXPECT_TRUE(run_verify().equal());
  EXPECT_EQ(query("SELECT min(reltuples) FROM pg_class WHERE relname = 'auth_user'"), "2")
      << "statistics are gathered";
}

TEST_F(PostgresConcurrencyTest, TablesThatSomebodyElseMakesMeanwhileAreAReasonToTryAgain) {
  pqxx::connection connection(url());
  auto django = std::make_unique<pqxx::work>(connection);
  django->exec("CREATE TABLE auth_user (id integer PRIMARY KEY)");
  const auto model = open_patiently();
  auto late = std::async(std::launch::async, [&] { return model->create_missing(); });
  const std::string waits =
      "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
      " AND wait_event_type = 'Lock'";
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (query(waits) == "0" && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  django->commit();
  EXPECT_THAT([&] { late.get(); }, ::testing::Throws<UnavailableError>(::testing::Property(
                                       &UnavailableError::hint, HasSubstr("try again"))));
}

TEST_F(PostgresConcurrencyTest, OneObjectRebuildsAgainAndAgainInEveryWay) {
  run_rebuild({.from_events = true});
  for (int run = 0; run < 2; ++run) {
    EXPECT_EQ(touched(run_rebuild({.from_events = true})), 0U);
    log_.register_user(50 + run, "zoe" + std::to_string(run));
    run_projector();
  }
  EXPECT_TRUE(run_verify().equal());
}

// --- Those who read ---

constexpr const char* kUsers = "SELECT md5(string_agg(u::text, ',' ORDER BY id)) FROM auth_user u";
constexpr const char* kTenants =
    "SELECT md5(string_agg(t::text, ',' ORDER BY id)) FROM tenants_tenant t";

// Reads two tables over and over while they are edited and rebuilt.
class PostgresReadersTest : public PostgresConcurrencyTest {
 protected:
  using Pair = std::pair<std::string, std::string>;

  void edit() const {
    sql("BEGIN; UPDATE auth_user SET email = 'edited'; UPDATE tenants_tenant SET name = 'edited';"
        "COMMIT");
  }
  [[nodiscard]] Pair see() const { return {query(kUsers), query(kTenants)}; }
  std::set<Pair> seen_during_rebuilds(const std::function<Pair(pqxx::connection&)>& read) {
    std::set<Pair> seen;
    std::jthread reader([&](const std::stop_token& stop) {
      pqxx::connection connection(url());
      do {
        seen.insert(read(connection));
      } while (!stop.stop_requested());
    });
    for (int run = 0; run < 4; ++run) {
      edit();
      EXPECT_TRUE(run_rebuild().correct());
    }
    reader.request_stop();
    reader.join();
    return seen;
  }
  void expect_whole(const std::function<Pair(pqxx::connection&)>& read) {
    append_random(5, 100);
    run_rebuild();
    const Pair mended = see();
    edit();
    const Pair edited = see();
    ASSERT_NE(edited, mended);
    EXPECT_THAT(seen_during_rebuilds(read),
                ::testing::IsSubsetOf(std::vector<Pair>{edited, mended}));
  }
};

TEST_F(PostgresReadersTest, AStatementSeesOldOrNew) {
  expect_whole([](pqxx::connection& connection) {
    pqxx::nontransaction transaction(connection);
    const pqxx::row row =
        transaction.exec1("SELECT (" + std::string(kUsers) + "), (" + kTenants + ")");
    return Pair{row[0].c_str(), row[1].c_str()};
  });
}

TEST_F(PostgresReadersTest, ARepeatableReadSeesOldOrNewInAllItsStatements) {
  expect_whole([](pqxx::connection& connection) {
    pqxx::transaction<pqxx::repeatable_read> transaction(connection);
    const std::string users = transaction.exec1(kUsers)[0].c_str();
    return Pair{users, transaction.exec1(kTenants)[0].c_str()};
  });
}

// --- Tables of other applications ---

class PostgresInboundTest : public PostgresConcurrencyTest {
 protected:
  void SetUp() override {
    PostgresConcurrencyTest::SetUp();
    run_rebuild();
  }
  // Names that changed hands, and a row that is gone.
  void edit() const {
    sql("UPDATE auth_user SET username = 'tmp' WHERE id = 1;"
        "UPDATE auth_user SET username = 'ann' WHERE id = 2;"
        "UPDATE auth_user SET username = 'bob' WHERE id = 1;"
        "UPDATE tenants_tenant SET name = 'edited';"
        "DELETE FROM core_protein");
  }
  [[nodiscard]] std::string orders() const {
    return query("SELECT string_agg(o::text, ' ') FROM shop_order o");
  }
};

class PostgresInboundKeyTest : public PostgresInboundTest,
                               public ::testing::WithParamInterface<const char*> {};

TEST_P(PostgresInboundKeyTest, ForeignKeysOfOthersAndTheirRowsOutliveARebuild) {
  const std::string key = GetParam();
  sql("CREATE TABLE shop_order (id integer, buyer integer REFERENCES auth_user " + key +
      ", tenant uuid REFERENCES tenants_tenant " + key + ");" +
      "INSERT INTO shop_order SELECT 1, 1, id FROM tenants_tenant");
  const std::string before = orders();
  edit();
  EXPECT_TRUE(run_rebuild().correct());
  EXPECT_EQ(orders(), before);
  EXPECT_THROW(sql("INSERT INTO shop_order VALUES (2, 999)"), std::runtime_error);
}
INSTANTIATE_TEST_SUITE_P(Keys, PostgresInboundKeyTest,
                         ::testing::Values("", "DEFERRABLE", "DEFERRABLE INITIALLY DEFERRED",
                                           "ON DELETE RESTRICT"));

TEST_F(PostgresInboundTest, AKeyThatWouldDeleteRowsOfOthersIsRefusedFirst) {
  sql("CREATE TABLE shop_order (id integer, buyer integer REFERENCES auth_user ON DELETE CASCADE);"
      "INSERT INTO shop_order VALUES (1, 1)");
  const std::string before = orders();
  edit();
  EXPECT_EQ(usage_code([&] { run_rebuild(); }), "read_model_shape");
  log_.delete_user(1);
  EXPECT_EQ(usage_code([&] { run_projector(); }), "read_model_shape");
  EXPECT_EQ(orders(), before);
}

TEST_F(PostgresInboundTest, AKeyOfAUniqueValueIsHonouredWhenItIsDeferred) {
  edit();
  sql("CREATE TABLE shop_order (id integer, buyer varchar(150) REFERENCES auth_user (username));"
      "INSERT INTO shop_order VALUES (1, 'ann')");
  const std::string before = everything();
  EXPECT_EQ(usage_code([&] { run_rebuild(); }), "read_model_referenced");
  EXPECT_EQ(everything(), before);
  sql("ALTER TABLE shop_order ALTER CONSTRAINT shop_order_buyer_fkey DEFERRABLE INITIALLY "
      "DEFERRED");
  EXPECT_TRUE(run_rebuild().correct());
}

// --- Rows that do not keep to a rule that is missing ---

TEST_F(PostgresInboundTest, ATableThatOthersOfOursReferToIsMadeAgainWithItsKeys) {
  sql("DROP TABLE auth_user CASCADE");
  EXPECT_TRUE(run_rebuild().correct());
  EXPECT_THAT(target().probe().findings, IsEmpty());
}

TEST_F(PostgresInboundTest, RowsThatBreakAMissingRuleAreNoReasonToMakeIt) {
  sql("DO $$ DECLARE k record; BEGIN FOR k IN SELECT conname FROM pg_constraint"
      " WHERE conrelid = 'core_userpreferences'::regclass AND contype = 'f' LOOP"
      " EXECUTE 'ALTER TABLE core_userpreferences DROP CONSTRAINT ' || quote_ident(k.conname);"
      " END LOOP; END $$;"
      "UPDATE core_userpreferences SET user_id = 999");
  EXPECT_EQ(usage_code([&] { target().create_missing(); }), "read_model_conflict");
  EXPECT_TRUE(run_rebuild().correct()) << "which mends the rows first";
  EXPECT_THAT(target().probe().findings, IsEmpty());
}

}  // namespace
}  // namespace tenantry::projections
