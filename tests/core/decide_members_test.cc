#include <string>

#include "tests/core/tenancy_test_base.h"

namespace tenantry {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// The tenant acme, #1, and three users who are no members.
class MemberTest : public TenancyTestBase {
 protected:
  void SetUp() override {
    given_user(1, "ann");
    given_user(2, "ben");
    given_user(3, "cem");
    tenant("acme");
  }
};

using AddMemberTest = MemberTest;

TEST_F(AddMemberTest, GivesTheRoleOrUser) {
  EXPECT_THAT(run("add_member", "{'tenant':'acme','user':'ann','role':'owner'}"),
              ElementsAre("MemberAdded id=1 tenant_id=#1 user_id=1 role=owner"));
  EXPECT_EQ(entity(), "member 1 acme/ann");
  EXPECT_THAT(run("add_member", "{'tenant':'" + id(1) + "','user':2}"),
              ElementsAre("MemberAdded id=2 tenant_id=#1 user_id=2 role=user"));
}

TEST_F(AddMemberTest, ReferencesExist) {
  EXPECT_EQ(refused("add_member", "{'tenant':'none','user':'nobody'}"), "not_found tenant");
  EXPECT_EQ(refused("add_member", "{'tenant':'acme','user':'nobody'}"), "not_found user");
}

TEST_F(AddMemberTest, RoleIsOneOfFive) {
  EXPECT_EQ(refused("add_member", "{'tenant':'acme','user':'ann','role':'god'}"),
            "invalid_role role");
}

TEST_F(AddMemberTest, OneMembershipPerTenantAndUser) {
  tenant("bolt");
  member("acme", "ann", "user");
  EXPECT_EQ(refused("add_member", "{'tenant':'acme','user':'ann','role':'admin'}"),
            "already_member user");
  EXPECT_EQ(refused("add_member", "{'tenant':'bolt','user':'ann'}"), "accepted");
}

TEST_F(AddMemberTest, InactiveOneIsReactivatedWithTheNewRole) {
  member("acme", "ann", "user");
  deactivate("acme", "ann");
  EXPECT_THAT(run("add_member", "{'tenant':'acme','user':'ann','role':'admin'}"),
              ElementsAre("MemberReactivated id=1 tenant_id=#1 user_id=1",
                          "MemberRoleChanged id=1 tenant_id=#1 user_id=1 role=admin"));
  EXPECT_EQ(entity(), "member 1 acme/ann");
  EXPECT_EQ(column("tenants_tenant_user", 1, "is_active"), "true");
}

TEST_F(AddMemberTest, RoleOfAReactivatedOneIsToldOnlyWhenItDiffers) {
  member("acme", "ann", "user");
  deactivate("acme", "ann");
  EXPECT_THAT(run("add_member", "{'tenant':'acme','user':'ann'}"),
              ElementsAre("MemberReactivated id=1 tenant_id=#1 user_id=1"));
}

TEST_F(AddMemberTest, GivenIdIsFreeOrThatOfTheInactiveMembership) {
  EXPECT_THAT(run("add_member", "{'id':5,'tenant':'acme','user':'ann'}"),
              ElementsAre("MemberAdded id=5 tenant_id=#1 user_id=1 role=user"));
  EXPECT_EQ(refused("add_member", "{'id':5,'tenant':'acme','user':'ben'}"), "id_taken id");
  deactivate("acme", "ann");
  EXPECT_EQ(refused("add_member", "{'id':6,'tenant':'acme','user':'ann'}"), "id_taken id");
  EXPECT_EQ(refused("add_member", "{'id':5,'tenant':'acme','user':'ann'}"), "accepted");
  EXPECT_THAT(run("add_member", "{'tenant':'acme','user':'ben'}"),
              ElementsAre("MemberAdded id=6 tenant_id=#1 user_id=2 role=user"));
}

TEST_F(AddMemberTest, FirstFailureAnswers) {
  (void)run("add_member", "{'id':5,'tenant':'acme','user':'ann'}");
  const std::string again = "{'id':5,'tenant':'acme','user':'ann'}";
  EXPECT_EQ(refused("add_member", again, "'expected_version':'none'"),
            "version_conflict expected_version");
  EXPECT_EQ(refused("add_member", again, "'expected_version':1"), "id_taken id");
  EXPECT_EQ(refused("add_member", "{'id':6,'tenant':'acme','user':'ann'}"), "already_member user");
  EXPECT_EQ(refused("add_member", "{'tenant':'acme','user':'ben'}", "'expected_version':1"),
            "version_conflict expected_version");
  EXPECT_EQ(refused("add_member", "{'tenant':'acme','user':'ben'}", "'expected_version':'none'"),
            "accepted");
}

using ChangeMemberRoleTest = MemberTest;

TEST_F(ChangeMemberRoleTest, TellsTheNewRole) {
  member("acme", "ann", "user");
  EXPECT_THAT(run("change_member_role", "{'tenant':'acme','user':'ann','role':'manager'}"),
              ElementsAre("MemberRoleChanged id=1 tenant_id=#1 user_id=1 role=manager"));
  EXPECT_THAT(run("change_member_role", "{'tenant':'acme','user':'ann','role':'manager'}"),
              IsEmpty());
  EXPECT_EQ(entity(), "member 1 acme/ann");
}

TEST_F(ChangeMemberRoleTest, AlsoOfAnInactiveMember) {
  member("acme", "ann", "owner");
  deactivate("acme", "ann");
  EXPECT_THAT(run("change_member_role", "{'tenant':'acme','user':'ann','role':'readonly'}"),
              ElementsAre("MemberRoleChanged id=1 tenant_id=#1 user_id=1 role=readonly"));
}

TEST_F(ChangeMemberRoleTest, LastOwnerMayStayOwner) {
  member("acme", "ann", "owner");
  EXPECT_THAT(run("change_member_role", "{'tenant':'acme','user':'ann','role':'owner'}"),
              IsEmpty());
}

using MemberActivityTest = MemberTest;

TEST_F(MemberActivityTest, ChangesOnlyWhatIsNotSo) {
  member("acme", "ann", "user");
  EXPECT_THAT(run("reactivate_member", "{'tenant':'acme','user':'ann'}"), IsEmpty());
  EXPECT_THAT(run("deactivate_member", "{'tenant':'acme','user':'ann'}"),
              ElementsAre("MemberDeactivated id=1 tenant_id=#1 user_id=1"));
  EXPECT_THAT(run("deactivate_member", "{'tenant':'acme','user':'ann'}"), IsEmpty());
  EXPECT_THAT(run("reactivate_member", "{'tenant':'acme','user':'ann'}"),
              ElementsAre("MemberReactivated id=1 tenant_id=#1 user_id=1"));
  EXPECT_EQ(entity(), "member 1 acme/ann");
}

using RemoveMemberTest = MemberTest;

TEST_F(RemoveMemberTest, RemovesTheMembership) {
  member("acme", "ann", "user");
  EXPECT_THAT(run("remove_member", "{'tenant':'acme','user':'ann'}"),
              ElementsAre("MemberRemoved id=1 tenant_id=#1 user_id=1"));
  EXPECT_EQ(entity(), "member 1 acme/ann");
  EXPECT_EQ(refused("remove_member", "{'tenant':'acme','user':'ann'}"), "not_found user");
  EXPECT_THAT(run("add_member", "{'tenant':'acme','user':'ann'}"),
              ElementsAre("MemberAdded id=2 tenant_id=#1 user_id=1 role=user"));
}

// The commands after which a member is no active owner any more.
class LastOwnerTest : public MemberTest, public ::testing::WithParamInterface<const char*> {
 protected:
  [[nodiscard]] static std::string data(const std::string& user, const std::string& more = "") {
    const bool role = std::string(GetParam()) == "change_member_role";
    return "{'tenant':'acme','user':'" + user + "'" + (role ? ",'role':'admin'" : "") + more + "}";
  }
};

TEST_P(LastOwnerTest, StaysUnlessForced) {
  member("acme", "ann", "owner");
  member("acme", "ben", "admin");
  EXPECT_EQ(refused(GetParam(), data("ann")), "last_owner user");
  EXPECT_EQ(refused(GetParam(), data("ann", ",'force':false")), "last_owner user");
  EXPECT_EQ(refused(GetParam(), data("ann", ",'force':true")), "accepted");
}

TEST_P(LastOwnerTest, GoesWhenAnotherActiveOneIsThere) {
  member("acme", "ann", "owner");
  member("acme", "ben", "owner");
  EXPECT_EQ(refused(GetParam(), data("ann")), "accepted");
  deactivate("acme", "ben");
  EXPECT_EQ(refused(GetParam(), data("ann")), "last_owner user");
}

TEST_P(LastOwnerTest, OwnerOfAnotherTenantDoesNotCount) {
  tenant("bolt");
  member("acme", "ann", "owner");
  member("bolt", "ben", "owner");
  EXPECT_EQ(refused(GetParam(), data("ann")), "last_owner user");
}

TEST_P(LastOwnerTest, OthersComeAndGoWhereThereIsNoOwner) {
  member("acme", "ann", "admin");
  member("acme", "ben", "manager");
  EXPECT_EQ(refused(GetParam(), data("ben")), "accepted");
}

TEST_P(LastOwnerTest, OtherMembersOfTheTenantGo) {
  member("acme", "ann", "owner");
  member("acme", "ben", "manager");
  EXPECT_EQ(refused(GetParam(), data("ben")), "accepted");
}

TEST_P(LastOwnerTest, AccountsFlagDoesNotMatter) {
  member("acme", "ann", "owner");
  member("acme", "ben", "owner");
  (void)run("set_user_flags", "{'user':'ben','is_active':false}");
  EXPECT_EQ(refused(GetParam(), data("ann")), "accepted");
}

INSTANTIATE_TEST_SUITE_P(Commands, LastOwnerTest,
                         ::testing::Values("change_member_role", "deactivate_member",
                                           "remove_member"));

// The commands that speak of a membership that is there.
class OneMemberCommandTest
    : public MemberTest,
      public ::testing::WithParamInterface<std::pair<const char*, const char*>> {};

TEST_P(OneMemberCommandTest, FindsTheMembershipAtTheExpectedVersion) {
  member("acme", "ann", "user");
  const std::string command = GetParam().first;
  const std::string rest = std::string("'") + GetParam().second + "}";
  const std::string version = "'expected_version':9";
  EXPECT_EQ(refused(command, "{'tenant':'none','user':'nobody" + rest, version),
            "not_found tenant");
  EXPECT_EQ(refused(command, "{'tenant':'acme','user':'nobody" + rest, version), "not_found user");
  EXPECT_EQ(refused(command, "{'tenant':'acme','user':'ben" + rest, version), "not_found user");
  EXPECT_NE(message().find("member"), std::string::npos) << message();
  EXPECT_EQ(refused(command, "{'tenant':'acme','user':'ann" + rest, version),
            "version_conflict expected_version");
  EXPECT_EQ(refused(command, "{'tenant':'acme','user':'ann" + rest, "'expected_version':1"),
            "accepted");
}
INSTANTIATE_TEST_SUITE_P(Commands, OneMemberCommandTest,
                         ::testing::Values(std::pair{"change_member_role", ",'role':'admin'"},
                                           std::pair{"deactivate_member", ""},
                                           std::pair{"reactivate_member", ""},
                                           std::pair{"remove_member", ""}));

TEST_F(MemberTest, VersionIsCheckedBeforeTheLastOwner) {
  member("acme", "ann", "owner");
  EXPECT_EQ(refused("remove_member", "{'tenant':'acme','user':'ann'}", "'expected_version':9"),
            "version_conflict expected_version");
}

}  // namespace
}  // namespace tenantry
