#include "projections/import.h"

#include <map>

#include "core/store.h"
#include "tests/projections/target_fixture.h"
#include "tests/support/counting_ids.h"
#include "tests/support/manual_clock.h"
#include "tests/support/temp_directory.h"

namespace tenantry::projections {
namespace {

using events::EntityKind;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// The rows of FakeLog break rules that the log leaves to commands.
constexpr const char* kCleanRows =
    "UPDATE tenants_tenant_user SET role = 'owner';"
    "UPDATE tenants_invitation SET role = 'user', token = token || '-0123456789abcdef'";

// A database that an application filled, and a store that is to begin with it.
class ImportTest : public TargetTestBase {
 protected:
  void SetUp() override {
    log_.fill_every_table();
    // Every tenant with an owner: nothing to report but what a test breaks.
    run_rebuild();
    sql(kCleanRows);
  }

  ImportOutcome run_import(const ImportOptions& given = {}) {
    ImportOptions options = given;
    options.found = [this, given](const ImportFinding& finding) {
      found_.push_back(finding);
      if (given.found) given.found(finding);
    };
    events::Circumstances circumstances;
    circumstances.channel = "import";
    StoreImport import(directory_ / "store", circumstances, clock_, ids_);
    ImportOutcome outcome = import_rows(target(), import, options);
    if (outcome.equal()) import.publish();
    return outcome;
  }
  [[nodiscard]] std::unique_ptr<TenancyStore> open_imported() {
    return open_store({.directory = directory_ / "store", .read_only = true}, clock_, ids_);
  }
  // `rule table id`, in the order in which they were found.
  [[nodiscard]] std::vector<std::string> findings() const {
    std::vector<std::string> all;
    for (const ImportFinding& one : found_) {
      all.push_back(one.rule + " " + one.table + " " + one.id);
    }
    return all;
  }
  static std::map<std::string, std::uint64_t> rows(const ImportOutcome& outcome) {
    std::map<std::string, std::uint64_t> all;
    for (const TableVerification& one : outcome.tables) all[one.table->name] = one.found_rows;
    return all;
  }
  TempDirectory directory_;
  ManualClock clock_;
  CountingIds ids_;
  std::vector<ImportFinding> found_;
};

TEST_F(ImportTest, ARebuildFromTheNewStoreIsTheSource) {
  const std::vector<std::string> before = digests();
  const ImportOutcome outcome = run_import();
  EXPECT_TRUE(outcome.equal());
  EXPECT_THAT(findings(), IsEmpty());
  EXPECT_EQ(rows(outcome)["auth_user"], 2U);
  EXPECT_EQ(rows(outcome)["tenants_invitation"], 1U);
  const std::string secret = query("SELECT token FROM tenants_invitation");
  drop();
  const auto store = open_imported();
  const auto rebuilt = std::get<Certificate>(rebuild(*store, target(), {}));
  EXPECT_TRUE(rebuilt.correct());
  EXPECT_EQ(digests(), before);
  EXPECT_EQ(query("SELECT token FROM tenants_invitation"), secret);
  EXPECT_THAT(query("SELECT password FROM auth_user WHERE id = 1"), HasSubstr("$"));
}

TEST_F(ImportTest, TheSourceStaysAsItIs) {
  const std::string before = everything();
  EXPECT_TRUE(run_import().equal());
  EXPECT_EQ(everything(), before);
}

TEST_F(ImportTest, IdsThatWereGivenOutAreNeverGivenOutAgain) {
  target();
  database_->set_last_id("auth_user", 41);
  EXPECT_TRUE(run_import().equal());
  {
    const auto store = open_imported();
    const RowsAt at = store->rows_now();
    EXPECT_EQ(at.rows->largest_id(events::table_of(EntityKind::USER)), 41);
    EXPECT_EQ(at.rows->largest_id(events::table_of(EntityKind::PROTEIN)), 7);
  }
  drop();
  (void)rebuild(*open_imported(), target(), {});
  EXPECT_EQ(database_->last_id("auth_user"), 41);
}

TEST_F(ImportTest, WhatIsWrittenMeanwhileIsNotSeen) {
  sql("UPDATE tenants_tenant_user SET role = 'user' WHERE id = 5");
  bool written = false;
  ImportOptions options;
  options.found = [&](const ImportFinding& /*finding*/) {
    sql("DELETE FROM tenants_tenantdomain; UPDATE auth_user SET email = 'changed'");
    written = true;
  };
  const ImportOutcome outcome = run_import(options);
  ASSERT_TRUE(written);
  EXPECT_TRUE(outcome.equal());
  EXPECT_EQ(rows(outcome)["tenants_tenantdomain"], 1U);
}

TEST_F(ImportTest, RowsThatBreakARuleAreNamedAndImported) {
  const std::string other = events::format_uuid(FakeLog::number(21));
  log_.invite(21, 10, "eve@example.org");
  run_rebuild();
  sql(kCleanRows);
  sql("DROP INDEX unique_pending_invitation_per_tenant_email;"
      "UPDATE tenants_invitation SET email = 'CARL@example.org' WHERE token LIKE "
      "'secret-token-21%';"
      "UPDATE tenants_tenant_user SET is_active = false WHERE id = 6;"
      "UPDATE auth_user SET username = 'two words' WHERE id = 2");
  reopen();
  const ImportOutcome outcome = run_import();
  EXPECT_TRUE(outcome.equal());
  EXPECT_EQ(outcome.findings.size(), 3U);
  EXPECT_THAT(findings(),
              ElementsAre("invalid_username auth_user 2",
                          "pending_invitation_exists tenants_invitation " + other,
                          "no_owner tenants_tenant " + events::format_uuid(FakeLog::number(11))));
  EXPECT_THAT(found_[1].message, HasSubstr(events::format_uuid(FakeLog::number(20))));
  EXPECT_THAT(found_[1].key, HasSubstr("CARL@example.org"));
  for (const CheckResult& check : open_imported()->verify(VerifyDepth::kFull, {})) {
    EXPECT_TRUE(check.passed) << check.name << ": " << ::testing::PrintToString(check.problems);
  }
}

TEST_F(ImportTest, ADomainWithoutItsActiveFlagIsActive) {
  reopen();
  sql("ALTER TABLE tenants_tenantdomain DROP COLUMN is_active");
  EXPECT_TRUE(run_import().equal());
  const auto store = open_imported();
  const events::TableInfo& domains = events::table_of(EntityKind::DOMAIN);
  const auto row = store->rows_now().rows->row_by_id(domains, events::entity_key(std::int64_t{4}));
  ASSERT_TRUE(row.has_value());
  EXPECT_EQ(events::decode_row(domains, row->bytes)[domains.find_column("is_active").value()],
            events::Value(true));
}

TEST_F(ImportTest, TablesThatCannotBeReadAreNamedAndNothingIsMade) {
  reopen();
  sql("ALTER TABLE core_protein RENAME COLUMN name TO title");
  EXPECT_EQ(usage_code([this] { (void)run_import(); }), "read_model_shape");
  sql("DROP TABLE core_protein");
  reopen();
  EXPECT_EQ(usage_code([this] { (void)run_import(); }), "read_model_shape");
  EXPECT_FALSE(std::filesystem::exists(directory_ / "store"));
}

TEST_F(ImportTest, AStopLeavesNothing) {
  std::stop_source stop;
  ImportOptions options;
  options.stop = stop.get_token();
  stop.request_stop();
  const ImportOutcome outcome = run_import(options);
  EXPECT_TRUE(outcome.stopped);
  EXPECT_FALSE(outcome.equal());
  EXPECT_FALSE(std::filesystem::exists(directory_ / "store"));
}

}  // namespace
}  // namespace tenantry::projections
