#include "tests/projections/postgres_fixture.h"

namespace tenantry::projections {

std::unique_ptr<TestDatabase> make_test_database() {
  return std::make_unique<PostgresTestDatabase>();
}

std::unique_ptr<ReadModel> PostgresTestDatabase::open(bool read_only) const {
  return open_postgres_read_model({.connection = database_->url(),
                                   .read_only = read_only,
                                   .lock_timeout = std::chrono::milliseconds{300}});
}

void PostgresTestDatabase::reset() {
  database_.reset();
  database_.emplace(options_);
}

bool PostgresTestDatabase::untouched() const {
  return query("SELECT count(*) FROM pg_class WHERE oid >= 16384") == "0" &&
         query("SELECT count(*) FROM pg_namespace WHERE oid >= 16384") == "0";
}

std::int64_t PostgresTestDatabase::last_id(const std::string& table) const {
  return std::stoll(
      query("SELECT pg_sequence_last_value(pg_get_serial_sequence('" + table + "', 'id'))"));
}

void PostgresTestDatabase::set_last_id(const std::string& table, std::int64_t id) const {
  execute("SELECT setval(pg_get_serial_sequence('" + table + "', 'id'), " + std::to_string(id) +
          ")");
}

void PostgresTestBase::end_sessions() const {
  // The server's own way to wait for them looks ten times a second only.
  sql("DO $$ BEGIN"
      " SET LOCAL client_min_messages = error;"  // Of those that have ended by themselves.
      " FOR look IN 1..10000 LOOP"
      "  PERFORM pg_stat_clear_snapshot();"
      "  PERFORM pg_terminate_backend(pid) FROM pg_stat_activity"
      "   WHERE datname = current_database() AND pid <> pg_backend_pid();"
      "  IF NOT FOUND THEN RETURN; END IF;"
      "  PERFORM pg_sleep(0.001);"
      " END LOOP;"
      " RAISE 'sessions do not end'; END $$");
}

}  // namespace tenantry::projections
