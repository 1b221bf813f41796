#include "core/resolver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/core/store_test_base.h"

namespace tenantry {
namespace {

class ResolveTest : public StoreTestBase {
 protected:
  ResolveTest() {
    tenant("acme", "acme.example.com");
    tenant("bolt", "bolt.example.com");
    tenant("gone", "gone.example.com");
    (void)run("{'command':'deactivate_tenant','data':{'tenant':'gone'}}");
    (void)user("ann");
    (void)user("root");
    (void)run("{'command':'set_user_flags','data':{'user':'root','is_superuser':true}}");
  }
  void tenant(const std::string& slug, const std::string& host) {
    (void)run("{'command':'create_tenant','data':{'name':'T','slug':'" + slug +
              "','contact_email':'a@b.io','domain':'" + host + "'}}");
  }
  void member(const std::string& slug, const std::string& role) {
    (void)run("{'command':'add_member','data':{'tenant':'" + slug + "','user':'ann','role':'" +
              role + "'}}");
  }
  // `slug by how`, or `code field`.
  std::string resolved(const ResolveQuery& query) {
    const ResolveOutcome outcome = store().resolve(query);
    if (const auto* refusal = std::get_if<events::Refusal>(&outcome))
      return refusal->code + " " + refusal->field;
    const auto& found = std::get<Resolution>(outcome);
    return found.slug + " by " + found.matched;
  }
  std::string id_of(const std::string& slug) {
    return events::format_uuid(
        std::get<Resolution>(store().resolve({.host = slug + ".test"})).tenant);
  }
};

TEST_F(ResolveTest, ByFullHostNameWhateverItsCaseAndPort) {
  EXPECT_EQ(resolved({.host = "acme.example.com"}), "acme by domain");
  EXPECT_EQ(resolved({.host = "ACME.example.com:8000"}), "acme by domain");
}

TEST_F(ResolveTest, ByFirstLabelWhenNoDomainMatches) {
  EXPECT_EQ(resolved({.host = "bolt.other.test"}), "bolt by subdomain");
  EXPECT_EQ(resolved({.host = "nobody.other.test"}), "not_found host");
}

TEST_F(ResolveTest, WwwIsNoSlug) {
  tenant("www", "site.example.com");
  EXPECT_EQ(resolved({.host = "www.other.test"}), "not_found host");
}

TEST_F(ResolveTest, AnInactiveDomainDoesNotMatch) {
  (void)run("{'command':'deactivate_domain','data':{'domain':'bolt.example.com'}}");
  EXPECT_EQ(resolved({.host = "bolt.example.com"}), "bolt by subdomain");
}

TEST_F(ResolveTest, InactiveTenantsNeverMatch) {
  EXPECT_EQ(resolved({.host = "gone.example.com"}), "not_found host");
}

TEST_F(ResolveTest, AnExplicitIdNeedsAMemberOrASuperuser) {
  const std::string acme = id_of("acme");
  EXPECT_EQ(resolved({.tenant_id = acme}), "acme by tenant_id");
  EXPECT_EQ(resolved({.tenant_id = acme, .user = "ann"}), "forbidden user");
  EXPECT_EQ(resolved({.tenant_id = acme, .user = "root"}), "acme by tenant_id");
  member("acme", "readonly");
  EXPECT_EQ(resolved({.tenant_id = acme, .user = "ann"}), "acme by tenant_id");
  (void)run("{'command':'deactivate_member','data':{'tenant':'acme','user':'ann'}}");
  EXPECT_EQ(resolved({.tenant_id = acme, .user = "ann"}), "forbidden user");
}

TEST_F(ResolveTest, AnExplicitIdThatIsWrongIsNotPassedOver) {
  EXPECT_EQ(resolved({.tenant_id = "x", .host = "acme.example.com"}), "invalid_type tenant_id");
  EXPECT_EQ(
      resolved({.tenant_id = "11111111-1111-4111-8111-111111111111", .host = "acme.example.com"}),
      "not_found tenant_id");
}

TEST_F(ResolveTest, ByMembershipHighestRoleFirstThenOldest) {
  EXPECT_EQ(resolved({.user = "ann"}), "not_found user");
  member("acme", "user");
  clock_.advance_seconds(10);
  member("bolt", "user");
  EXPECT_EQ(resolved({.user = "ann"}), "acme by membership") << "the oldest among equals";
  (void)run(
      "{'command':'change_member_role','data':{'tenant':'bolt','user':'ann','role':'admin'}}");
  EXPECT_EQ(resolved({.user = "ann"}), "bolt by membership");
  EXPECT_EQ(resolved({.host = "acme.example.com", .user = "ann"}), "acme by domain")
      << "the host comes first";
  EXPECT_EQ(resolved({.user = "id:1"}), "bolt by membership");
}

TEST_F(ResolveTest, AKeptAnswerGoesWithTheNextCommit) {
  EXPECT_EQ(resolved({.host = "acme.example.com"}), "acme by domain");
  EXPECT_EQ(resolved({.host = "acme.example.com"}), "acme by domain");
  (void)run("{'command':'deactivate_tenant','data':{'tenant':'acme'}}");
  EXPECT_EQ(resolved({.host = "acme.example.com"}), "not_found host");
}

}  // namespace
}  // namespace tenantry
