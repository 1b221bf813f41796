#include "projections/contract.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tenantry::projections {
namespace {

using ::testing::ElementsAre;
using ::testing::IsSupersetOf;
using ::testing::UnorderedElementsAre;

std::vector<std::string> index_names(std::string_view table, IndexUse use) {
  std::vector<std::string> names;
  for (const IndexInfo& index : contract_of(*events::find_table(table)).indexes) {
    if (index.use == use) names.push_back(index.name);
  }
  return names;
}

std::vector<std::string> foreign_key_names(std::string_view table) {
  std::vector<std::string> names;
  for (const ForeignKeyInfo& key : contract_of(*events::find_table(table)).foreign_keys) {
    names.push_back(key.name);
  }
  return names;
}

// Names as Django gave them to the reference application's tables in PostgreSQL.
TEST(ContractTest, SpeedIndexesHaveDjangosNames) {
  EXPECT_THAT(index_names("tenants_tenant", IndexUse::kPlain),
              UnorderedElementsAre("tenants_ten_slug_63daca_idx", "tenants_ten_is_acti_8f654a_idx",
                                   "tenants_ten_created_99c6ff_idx",
                                   "tenants_tenant_created_by_id_f3e30a24"));
  EXPECT_THAT(index_names("tenants_tenantdomain", IndexUse::kPlain),
              UnorderedElementsAre("td_domain_idx", "td_tenant_primary_idx",
                                   "tenants_tenantdomain_tenant_id_8a7e583a"));
  EXPECT_THAT(index_names("tenants_tenant_user", IndexUse::kPlain),
              IsSupersetOf({"tenants_ten_tenant__78b8df_idx", "tenants_ten_user_id_d07440_idx"}));
}

TEST(ContractTest, UniqueRulesHaveDjangosNames) {
  EXPECT_THAT(index_names("tenants_tenant_user", IndexUse::kUniqueConstraint),
              ElementsAre("tenants_tenant_user_tenant_id_user_id_5e5c2ebc_uniq"));
  EXPECT_THAT(index_names("tenants_invitation", IndexUse::kPartialUnique),
              ElementsAre("unique_pending_invitation_per_tenant_email"));
  EXPECT_THAT(index_names("tenants_tenant", IndexUse::kUniqueColumn),
              UnorderedElementsAre("tenants_tenant_slug_key", "tenants_tenant_schema_name_key"));
}

TEST(ContractTest, UniqueTextsHaveAPatternIndexAndUniqueIntegersHaveNone) {
  EXPECT_THAT(index_names("tenants_tenant", IndexUse::kPattern),
              UnorderedElementsAre("tenants_tenant_slug_0a9b71e6_like",
                                   "tenants_tenant_schema_name_c2605603_like"));
  EXPECT_THAT(index_names("auth_user", IndexUse::kPattern),
              ElementsAre("auth_user_username_6821ab7c_like"));
  EXPECT_THAT(index_names("core_userpreferences", IndexUse::kPattern), ElementsAre());
}

TEST(ContractTest, ForeignKeysHaveDjangosNames) {
  EXPECT_THAT(foreign_key_names("tenants_invitation"),
              ElementsAre("tenants_invitation_accepted_by_id_b7a6c8e9_fk_auth_user_id",
                          "tenants_invitation_invited_by_id_e04be240_fk_auth_user_id",
                          "tenants_invitation_tenant_id_1e73354a_fk_tenants_tenant_id"));
}

TEST(ContractTest, AUniqueReferenceHasNoSecondIndex) {
  EXPECT_THAT(index_names("core_userpreferences", IndexUse::kPlain), ElementsAre());
}

TEST(ContractTest, OnlyOneColumnThatMayNotBeNullCanBeAddedToRows) {
  std::vector<std::string> addable;
  for (const events::TableInfo& table : events::tables()) {
    for (std::size_t place = 0; place < table.columns.size(); ++place) {
      const events::ColumnInfo& column = table.columns[place];
      EXPECT_TRUE(!column.nullable || can_be_added(table, place)) << column.name;
      if (!column.nullable && can_be_added(table, place)) addable.push_back(column.name);
    }
  }
  EXPECT_THAT(addable, ElementsAre("is_active"));
}

TEST(ContractTest, MigrationsAreThoseOfApplicationsThatAreNotDjangosOwn) {
  EXPECT_THAT(migrated_applications(), ElementsAre("core", "tenants"));
}

}  // namespace
}  // namespace tenantry::projections
