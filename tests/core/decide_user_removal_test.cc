#include "tests/core/deciding_test_base.h"

namespace tenantry {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

// Maria (1) is the user that goes, Ann (2) the one that stays.
class UserRemovalTest : public DecidingTestBase {
 protected:
  UserRemovalTest() {
    given_user(1, "maria");
    given_user(2, "ann");
  }

  void given_invitation(std::uint64_t number, std::uint64_t tenant, std::int32_t inviter,
                        std::int32_t accepter) {
    const events::Uuid id = uuid(number);
    const events::Uuid tenant_id = uuid(tenant);
    const capnp::Data::Reader id_data(id.bytes.data(), id.bytes.size());
    const capnp::Data::Reader tenant_data(tenant_id.bytes.data(), tenant_id.bytes.size());
    given([&](events::Event::Builder event) {
      auto fact = event.initInvitationIssued();
      fact.setId(id_data);
      fact.setTenantId(tenant_data);
      fact.setToken("token-" + std::to_string(number));
      fact.setEmail("e" + std::to_string(number) + "@b.io");
      fact.setRole("user");
      fact.setMessage("");
      fact.initInvitedById().setValue(inviter);
    });
    given([&](events::Event::Builder event) {
      auto fact = event.initInvitationAccepted();
      fact.setId(id_data);
      fact.setTenantId(tenant_data);
      fact.initAcceptedById().setValue(accepter);
      fact.initAcceptedAt().setMicros(kNow.micros);
    });
  }

  // Everything that can refer to Maria, twice where it can.
  void given_marias_traces() {
    given_tenant(1, "acme", 1);
    given_tenant(2, "beta", 1);
    given_tenant(3, "gamma", 2);
    given_member(11, 2, 1, "user");
    given_member(12, 1, 1, "admin");
    given_invitation(21, 2, 1, 2);
    given_invitation(22, 1, 1, 1);
    given_invitation(23, 3, 2, 1);
    given_invitation(24, 3, 2, 2);
    run("set_preferences",
        "{'user':1,'theme':'dark','dashboard_layout':{'a':1},"
        "'sidebar_collapsed':true,'quick_menu_items':[1],'widget_preferences':{'w':0}}");
  }
};

using DeleteUserTest = UserRemovalTest;

TEST_F(DeleteUserTest, WithoutTracesIsOneEvent) {
  EXPECT_THAT(run("delete_user", "{'user':'maria'}"),
              ElementsAre("UserDeleted id=1 username=maria"));
  EXPECT_EQ(entity(), "user 1 maria");
}

TEST_F(DeleteUserTest, TellsWhatItRemovesAndNulls) {
  given_marias_traces();
  EXPECT_THAT(
      run("delete_user", "{'user':1}"),
      ElementsAre("MemberRemoved id=12 tenant_id=#1 user_id=1",
                  "MemberRemoved id=11 tenant_id=#2 user_id=1", "PreferencesDeleted id=1 user_id=1",
                  "TenantCreatorChanged id=#1 created_by_id=null",
                  "TenantCreatorChanged id=#2 created_by_id=null",
                  "InvitationInviterChanged id=#22 tenant_id=#1 invited_by_id=null",
                  "InvitationInviterChanged id=#21 tenant_id=#2 invited_by_id=null",
                  "InvitationAccepterChanged id=#22 tenant_id=#1 accepted_by_id=null",
                  "InvitationAccepterChanged id=#23 tenant_id=#3 accepted_by_id=null",
                  "UserDeleted id=1 username=maria"));
}

TEST_F(DeleteUserTest, LastActiveOwnerStays) {
  given_tenant(1, "acme");
  given_member(1, 1, 1, "owner");
  given_member(2, 1, 2, "admin");
  EXPECT_EQ(refused("delete_user", "{'user':1}"), "last_owner user");
  EXPECT_THAT(message(), AllOf(HasSubstr("'maria'"), HasSubstr("acme"), HasSubstr("force")));
}

TEST_F(DeleteUserTest, InactiveOwnerDoesNotCountAsAnother) {
  given_tenant(1, "acme");
  given_member(1, 1, 1, "owner");
  given_member(2, 1, 2, "owner", /*is_active=*/false);
  EXPECT_EQ(refused("delete_user", "{'user':1}"), "last_owner user");
}

TEST_F(DeleteUserTest, OwnerWithAnInactiveAccountCounts) {
  given_tenant(1, "acme");
  given_member(1, 1, 1, "owner");
  given_member(2, 1, 2, "owner");
  run("set_user_flags", "{'user':2,'is_active':false}");
  EXPECT_THAT(kinds_of(run("delete_user", "{'user':1}")),
              ElementsAre("MemberRemoved", "UserDeleted"));
}

TEST_F(DeleteUserTest, OwnerOfOneTenantDoesNotCountInAnother) {
  given_tenant(1, "acme");
  given_tenant(2, "beta");
  given_member(1, 1, 1, "owner");
  given_member(2, 2, 2, "owner");
  EXPECT_EQ(refused("delete_user", "{'user':1}"), "last_owner user");
}

TEST_F(DeleteUserTest, InactiveOwnerMayGo) {
  given_tenant(1, "acme");
  given_member(1, 1, 1, "owner", /*is_active=*/false);
  EXPECT_THAT(kinds_of(run("delete_user", "{'user':1}")),
              ElementsAre("MemberRemoved", "UserDeleted"));
}

TEST_F(DeleteUserTest, ForceDeletesTheLastOwner) {
  given_tenant(1, "acme");
  given_member(1, 1, 1, "owner");
  EXPECT_EQ(refused("delete_user", "{'user':1,'force':false}"), "last_owner user");
  EXPECT_THAT(kinds_of(run("delete_user", "{'user':1,'force':true}")),
              ElementsAre("MemberRemoved", "UserDeleted"));
}

TEST_F(DeleteUserTest, NamesAtMostFiveTenants) {
  for (std::uint64_t i = 1; i <= 7; ++i) {
    given_tenant(i, "tenant-" + std::to_string(i));
    given_member(static_cast<std::int64_t>(i), i, 1, "owner");
  }
  EXPECT_EQ(refused("delete_user", "{'user':1}"), "last_owner user");
  EXPECT_THAT(message(), AllOf(HasSubstr("tenant-1, tenant-2, tenant-3, tenant-4, tenant-5 and 2"),
                               Not(HasSubstr("tenant-6"))));
}

TEST_F(DeleteUserTest, ChecksReferenceThenVersionThenRules) {
  given_tenant(1, "acme");
  given_member(1, 1, 1, "owner");
  EXPECT_EQ(refused("delete_user", "{'user':'bob'}", "'expected_version':7"), "not_found user");
  EXPECT_EQ(refused("delete_user", "{'user':1}", "'expected_version':7"),
            "version_conflict expected_version");
  EXPECT_EQ(refused("delete_user", "{'user':1}", "'expected_version':1"), "last_owner user");
}

using MergeUsersTest = UserRemovalTest;

TEST_F(MergeUsersTest, WithoutTracesIsOneEvent) {
  EXPECT_THAT(run("merge_users", "{'user':'maria','into':'ann'}"),
              ElementsAre("UserDeleted id=1 username=maria"));
  EXPECT_EQ(entity(), "user 1 maria");
}

TEST_F(MergeUsersTest, HandsEverythingOver) {
  given_marias_traces();
  EXPECT_THAT(
      run("merge_users", "{'user':1,'into':2}"),
      ElementsAre("MemberAdded id=13 tenant_id=#1 user_id=2 role=admin",
                  "MemberAdded id=14 tenant_id=#2 user_id=2 role=user",
                  "MemberRemoved id=12 tenant_id=#1 user_id=1",
                  "MemberRemoved id=11 tenant_id=#2 user_id=1",
                  "PreferencesCreated id=2 user_id=2 theme=dark dashboard_layout={\"a\": 1} "
                  "sidebar_collapsed=true quick_menu_items=[1] widget_preferences={\"w\": 0}",
                  "PreferencesDeleted id=1 user_id=1", "TenantCreatorChanged id=#1 created_by_id=2",
                  "TenantCreatorChanged id=#2 created_by_id=2",
                  "InvitationInviterChanged id=#22 tenant_id=#1 invited_by_id=2",
                  "InvitationInviterChanged id=#21 tenant_id=#2 invited_by_id=2",
                  "InvitationAccepterChanged id=#22 tenant_id=#1 accepted_by_id=2",
                  "InvitationAccepterChanged id=#23 tenant_id=#3 accepted_by_id=2",
                  "UserDeleted id=1 username=maria"));
}

TEST_F(MergeUsersTest, HigherRoleWins) {
  given_tenant(1, "acme");
  given_tenant(2, "beta");
  given_member(1, 1, 1, "manager");
  given_member(2, 1, 2, "user");
  given_member(3, 2, 1, "readonly");
  given_member(4, 2, 2, "user");
  EXPECT_THAT(
      run("merge_users", "{'user':1,'into':2}"),
      ElementsAre("MemberRoleChanged id=2 tenant_id=#1 user_id=2 role=manager",
                  "MemberRemoved id=1 tenant_id=#1 user_id=1",
                  "MemberRemoved id=3 tenant_id=#2 user_id=1", "UserDeleted id=1 username=maria"));
}

TEST_F(MergeUsersTest, ActiveMembershipWins) {
  given_tenant(1, "acme");
  given_tenant(2, "beta");
  given_tenant(3, "gamma");
  given_member(1, 1, 1, "user");
  given_member(2, 1, 2, "user", /*is_active=*/false);
  given_member(3, 2, 1, "user", /*is_active=*/false);
  given_member(4, 2, 2, "user");
  given_member(5, 3, 1, "user", /*is_active=*/false);
  given_member(6, 3, 2, "user", /*is_active=*/false);
  EXPECT_THAT(
      run("merge_users", "{'user':1,'into':2}"),
      ElementsAre("MemberReactivated id=2 tenant_id=#1 user_id=2",
                  "MemberRemoved id=1 tenant_id=#1 user_id=1",
                  "MemberRemoved id=3 tenant_id=#2 user_id=1",
                  "MemberRemoved id=5 tenant_id=#3 user_id=1", "UserDeleted id=1 username=maria"));
}

TEST_F(MergeUsersTest, EventsStandByKind) {
  given_tenant(1, "acme");
  given_tenant(2, "beta");
  given_tenant(3, "gamma");
  given_member(1, 1, 1, "owner");
  given_member(2, 1, 2, "user", /*is_active=*/false);
  given_member(3, 2, 1, "owner");
  given_member(4, 2, 2, "user", /*is_active=*/false);
  given_member(5, 3, 1, "user");
  EXPECT_THAT(kinds_of(run("merge_users", "{'user':1,'into':2}")),
              ElementsAre("MemberAdded", "MemberReactivated", "MemberReactivated",
                          "MemberRoleChanged", "MemberRoleChanged", "MemberRemoved",
                          "MemberRemoved", "MemberRemoved", "UserDeleted"));
  EXPECT_EQ(column("tenants_tenant_user", 2, "role"), "owner");
  EXPECT_EQ(column("tenants_tenant_user", 2, "is_active"), "true");
}

TEST_F(MergeUsersTest, InactiveMembershipGivesNoNewAccess) {
  given_tenant(1, "acme");
  given_member(1, 1, 1, "owner", /*is_active=*/false);
  EXPECT_THAT(
      run("merge_users", "{'user':1,'into':2}"),
      ElementsAre("MemberRemoved id=1 tenant_id=#1 user_id=1", "UserDeleted id=1 username=maria"));
}

TEST_F(MergeUsersTest, LastOwnerGoesOver) {
  given_tenant(1, "acme");
  given_member(1, 1, 1, "owner");
  EXPECT_THAT(
      run("merge_users", "{'user':1,'into':2}"),
      ElementsAre("MemberAdded id=2 tenant_id=#1 user_id=2 role=owner",
                  "MemberRemoved id=1 tenant_id=#1 user_id=1", "UserDeleted id=1 username=maria"));
}

TEST_F(MergeUsersTest, PreferencesOfTheOneThatStaysStay) {
  run("set_preferences", "{'user':1,'theme':'dark'}");
  run("set_preferences", "{'user':2,'theme':'auto'}");
  EXPECT_THAT(run("merge_users", "{'user':1,'into':2}"),
              ElementsAre("PreferencesDeleted id=1 user_id=1", "UserDeleted id=1 username=maria"));
  EXPECT_EQ(column("core_userpreferences", 2, "theme"), "auto");
}

TEST_F(MergeUsersTest, IntoOneselfIsRefused) {
  EXPECT_EQ(refused("merge_users", "{'user':1,'into':'maria'}"), "invalid_merge into");
}

TEST_F(MergeUsersTest, ChecksReferencesThenVersionThenRules) {
  EXPECT_EQ(refused("merge_users", "{'user':3,'into':4}", "'expected_version':7"),
            "not_found user");
  EXPECT_EQ(refused("merge_users", "{'user':1,'into':4}", "'expected_version':7"),
            "not_found into");
  EXPECT_EQ(refused("merge_users", "{'user':1,'into':1}", "'expected_version':7"),
            "version_conflict expected_version");
  run("set_user_flags", "{'user':2,'is_staff':true}");
  EXPECT_EQ(refused("merge_users", "{'user':1,'into':2}", "'expected_version':2"),
            "version_conflict expected_version")
      << "the version expected is that of the user that goes";
}

}  // namespace
}  // namespace tenantry
