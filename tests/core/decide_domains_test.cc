#include <string>
#include <utility>

#include "tests/core/tenancy_test_base.h"

namespace tenantry {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Two tenants, #1 and #2; the clock moves so that domains have an age.
class DomainTest : public TenancyTestBase {
 protected:
  void SetUp() override {
    tenant("acme");
    tenant("bolt");
  }
  void aged_domain(const std::string& slug, const std::string& host, const std::string& more = "") {
    domain(slug, host, more);
    pass_seconds(1);
  }
};

using AddDomainTest = DomainTest;

TEST_F(AddDomainTest, FirstBecomesPrimaryWhateverWasAsked) {
  EXPECT_THAT(run("add_domain", "{'tenant':'acme','domain':'A.Example','is_primary':false}"),
              ElementsAre("DomainAdded id=1 tenant_id=#1 domain=a.example is_primary=true "
                          "is_active=true"));
  EXPECT_EQ(entity(), "domain 1 a.example");
}

TEST_F(AddDomainTest, FirstBecomesPrimaryAlsoWhenInactive) {
  EXPECT_THAT(run("add_domain", "{'tenant':'acme','domain':'a.example','is_active':false}"),
              ElementsAre("DomainAdded id=1 tenant_id=#1 domain=a.example is_primary=true "
                          "is_active=false"));
}

TEST_F(AddDomainTest, NextOneIsNotPrimary) {
  domain("acme", "a.example");
  EXPECT_THAT(run("add_domain", "{'tenant':'acme','domain':'b.example'}"),
              ElementsAre("DomainAdded id=2 tenant_id=#1 domain=b.example is_primary=false "
                          "is_active=true"));
  EXPECT_THAT(run("add_domain", "{'tenant':'bolt','domain':'c.example'}"),
              ElementsAre("DomainAdded id=3 tenant_id=#2 domain=c.example is_primary=true "
                          "is_active=true"));
}

TEST_F(AddDomainTest, NewPrimaryDemotesTheOther) {
  domain("acme", "a.example");
  domain("acme", "b.example");
  domain("bolt", "c.example");
  EXPECT_THAT(run("add_domain", "{'tenant':'acme','domain':'d.example','is_primary':true}"),
              ElementsAre("DomainAdded id=4 tenant_id=#1 domain=d.example is_primary=true "
                          "is_active=true",
                          "DomainPrimaryChanged id=1 tenant_id=#1 is_primary=false"));
}

TEST_F(AddDomainTest, HostNameIsUniqueAcrossTenants) {
  domain("acme", "a.example");
  EXPECT_EQ(refused("add_domain", "{'tenant':'acme','domain':'a.example'}"), "domain_taken domain");
  EXPECT_EQ(refused("add_domain", "{'tenant':'bolt','domain':'A.EXAMPLE'}"), "domain_taken domain");
}

TEST_F(AddDomainTest, TakesAGivenIdThatIsFree) {
  EXPECT_THAT(kinds_of(run("add_domain", "{'id':7,'tenant':'acme','domain':'a.example'}")),
              ElementsAre("DomainAdded"));
  EXPECT_EQ(refused("add_domain", "{'id':7,'tenant':'acme','domain':'b.example'}"), "id_taken id");
  (void)run("add_domain", "{'tenant':'acme','domain':'b.example'}");
  EXPECT_EQ(entity(), "domain 8 b.example");
}

TEST_F(AddDomainTest, FirstFailureAnswers) {
  (void)run("add_domain", "{'id':7,'tenant':'acme','domain':'a.example'}");
  const std::string taken = "'id':7,'domain':'a.example'}";
  EXPECT_EQ(refused("add_domain", "{'tenant':'none'," + taken, "'expected_version':'none'"),
            "not_found tenant");
  EXPECT_EQ(refused("add_domain", "{'tenant':'acme'," + taken, "'expected_version':'none'"),
            "version_conflict expected_version");
  EXPECT_EQ(refused("add_domain", "{'tenant':'acme'," + taken), "id_taken id");
}

using SetPrimaryDomainTest = DomainTest;

TEST_F(SetPrimaryDomainTest, TellsBothSidesOfTheChange) {
  domain("acme", "a.example");
  domain("acme", "b.example");
  domain("bolt", "c.example");
  EXPECT_THAT(run("set_primary_domain", "{'domain':'B.example'}"),
              ElementsAre("DomainPrimaryChanged id=1 tenant_id=#1 is_primary=false",
                          "DomainPrimaryChanged id=2 tenant_id=#1 is_primary=true"));
  EXPECT_THAT(run("set_primary_domain", "{'domain':'b.example'}"), IsEmpty());
  EXPECT_EQ(entity(), "domain 2 b.example");
}

// Data taken over from elsewhere may have several primary domains, or none.
TEST_F(SetPrimaryDomainTest, LeavesExactlyOne) {
  for (const std::int64_t id : {1, 2, 3}) {
    given([&](events::Event::Builder event) {
      auto fact = event.initDomainAdded();
      const events::Uuid tenant = uuid(1);
      fact.setId(id);
      fact.setTenantId({tenant.bytes.data(), tenant.bytes.size()});
      fact.setDomain(std::string(1, static_cast<char>('a' + id)) + ".example");
      fact.setIsPrimary(id != 3);
      fact.setIsActive(true);
    });
  }
  EXPECT_THAT(run("set_primary_domain", "{'domain':'b.example'}"),
              ElementsAre("DomainPrimaryChanged id=2 tenant_id=#1 is_primary=false"));
}

using DomainActivityTest = DomainTest;

TEST_F(DomainActivityTest, ChangesOnlyWhatIsNotSo) {
  domain("acme", "a.example");
  EXPECT_THAT(run("activate_domain", "{'domain':'a.example'}"), IsEmpty());
  EXPECT_THAT(run("deactivate_domain", "{'domain':'a.example'}"),
              ElementsAre("DomainDeactivated id=1 tenant_id=#1"));
  EXPECT_THAT(run("deactivate_domain", "{'domain':'a.example'}"), IsEmpty());
  EXPECT_THAT(run("activate_domain", "{'domain':'a.example'}"),
              ElementsAre("DomainActivated id=1 tenant_id=#1"));
}

using RemoveDomainTest = DomainTest;

TEST_F(RemoveDomainTest, OnlyOneLeavesNobodyToTakeOver) {
  domain("acme", "a.example");
  EXPECT_THAT(run("remove_domain", "{'domain':'a.example'}"),
              ElementsAre("DomainRemoved id=1 tenant_id=#1 domain=a.example"));
  EXPECT_EQ(entity(), "domain 1 a.example");
}

TEST_F(RemoveDomainTest, AnotherThanThePrimaryChangesNoHands) {
  domain("acme", "a.example");
  domain("acme", "b.example");
  EXPECT_THAT(run("remove_domain", "{'domain':'b.example'}"),
              ElementsAre("DomainRemoved id=2 tenant_id=#1 domain=b.example"));
}

TEST_F(RemoveDomainTest, OldestActiveOneTakesOver) {
  aged_domain("acme", "a.example");
  aged_domain("acme", "b.example", ",'is_active':false,'id':9");
  aged_domain("acme", "c.example", ",'id':8");  // Older than the next, with the larger id.
  aged_domain("acme", "d.example", ",'id':4");
  EXPECT_THAT(run("remove_domain", "{'domain':'a.example'}"),
              ElementsAre("DomainRemoved id=1 tenant_id=#1 domain=a.example",
                          "DomainPrimaryChanged id=8 tenant_id=#1 is_primary=true"));
}

TEST_F(RemoveDomainTest, OldestOneTakesOverWhenNoneIsActive) {
  aged_domain("acme", "a.example");
  aged_domain("acme", "b.example", ",'is_active':false,'id':9");
  aged_domain("acme", "c.example", ",'is_active':false,'id':4");
  EXPECT_THAT(run("remove_domain", "{'domain':'a.example'}"),
              ElementsAre("DomainRemoved id=1 tenant_id=#1 domain=a.example",
                          "DomainPrimaryChanged id=9 tenant_id=#1 is_primary=true"));
}

TEST_F(RemoveDomainTest, SmallerIdTakesOverAmongThoseOfOneMoment) {
  domain("acme", "a.example");
  domain("acme", "b.example", ",'id':9");
  domain("acme", "c.example", ",'id':4");
  EXPECT_THAT(kinds_of(run("remove_domain", "{'domain':'a.example'}")), SizeIs(2));
  EXPECT_EQ(column("tenants_tenantdomain", 4, "is_primary"), "true");
}

TEST_F(RemoveDomainTest, FreesTheHostName) {
  domain("acme", "a.example");
  (void)run("remove_domain", "{'domain':'a.example'}");
  EXPECT_THAT(run("add_domain", "{'tenant':'bolt','domain':'a.example'}"),
              ElementsAre("DomainAdded id=2 tenant_id=#2 domain=a.example is_primary=true "
                          "is_active=true"));
}

using MoveDomainTest = DomainTest;

TEST_F(MoveDomainTest, IsPrimaryWhereItIsTheFirst) {
  domain("acme", "a.example");
  domain("acme", "b.example");
  EXPECT_THAT(run("move_domain", "{'domain':'b.example','from_tenant':'acme','to_tenant':'bolt'}"),
              ElementsAre("DomainMoved id=2 tenant_id=#1 to_tenant_id=#2 is_primary=true"));
  EXPECT_EQ(entity(), "domain 2 b.example");
}

TEST_F(MoveDomainTest, IsNotPrimaryWhereThereAreOthersAndIsReplacedWhereItWas) {
  aged_domain("acme", "a.example");
  aged_domain("acme", "b.example", ",'is_active':false");
  aged_domain("acme", "c.example");
  aged_domain("bolt", "d.example");
  EXPECT_THAT(run("move_domain", "{'domain':'a.example','from_tenant':'acme','to_tenant':'bolt'}"),
              ElementsAre("DomainMoved id=1 tenant_id=#1 to_tenant_id=#2 is_primary=false",
                          "DomainPrimaryChanged id=3 tenant_id=#1 is_primary=true"));
}

TEST_F(MoveDomainTest, ToItsOwnTenantChangesNothing) {
  domain("acme", "a.example");
  EXPECT_THAT(run("move_domain", "{'domain':'a.example','from_tenant':'acme','to_tenant':'acme'}"),
              IsEmpty());
}

TEST_F(MoveDomainTest, LooksForItsReferencesInOrder) {
  domain("acme", "a.example");
  const auto move = [&](const std::string& host, const std::string& source,
                        const std::string& target) {
    return refused(
        "move_domain",
        "{'domain':'" + host + "','from_tenant':'" + source + "','to_tenant':'" + target + "'}",
        "'expected_version':9");
  };
  EXPECT_EQ(move("x.example", "none", "none"), "not_found domain");
  EXPECT_EQ(move("a.example", "none", "none"), "not_found from_tenant");
  EXPECT_EQ(move("a.example", "bolt", "none"), "not_found to_tenant");
  EXPECT_EQ(move("a.example", "bolt", "acme"), "not_found domain");
  EXPECT_EQ(move("a.example", "bolt", "bolt"), "not_found domain");
  EXPECT_EQ(move("a.example", "acme", "bolt"), "version_conflict expected_version");
}

// The commands that speak of one domain and may name its tenant.
class OneDomainCommandTest : public DomainTest,
                             public ::testing::WithParamInterface<const char*> {};

TEST_P(OneDomainCommandTest, FindsTheDomainAndItsTenant) {
  domain("acme", "a.example");
  const std::string command = GetParam();
  const std::string version = "'expected_version':9";
  EXPECT_EQ(refused(command, "{'domain':'x.example','tenant':'none'}", version),
            "not_found domain");
  EXPECT_EQ(refused(command, "{'domain':'a.example','tenant':'none'}", version),
            "not_found tenant");
  EXPECT_EQ(refused(command, "{'domain':'a.example','tenant':'bolt'}", version),
            "not_found domain");
  EXPECT_NE(message().find("bolt"), std::string::npos) << message();
  EXPECT_EQ(refused(command, "{'domain':'a.example','tenant':'acme'}", version),
            "version_conflict expected_version");
  EXPECT_EQ(
      refused(command, "{'domain':'a.example','tenant':'" + id(1) + "'}", "'expected_version':1"),
      "accepted");
}
INSTANTIATE_TEST_SUITE_P(Commands, OneDomainCommandTest,
                         ::testing::Values("set_primary_domain", "activate_domain",
                                           "deactivate_domain", "remove_domain"));

}  // namespace
}  // namespace tenantry
