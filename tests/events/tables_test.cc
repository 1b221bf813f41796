#include "events/tables.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "events/encoding.h"
#include "events/rows.capnp.h"

namespace tenantry::events {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

std::vector<std::string> names(const TableInfo& table) {
  std::vector<std::string> all;
  for (const ColumnInfo& column : table.columns) all.push_back(column.name);
  return all;
}

TEST(TablesTest, AreTheSevenOfTheContractInLoadOrder) {
  std::vector<std::string> found;
  for (const TableInfo& table : tables()) found.push_back(table.name);
  EXPECT_THAT(found,
              ElementsAre("auth_user", "core_protein", "core_userpreferences", "tenants_tenant",
                          "tenants_tenantdomain", "tenants_tenant_user", "tenants_invitation"));
}

TEST(TablesTest, ColumnsStandInTheOrderOfTheContract) {
  EXPECT_THAT(names(*find_table("auth_user")),
              ElementsAre("id", "password", "last_login", "is_superuser", "username", "first_name",
                          "last_name", "email", "is_staff", "is_active", "date_joined"));
  EXPECT_THAT(names(*find_table("tenants_tenant")),
              ElementsAre("id", "name", "slug", "schema_name", "domain", "contact_email",
                          "contact_phone", "is_active", "is_trial", "trial_ends_at", "created_at",
                          "updated_at", "settings", "logo", "created_by_id"));
}

TEST(TablesTest, SecretsAndApplicationOwnedColumnsAreTheDeclaredOnes) {
  std::vector<std::string> secret;
  std::vector<std::string> owned;
  for (const TableInfo& table : tables()) {
    for (const ColumnInfo& column : table.columns) {
      if (column.secret) secret.push_back(table.name + "." + column.name);
      if (column.application_owned) owned.push_back(table.name + "." + column.name);
    }
  }
  EXPECT_THAT(secret, ElementsAre("auth_user.password", "tenants_invitation.token"));
  EXPECT_THAT(owned, ElementsAre("auth_user.password", "auth_user.last_login"));
}

// What read models are filled with. Whoever changes it raises kSchemaVersion: so squashes leave the
// events to those that were filled before.
TEST(TablesTest, ColumnsAreThoseOfTheSchemaVersion) {
  std::string words;
  for (const TableInfo& table : tables()) {
    words += table.name + ":";
    for (const ColumnInfo& column : table.columns) {
      words += " " + column.name + " " + std::to_string(static_cast<int>(column.type));
      if (column.length > 0) words += "(" + std::to_string(column.length) + ")";
      if (column.nullable) words += "?";
    }
    words += "\n";
  }
  EXPECT_EQ(kSchemaVersion, 1U);
  EXPECT_EQ(words,
            "auth_user: id 0 password 3(128) last_login 5? is_superuser 2 username 3(150) "
            "first_name 3(150) last_name 3(150) email 3(254) is_staff 2 is_active 2 "
            "date_joined 5\n"
            "core_protein: id 1 name 3(50)\n"
            "core_userpreferences: id 1 theme 3(20) dashboard_layout 7 sidebar_collapsed 2 "
            "quick_menu_items 7 widget_preferences 7 created_at 5 updated_at 5 user_id 0\n"
            "tenants_tenant: id 6 name 3(255) slug 3(100) schema_name 3(63)? domain 3(255)? "
            "contact_email 3(254) contact_phone 3(20) is_active 2 is_trial 2 trial_ends_at 5? "
            "created_at 5 updated_at 5 settings 7 logo 3(100)? created_by_id 0?\n"
            "tenants_tenantdomain: id 1 domain 3(253) is_primary 2 is_active 2 created_at 5 "
            "updated_at 5 tenant_id 6\n"
            "tenants_tenant_user: id 1 role 3(20) is_active 2 created_at 5 updated_at 5 "
            "tenant_id 6 user_id 0\n"
            "tenants_invitation: id 6 token 3(64) email 3(254) role 3(20) status 3(20) "
            "created_at 5 expires_at 5 accepted_at 5? message 4 accepted_by_id 0? "
            "invited_by_id 0? tenant_id 6\n");
}

TEST(TablesTest, ClaimAndLookupNumbersAreNeverUsedTwice) {
  std::vector<int> claims;
  std::vector<int> lookups;
  for (const TableInfo& table : tables()) {
    for (const ClaimInfo& claim : table.claims) claims.push_back(claim.number);
    for (const LookupInfo& lookup : table.lookups) lookups.push_back(lookup.number);
  }
  EXPECT_THAT(claims, ElementsAre(1, 2, 3, 4, 5, 7, 6, 8, 9));
  EXPECT_THAT(lookups, ElementsAre(6, 1, 2, 3, 4, 5));
}

TEST(TablesTest, ScopesStandBehindThoseThatTheyDependOn) {
  std::vector<std::pair<Scope, std::vector<Scope>>> found;
  for (const ScopeInfo& scope : scopes()) found.emplace_back(scope.scope, scope.depends_on);
  const std::vector<Scope> on_auth = {Scope::AUTH};
  EXPECT_THAT(found, ElementsAre(Pair(Scope::AUTH, IsEmpty()), Pair(Scope::CORE, on_auth),
                                 Pair(Scope::TENANTS, on_auth)));
}

TEST(TablesTest, ScopesThatDependOnEachOtherAreAnError) {
  std::vector<TableInfo> changed = tables();
  changed.front().columns.back().references = "tenants_tenant";
  ASSERT_EQ(changed.front().scope, Scope::AUTH);
  EXPECT_THROW((void)order_scopes(changed), std::logic_error);
}

TEST(TablesTest, AReferenceToNoTableIsAnError) {
  std::vector<TableInfo> changed = tables();
  changed.back().columns.back().references = "nowhere";
  EXPECT_THROW((void)order_scopes(changed), std::logic_error);
}

TEST(TablesTest, SnakeCaseFollowsTheWords) {
  EXPECT_EQ(snake_case("createdById"), "created_by_id");
  EXPECT_EQ(snake_case("UserRegistered"), "user_registered");
}

TEST(EntityKeyTest, IntegersKeepTheirOrderAndValue) {
  EXPECT_EQ(integer_id(entity_key(std::int64_t{17})), 17);
  EXPECT_LT(entity_key(std::int64_t{255}), entity_key(std::int64_t{256}));
  EXPECT_EQ(format_entity_id(table_of(EntityKind::USER), entity_key(std::int64_t{17})), "17");
}

class RowRoundTripTest : public ::testing::TestWithParam<std::size_t> {
 protected:
  const TableInfo& table() const { return tables()[GetParam()]; }
  // A row with a value of its own in every column; every nullable column NULL if asked.
  RowValues row(bool nulls) const {
    RowValues values;
    for (const ColumnInfo& column : table().columns) {
      const auto number = static_cast<std::int64_t>(values.size()) + 1;
      switch (column.type) {
        case SqlType::INTEGER:
        case SqlType::BIGINT:
          values.emplace_back(number);
          break;
        case SqlType::BOOLEAN:
          values.emplace_back(true);
          break;
        case SqlType::TIMESTAMPTZ:
          values.emplace_back(Timestamp{number});
          break;
        case SqlType::UUID:
          values.emplace_back(entity_key(number));
          break;
        default:
          values.emplace_back("text " + std::to_string(number));
          break;
      }
      if (nulls && column.nullable) values.back() = Null{};
    }
    return values;
  }
};

TEST_P(RowRoundTripTest, EncodedRowsDecodeToTheSameValues) {
  EXPECT_EQ(decode_row(table(), encode_row(table(), row(false))), row(false));
  EXPECT_EQ(decode_row(table(), encode_row(table(), row(true))), row(true));
}

// What is zero or empty takes no room, or as little as it can: the bytes are canonical all the
// same.
TEST_P(RowRoundTripTest, ZerosAndEmptyTextsComeBack) {
  struct Zero {
    Value operator()(Null) const { return Null{}; }
    Value operator()(bool) const { return false; }
    Value operator()(std::int64_t) const { return std::int64_t{0}; }
    Value operator()(Timestamp) const { return Timestamp{0}; }
    Value operator()(const Uuid&) const { return Uuid{}; }
    Value operator()(const std::string&) const { return std::string{}; }
  };
  RowValues zeros;
  for (const Value& value : row(false)) zeros.push_back(std::visit(Zero{}, value));
  EXPECT_EQ(decode_row(table(), encode_row(table(), zeros)), zeros);
}

TEST_P(RowRoundTripTest, CutOrGrownBytesAreRefused) {
  const EncodedRow bytes = encode_row(table(), row(false));
  EXPECT_THROW((void)decode_row(table(), bytes.substr(0, bytes.size() - 8)), MalformedError);
  EXPECT_THROW((void)decode_row(table(), bytes.substr(0, bytes.size() - 3)), MalformedError);
  EXPECT_THROW((void)decode_row(table(), bytes + std::string(8, '\1')), MalformedError);
  EXPECT_THROW((void)decode_row(table(), ""), MalformedError);
}

TEST_P(RowRoundTripTest, UnalignedBytesAreRead) {
  const std::string shifted = "x" + encode_row(table(), row(false));
  EXPECT_EQ(decode_row(table(), std::string_view(shifted).substr(1)), row(false));
}

INSTANTIATE_TEST_SUITE_P(EveryTable, RowRoundTripTest, ::testing::Range<std::size_t>(0, 7),
                         [](const auto& instance) { return tables()[instance.param].name; });

}  // namespace
}  // namespace tenantry::events
