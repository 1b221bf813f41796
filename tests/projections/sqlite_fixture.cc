#include "tests/projections/sqlite_fixture.h"

namespace tenantry::projections {

std::unique_ptr<TestDatabase> make_test_database() {
  return std::make_unique<SqliteTestDatabase>();
}

std::unique_ptr<ReadModel> SqliteTestDatabase::open(bool read_only) const {
  return open_sqlite_read_model(
      {.path = path(), .read_only = read_only, .busy_timeout = std::chrono::milliseconds{50}});
}

void SqliteTestDatabase::execute(const std::string& statements) const {
  sqlite::Connection connection(
      {.path = path(), .access = sqlite::Access::kCreate, .busy_timeout = std::chrono::seconds{1}});
  connection.execute(statements);
}

std::string SqliteTestDatabase::query(const std::string& statement) const {
  sqlite::Connection connection({.path = path(), .access = sqlite::Access::kWrite});
  auto prepared = connection.prepare(statement);
  return prepared.step() ? prepared.text(0) : "";
}

void SqliteTestDatabase::reset() { std::filesystem::remove(path()); }

bool SqliteTestDatabase::untouched() const { return std::filesystem::is_empty(directory()); }

std::int64_t SqliteTestDatabase::last_id(const std::string& table) const {
  return std::stoll(query("SELECT seq FROM sqlite_sequence WHERE name = '" + table + "'"));
}

void SqliteTestDatabase::set_last_id(const std::string& table, std::int64_t id) const {
  execute("UPDATE sqlite_sequence SET seq = " + std::to_string(id) + " WHERE name = '" + table +
          "'");
}

}  // namespace tenantry::projections
