#include <array>
#include <cstdint>
#include <map>
#include <random>
#include <set>
#include <string>

#include "core/deciding.h"
#include "tests/core/tenancy_test_base.h"

namespace tenantry {
namespace {

// What holds after any sequence of commands, none of them forced.
class TenancyLawsTest : public TenancyTestBase, public ::testing::WithParamInterface<unsigned> {
 protected:
  void SetUp() override {
    for (const char* slug : kSlugs) tenant(slug);
    given_user(1, "ann");
    given_user(2, "ben");
    given_user(3, "cem");
  }

  template <class Range>
  std::string pick(const Range& range) {
    return range[random_() % range.size()];
  }
  std::string flag() { return random_() % 2 == 0 ? "true" : "false"; }

  void any_domain_command() {
    const std::string host = "'domain':'" + pick(kHosts) + "'";
    switch (random_() % 6) {
      case 0:
      case 1:
        return attempt("add_domain", "{'tenant':'" + pick(kSlugs) + "'," + host + ",'is_primary':" +
                                         flag() + ",'is_active':" + flag() + "}");
      case 2:
        return attempt("set_primary_domain", "{" + host + "}");
      case 3:
        return attempt("deactivate_domain", "{" + host + "}");
      case 4:
        return attempt("remove_domain", "{" + host + "}");
      default:
        return attempt("move_domain", "{" + host + ",'from_tenant':'" + pick(kSlugs) +
                                          "','to_tenant':'" + pick(kSlugs) + "'}");
    }
  }

  void any_member_command() {
    const std::string who = "'tenant':'" + pick(kSlugs) + "','user':'" + pick(kUsers) + "'";
    switch (random_() % 5) {
      case 0:
        return attempt("add_member", "{" + who + ",'role':'" + pick(kRoles) + "'}");
      case 1:
        return attempt("change_member_role", "{" + who + ",'role':'" + pick(kRoles) + "'}");
      case 2:
        return attempt("deactivate_member", "{" + who + "}");
      case 3:
        return attempt("reactivate_member", "{" + who + "}");
      default:
        return attempt("remove_member", "{" + who + "}");
    }
  }

  // Carries the command out unless a rule refuses it.
  void attempt(const std::string& command, const std::string& data) {
    if (refused(command, data) != "accepted") return;
    (void)run(command, data);
    ++accepted_;
  }

  // How many primary domains each tenant that has domains has.
  [[nodiscard]] std::map<events::Uuid, int> primaries() const {
    std::map<events::Uuid, int> count;
    state().scan_rows(table_for<events::DomainRow>(), {}, [&](const StoredRow& row) {
      count[row.key.tenant] += FoundDomain(row).read().getIsPrimary() ? 1 : 0;
      return true;
    });
    return count;
  }

  [[nodiscard]] std::set<events::Uuid> owned_tenants() const {
    std::set<events::Uuid> owned;
    state().scan_rows(table_for<events::MemberRow>(), {}, [&](const StoredRow& row) {
      if (is_active_owner(FoundMember(row))) owned.insert(row.key.tenant);
      return true;
    });
    return owned;
  }

  static constexpr std::array kSlugs = {"acme", "bolt", "crux"};
  static constexpr std::array kUsers = {"ann", "ben", "cem"};
  static constexpr std::array kRoles = {"owner", "owner", "user"};
  static constexpr std::array kHosts = {"a.io", "b.io", "c.io", "d.io", "e.io", "f.io"};

  std::mt19937 random_{GetParam()};
  int accepted_ = 0;
};

TEST_P(TenancyLawsTest, TenantsWithDomainsHaveExactlyOnePrimaryOne) {
  SCOPED_TRACE("seed " + std::to_string(GetParam()));
  for (int step = 0; step < 200; ++step) {
    pass_seconds(static_cast<std::int64_t>(random_() % 2));
    any_domain_command();
    for (const auto& [tenant, count] : primaries()) ASSERT_EQ(count, 1) << "step " << step;
  }
  EXPECT_GT(accepted_, 20);
}

TEST_P(TenancyLawsTest, TenantsThatHaveAnActiveOwnerKeepOne) {
  SCOPED_TRACE("seed " + std::to_string(GetParam()));
  std::set<events::Uuid> before;
  for (int step = 0; step < 200; ++step) {
    any_member_command();
    const std::set<events::Uuid> owned = owned_tenants();
    for (const events::Uuid& tenant : before) ASSERT_TRUE(owned.contains(tenant)) << step;
    before = owned;
  }
  EXPECT_GT(accepted_, 20);
}

INSTANTIATE_TEST_SUITE_P(Seeds, TenancyLawsTest, ::testing::Values(1U, 2U, 3U, 4U));

}  // namespace
}  // namespace tenantry
