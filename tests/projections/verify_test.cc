#include "projections/verify.h"

#include "tests/projections/target_fixture.h"

namespace tenantry::projections {
namespace {

using ::testing::SizeIs;

class VerifyTest : public TargetTestBase {
 protected:
  void SetUp() override {
    log_.fill_every_table();
    run_rebuild();
  }
  TableVerification check(std::string_view name, const VerifyOptions& options = {}) {
    for (TableVerification& one : run_verify(options).tables) {
      if (one.table->name == name) return one;
    }
    throw std::logic_error("no such table");
  }
};

TEST_F(VerifyTest, LagIsNoDifference) {
  log_.rename_user(1, "anna");
  const Verification result = run_verify();
  EXPECT_TRUE(result.equal());
  EXPECT_LT(result.mark.position, log_.end());
}

TEST_F(VerifyTest, AChangedColumnIsNamedWithBothValuesAndTheEventThatWroteTheRow) {
  sql("UPDATE auth_user SET email = 'x@y.z', is_staff = true WHERE id = 1");
  const TableVerification users = check("auth_user");
  EXPECT_EQ(users.differing, 1U);
  ASSERT_THAT(users.differences, SizeIs(1));
  const RowDifference& row = users.differences[0];
  EXPECT_EQ(row.kind, RowDifference::Kind::kDiffers);
  EXPECT_EQ(row.id, "1");
  EXPECT_EQ(row.key, "username=ann");
  EXPECT_EQ(row.last_event, Position{1});
  ASSERT_THAT(row.columns, SizeIs(2));
  EXPECT_EQ(row.columns[0].column, "email");
  EXPECT_EQ(row.columns[0].expected, "ann@example.org");
  EXPECT_EQ(row.columns[0].found, "x@y.z");
  EXPECT_EQ(row.columns[1].found, "true");
}

TEST_F(VerifyTest, MissingAndUnexpectedRowsAreTold) {
  sql("DELETE FROM core_protein; INSERT INTO core_protein VALUES (8, 'mine')");
  const TableVerification proteins = check("core_protein");
  EXPECT_EQ(proteins.missing, 1U);
  EXPECT_EQ(proteins.unexpected, 1U);
  ASSERT_THAT(proteins.differences, SizeIs(2));
  EXPECT_EQ(proteins.differences[0].kind, RowDifference::Kind::kUnexpected);
  EXPECT_EQ(proteins.differences[0].key, "name=mine");
  EXPECT_EQ(proteins.differences[1].kind, RowDifference::Kind::kMissing);
  EXPECT_EQ(proteins.differences[1].id, "7");
}

TEST_F(VerifyTest, TheApplicationsColumnsCountOnlyWhenAskedForAndSecretsAreMasked) {
  sql("UPDATE auth_user SET password = 'pbkdf2_sha256$9$other' WHERE id = 1");
  EXPECT_TRUE(run_verify().equal());
  const TableVerification users = check("auth_user", {.all_columns = true});
  ASSERT_THAT(users.differences, SizeIs(1));
  EXPECT_EQ(users.differences[0].columns[0].found, "pbkdf2…");
  EXPECT_EQ(
      check("auth_user", {.all_columns = true, .reveal = true}).differences[0].columns[0].found,
      "pbkdf2_sha256$9$other");
}

TEST_F(VerifyTest, OnlyTheFirstAreListedAndAllAreCounted) {
  for (std::int32_t id = 100; id < 150; ++id) log_.register_user(id, "u" + std::to_string(id));
  run_projector();
  sql("UPDATE auth_user SET first_name = 'x'");
  const TableVerification users = check("auth_user", {.differences_max = 3});
  EXPECT_EQ(users.differing, 52U);
  EXPECT_THAT(users.differences, SizeIs(3));
}

TEST_F(VerifyTest, JsonThatMeansTheSameIsTheSame) {
  sql(R"(UPDATE core_userpreferences SET dashboard_layout = '{"a":[1,2.50]}')");
  EXPECT_TRUE(run_verify().equal());
  sql(R"(UPDATE core_userpreferences SET dashboard_layout = '{"a":[1,2.5]}')");
  EXPECT_FALSE(run_verify().equal());
}

TEST_F(VerifyTest, AReadOnlyReadModelCanBeVerified) {
  reopen();
  const auto reader = database_->open(/*read_only=*/true);
  EXPECT_TRUE(verify(log_, log_.state_at(), *reader, {}).equal());
}

TEST_F(VerifyTest, AnAbsentReadModelIsSaidToBeAbsent) {
  drop();
  EXPECT_EQ(usage_code([&] { run_verify(); }), "read_model_absent");
}

}  // namespace
}  // namespace tenantry::projections
