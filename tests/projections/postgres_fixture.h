#pragma once

#include <optional>

#include "projections/postgres/postgres_read_model.h"
#include "tests/projections/target_fixture.h"
#include "tests/support/postgres_database.h"

namespace tenantry::projections {

class PostgresTestDatabase final : public TestDatabase {
 public:
  explicit PostgresTestDatabase(const PostgresDatabase::Options& options = {})
      : options_(options), database_(std::in_place, options) {}

  [[nodiscard]] const PostgresDatabase& database() const { return *database_; }

  [[nodiscard]] std::unique_ptr<ReadModel> open(bool read_only) const override;
  void execute(const std::string& statements) const override { database_->execute(statements); }
  [[nodiscard]] std::string query(const std::string& statement) const override {
    return database_->query(statement);
  }
  void reset() override;
  [[nodiscard]] bool untouched() const override;
  [[nodiscard]] std::int64_t last_id(const std::string& table) const override;
  void set_last_id(const std::string& table, std::int64_t id) const override;

 private:
  PostgresDatabase::Options options_;
  std::optional<PostgresDatabase> database_;
};

// For what only PostgreSQL has.
class PostgresTestBase : public TargetTestBase {
 protected:
  [[nodiscard]] const PostgresDatabase& database() const {
    return dynamic_cast<const PostgresTestDatabase&>(*database_).database();
  }
  [[nodiscard]] const std::string& url() const { return database().url(); }
  [[nodiscard]] const std::string& database_name() const { return database().name(); }
  // All but the one that says so; when it returns they are gone.
  void end_sessions() const;
};

}  // namespace tenantry::projections
