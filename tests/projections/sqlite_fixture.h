#pragma once

#include <filesystem>

#include "projections/sqlite/connection.h"
#include "projections/sqlite/sqlite_read_model.h"
#include "tests/projections/target_fixture.h"
#include "tests/support/temp_directory.h"

namespace tenantry::projections {

// A file in a directory of its own.
class SqliteTestDatabase final : public TestDatabase {
 public:
  [[nodiscard]] std::filesystem::path path() const { return directory_ / "read_model.sqlite3"; }
  [[nodiscard]] const std::filesystem::path& directory() const { return directory_.path(); }

  [[nodiscard]] std::unique_ptr<ReadModel> open(bool read_only) const override;
  void execute(const std::string& statements) const override;
  [[nodiscard]] std::string query(const std::string& statement) const override;
  void reset() override;
  [[nodiscard]] bool untouched() const override;
  [[nodiscard]] std::int64_t last_id(const std::string& table) const override;
  void set_last_id(const std::string& table, std::int64_t id) const override;

 private:
  TempDirectory directory_;
};

// For what only SQLite has: files.
class SqliteTestBase : public TargetTestBase {
 protected:
  [[nodiscard]] const SqliteTestDatabase& file() const {
    return dynamic_cast<const SqliteTestDatabase&>(*database_);
  }
  [[nodiscard]] std::filesystem::path path() const { return file().path(); }
  [[nodiscard]] std::filesystem::path beside(const std::string& name) const {
    return file().directory() / name;
  }
};

}  // namespace tenantry::projections
