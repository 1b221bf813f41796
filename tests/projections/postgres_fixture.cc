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

}  // namespace tenantry::projections
