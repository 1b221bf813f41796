#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "projections/digest.h"
#include "projections/projector.h"
#include "projections/rebuild.h"
#include "projections/verify.h"
#include "tests/projections/fake_log.h"

// What every target is tested against. The same cases are compiled once for each kind of database;
// make_test_database() is defined by the file that the executable links.
namespace tenantry::projections {

// An empty database, and what somebody does in it behind our back.
class TestDatabase {
 public:
  virtual ~TestDatabase() = default;
  [[nodiscard]] virtual std::unique_ptr<ReadModel> open(bool read_only = false) const = 0;
  // Statements that both kinds of database understand.
  virtual void execute(const std::string& statements) const = 0;
  // The first column of the first row, as text; empty when there is none.
  [[nodiscard]] virtual std::string query(const std::string& statement) const = 0;
  // As it was made; what was opened before is closed first.
  virtual void reset() = 0;
  // Nobody has made anything in it.
  [[nodiscard]] virtual bool untouched() const = 0;
  // The last id that a table's sequence gave.
  [[nodiscard]] virtual std::int64_t last_id(const std::string& table) const = 0;
  virtual void set_last_id(const std::string& table, std::int64_t id) const = 0;
};
[[nodiscard]] std::unique_ptr<TestDatabase> make_test_database();

// A log, a database, and a read model in it that is made by the first verb.
class TargetTestBase : public ::testing::Test {
 protected:
  ReadModel& target() {
    if (target_ == nullptr) target_ = open();
    return *target_;
  }
  [[nodiscard]] std::unique_ptr<ReadModel> open() const { return database_->open(); }
  void reopen() { target_.reset(); }
  void drop() {
    reopen();
    database_->reset();
  }

  Projected run_projector(const ProjectOptions& options = {}) {
    return std::get<Projected>(project(log_, target(), options));
  }
  Certificate run_rebuild(const RebuildOptions& options = {}) {
    return std::get<Certificate>(rebuild(log_, target(), options));
  }
  Verification run_verify(const VerifyOptions& options = {}) {
    return verify(log_, log_.state_at(), target(), options);
  }
  // Of rows read one by one, whatever the database would compute by itself.
  [[nodiscard]] std::vector<std::string> digests() {
    std::vector<std::string> all;
    const auto view = target().read();
    for (const events::TableInfo& table : events::tables()) {
      TableDigest digest(table);
      view->scan_rows(table, [&](const events::RowValues& row) {
        digest.add(row);
        return true;
      });
      EXPECT_EQ(digest.hex(), view->fingerprint(table, std::nullopt).hex()) << table.name;
      all.push_back(digest.hex());
    }
    return all;
  }
  std::string everything() {
    std::string all;
    for (const std::string& digest : digests()) all += digest + "\n";
    const auto mark = target().probe().mark;
    return all + std::to_string(mark ? mark->epoch : 0);
  }

  void sql(const std::string& statements) const { database_->execute(statements); }
  [[nodiscard]] std::string query(const std::string& statement) const {
    return database_->query(statement);
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
  static std::uint64_t touched(const Certificate& certificate) {
    std::uint64_t sum = 0;
    for (const TableCertificate& one : certificate.tables) {
      sum += one.changes.inserted + one.changes.updated + one.changes.deleted;
    }
    return sum;
  }

  std::unique_ptr<TestDatabase> database_ = make_test_database();
  FakeLog log_;

 private:
  std::unique_ptr<ReadModel> target_;
};

}  // namespace tenantry::projections
