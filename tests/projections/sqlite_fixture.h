#pragma once

#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "projections/digest.h"
#include "projections/projector.h"
#include "projections/rebuild.h"
#include "projections/sqlite/connection.h"
#include "projections/sqlite/sqlite_read_model.h"
#include "projections/verify.h"
#include "tests/projections/fake_log.h"
#include "tests/support/temp_directory.h"

namespace tenantry::projections {

// A log, a directory, and a read model in SQLite that is made by the first verb.
class SqliteTestBase : public ::testing::Test {
 protected:
  [[nodiscard]] std::filesystem::path path() const { return directory_ / "read_model.sqlite3"; }

  ReadModel& target() {
    if (target_ == nullptr) target_ = open();
    return *target_;
  }
  [[nodiscard]] std::unique_ptr<ReadModel> open() const {
    return open_sqlite_read_model({.path = path(), .busy_timeout = std::chrono::milliseconds{50}});
  }
  void reopen() { target_.reset(); }

  Projected run_projector(const ProjectOptions& options = {}) {
    return std::get<Projected>(project(log_, target(), options));
  }
  Certificate run_rebuild(const RebuildOptions& options = {}) {
    return std::get<Certificate>(rebuild(log_, target(), options));
  }
  Verification run_verify(const VerifyOptions& options = {}) {
    return verify(log_, log_.state_at(), target(), options);
  }
  [[nodiscard]] std::vector<std::string> digests() {
    std::vector<std::string> all;
    const auto view = target().read();
    for (const events::TableInfo& table : events::tables()) {
      TableDigest digest(table);
      view->scan_rows(table, [&](const events::RowValues& row) {
        digest.add(row);
        return true;
      });
      all.push_back(digest.hex());
    }
    return all;
  }

  // What somebody does in the database behind our back.
  void sql(const std::string& statements) const {
    sqlite::Connection connection({.path = path(),
                                   .access = sqlite::Access::kCreate,
                                   .busy_timeout = std::chrono::seconds{1}});
    connection.execute(statements);
  }
  [[nodiscard]] std::string query(const std::string& statement) const {
    sqlite::Connection connection({.path = path(), .access = sqlite::Access::kWrite});
    auto prepared = connection.prepare(statement);
    return prepared.step() ? prepared.text(0) : "";
  }
  // The code of the UsageError that `call` throws.
  template <class Call>
  static std::string usage_code(Call&& call) {
    try {
      call();
    } catch (const UsageError& error) {
      EXPECT_FALSE(error.hint().empty()) << error.what();
      return error.code();
    }
    return "nothing was thrown";
  }
  static const TableCertificate& table(const Certificate& certificate, std::string_view name) {
    for (const TableCertificate& found : certificate.tables) {
      if (found.changes.table->name == name) return found;
    }
    throw std::logic_error("no such table");
  }

  TempDirectory directory_;
  FakeLog log_;

 private:
  std::unique_ptr<ReadModel> target_;
};

}  // namespace tenantry::projections
