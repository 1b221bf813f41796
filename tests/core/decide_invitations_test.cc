#include <string>

#include "tests/core/tenancy_test_base.h"

namespace tenantry {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr std::int64_t kWeek = std::int64_t{7} * 24 * 60 * 60;
constexpr const char* kToken = "0123456789-abcdefghij_ABC";

// The tenant acme, #1, and three users who are no members. The next UUID is #2.
class InvitationTest : public TenancyTestBase {
 protected:
  void SetUp() override {
    given_user(1, "ann");
    given_user(2, "ben");
    given_user(3, "cem");
    tenant("acme");
  }
  [[nodiscard]] std::string status(std::uint64_t number) const {
    return column("tenants_invitation", uuid(number), "status");
  }
  [[nodiscard]] static std::string named(const std::string& email, const std::string& more = "") {
    return "{'invitation':'" + token_for(email) + "'" + more + "}";
  }
};

using InviteTest = InvitationTest;

TEST_F(InviteTest, TakesDefaults) {
  const std::string token = "3-" + std::string(62, 'x');
  EXPECT_THAT(run("invite", "{'tenant':'acme','email':'Ann@Example.org'}"),
              ElementsAre("InvitationIssued id=#2 tenant_id=#1 token=" + token +
                          " email=Ann@Example.org role=user expires_at=@" + std::to_string(kWeek) +
                          " message= invited_by_id=null"));
  EXPECT_EQ(entity(), "invitation #2 Ann@Example.org");
}

TEST_F(InviteTest, TakesAllThatIsGiven) {
  const std::string token = kToken;
  EXPECT_THAT(run("invite",
                  "{'id':'" + id(9) +
                      "','tenant':'acme','email':'a@a.io','role':'owner','message':'Hi','token':'" +
                      token + "','expires_at':'" + time(60) + "','invited_by':'ann'}"),
              ElementsAre("InvitationIssued id=#9 tenant_id=#1 token=" + token +
                          " email=a@a.io role=owner expires_at=@60 message=Hi invited_by_id=1"));
  EXPECT_EQ(ids().drawn(), 1U);  // For the tenant.
}

TEST_F(InviteTest, NullInviterIsNone) {
  EXPECT_THAT(run("invite", "{'tenant':'acme','email':'a@a.io','invited_by':null}"),
              ElementsAre(HasSubstr("invited_by_id=null")));
}

TEST_F(InviteTest, OnePendingPerTenantAndEmailWhateverItsCase) {
  tenant("bolt");
  invitation("acme", "a@a.io");
  EXPECT_EQ(refused("invite", "{'tenant':'acme','email':'A@a.IO'}"),
            "pending_invitation_exists email");
  EXPECT_EQ(refused("invite", "{'tenant':'acme','email':'b@a.io'}"), "accepted");
  EXPECT_EQ(refused("invite", "{'tenant':'bolt','email':'a@a.io'}"), "accepted");
  (void)run("revoke_invitation", named("a@a.io"));
  EXPECT_EQ(refused("invite", "{'tenant':'acme','email':'a@a.io'}"), "accepted");
}

TEST_F(InviteTest, LapsedOneIsExpiredFirst) {
  invitation("acme", "a@a.io");
  pass_seconds(kWeek - 1);
  EXPECT_EQ(refused("invite", "{'tenant':'acme','email':'a@a.io'}"),
            "pending_invitation_exists email");
  pass_seconds(1);
  EXPECT_THAT(run("invite", "{'id':'" + id(9) + "','tenant':'acme','email':'A@a.io'}"),
              ElementsAre("InvitationExpired id=#2 tenant_id=#1",
                          AllOf(HasSubstr("InvitationIssued id=#9 "), HasSubstr("email=A@a.io"))));
  EXPECT_EQ(status(2), "expired");
  EXPECT_EQ(status(9), "pending");
}

TEST_F(InviteTest, ActiveMembersAreNotInvited) {
  tenant("bolt");
  member("acme", "ann", "user");
  member("bolt", "ben", "user");
  EXPECT_EQ(refused("invite", "{'tenant':'acme','email':'ANN@example.org'}"),
            "already_member email");
  EXPECT_EQ(refused("invite", "{'tenant':'acme','email':'ben@example.org'}"), "accepted");
  deactivate("acme", "ann");
  EXPECT_EQ(refused("invite", "{'tenant':'acme','email':'ann@example.org'}"), "accepted");
}

TEST_F(InviteTest, TheEmailThatAMemberHasNowCounts) {
  member("acme", "ann", "user");
  (void)run("change_user_profile", "{'user':'ann','email':'Ann@new.example'}");
  EXPECT_EQ(refused("invite", "{'tenant':'acme','email':'ann@example.org'}"), "accepted");
  EXPECT_EQ(refused("invite", "{'tenant':'acme','email':'ann@NEW.example'}"),
            "already_member email");
  (void)run("delete_user", "{'user':'ann'}");
  EXPECT_EQ(refused("invite", "{'tenant':'acme','email':'ann@new.example'}"), "accepted");
}

TEST_F(InviteTest, AnyMemberWithTheEmailCounts) {
  (void)run("register_user", "{'username':'ann2','email':'Ann@example.org'}");
  member("acme", "ben", "user");
  member("acme", "ann2", "user");
  EXPECT_EQ(refused("invite", "{'tenant':'acme','email':'ann@example.org'}"),
            "already_member email");
}

TEST_F(InviteTest, TokenIsUnique) {
  invitation("acme", "a@a.io");
  const std::string taken = "'token':'" + token_for("a@a.io") + "'}";
  EXPECT_EQ(refused("invite", "{'tenant':'acme','email':'b@a.io'," + taken), "token_taken token");
  EXPECT_EQ(message().find(token_for("a@a.io")), std::string::npos) << message();
  (void)run("revoke_invitation", named("a@a.io"));
  EXPECT_EQ(refused("invite", "{'tenant':'acme','email':'b@a.io'," + taken), "token_taken token");
}

TEST_F(InviteTest, ExpiresInTheFuture) {
  const std::string data = "{'tenant':'acme','email':'a@a.io','expires_at':'";
  EXPECT_EQ(refused("invite", data + time(-1) + "'}"), "invalid_period expires_at");
  EXPECT_EQ(refused("invite", data + time(0) + "'}"), "invalid_period expires_at");
  EXPECT_EQ(refused("invite", data + time(1) + "'}"), "accepted");
}

TEST_F(InviteTest, FirstFailureAnswers) {
  member("acme", "ann", "user");
  invitation("acme", "a@a.io");
  const std::string bad = "'token':'" + token_for("a@a.io") + "','expires_at':'" + time(0) + "'}";
  const std::string taken = "'id':'" + id(2) + "'," + bad;
  const std::string none = "'expected_version':'none'";
  const auto to = [](const std::string& slug, const std::string& email) {
    return "{'tenant':'" + slug + "','email':'" + email + "',";
  };
  EXPECT_EQ(refused("invite", to("none", "a@a.io") + "'invited_by':'x'," + taken, none),
            "not_found tenant");
  EXPECT_EQ(refused("invite", to("acme", "a@a.io") + "'invited_by':'x'," + taken, none),
            "not_found invited_by");
  EXPECT_EQ(refused("invite", to("acme", "a@a.io") + taken, none),
            "version_conflict expected_version");
  EXPECT_EQ(refused("invite", to("acme", "a@a.io") + taken), "id_taken id");
  EXPECT_EQ(refused("invite", to("acme", "a@a.io") + bad), "pending_invitation_exists email");
  EXPECT_EQ(refused("invite", to("acme", "ann@example.org") + bad), "already_member email");
  EXPECT_EQ(refused("invite", to("acme", "b@a.io") + bad), "token_taken token");
}

// An address of a pending invitation may belong to a member by now.
TEST_F(InviteTest, PendingInvitationIsToldBeforeTheMember) {
  invitation("acme", "ann@example.org");
  member("acme", "ann", "user");
  EXPECT_EQ(refused("invite", "{'tenant':'acme','email':'ann@example.org'}"),
            "pending_invitation_exists email");
}

using ExtendInvitationTest = InvitationTest;

TEST_F(ExtendInvitationTest, ByAWeekFromNowOrUntilTheGivenTime) {
  invitation("acme", "a@a.io");
  pass_seconds(10);
  EXPECT_THAT(run("extend_invitation", named("a@a.io")),
              ElementsAre("InvitationExtended id=#2 tenant_id=#1 expires_at=@" +
                          std::to_string(kWeek + 10)));
  EXPECT_EQ(entity(), "invitation #2 a@a.io");
  EXPECT_THAT(run("extend_invitation",
                  "{'invitation':'" + id(2) + "','expires_at':'" + time(2 * kWeek) + "'}"),
              ElementsAre("InvitationExtended id=#2 tenant_id=#1 expires_at=@" +
                          std::to_string(2 * kWeek)));
}

TEST_F(ExtendInvitationTest, SameEndChangesNothing) {
  invitation("acme", "a@a.io");
  EXPECT_THAT(run("extend_invitation", named("a@a.io")), IsEmpty());
}

TEST_F(ExtendInvitationTest, NeverToBeforeThePresentEnd) {
  invitation("acme", "a@a.io", ",'expires_at':'" + time(2 * kWeek) + "'");
  EXPECT_EQ(
      refused("extend_invitation", named("a@a.io", ",'expires_at':'" + time(2 * kWeek - 1) + "'")),
      "invalid_period expires_at");
  EXPECT_EQ(refused("extend_invitation", named("a@a.io")), "invalid_period expires_at");
}

TEST_F(ExtendInvitationTest, LapsedOneComesBackForAFutureEnd) {
  invitation("acme", "a@a.io", ",'expires_at':'" + time(10) + "'");
  pass_seconds(20);
  EXPECT_EQ(refused("extend_invitation", named("a@a.io", ",'expires_at':'" + time(20) + "'")),
            "invalid_period expires_at");
  EXPECT_THAT(run("extend_invitation", named("a@a.io", ",'expires_at':'" + time(21) + "'")),
              ElementsAre("InvitationExtended id=#2 tenant_id=#1 expires_at=@21"));
}

TEST_F(ExtendInvitationTest, OnlyWhilePending) {
  invitation("acme", "a@a.io");
  (void)run("revoke_invitation", named("a@a.io"));
  EXPECT_EQ(refused("extend_invitation", named("a@a.io", ",'expires_at':'" + time(0) + "'")),
            "invitation_not_pending invitation");
}

using RevokeInvitationTest = InvitationTest;

TEST_F(RevokeInvitationTest, RevokesOnce) {
  invitation("acme", "a@a.io");
  EXPECT_THAT(run("revoke_invitation", named("a@a.io")),
              ElementsAre("InvitationRevoked id=#2 tenant_id=#1"));
  EXPECT_EQ(entity(), "invitation #2 a@a.io");
  EXPECT_THAT(run("revoke_invitation", named("a@a.io")), IsEmpty());
}

TEST_F(RevokeInvitationTest, AcceptedOneStaysAccepted) {
  invitation("acme", "ann@example.org");
  (void)run("accept_invitation", named("ann@example.org", ",'user':'ann'"));
  EXPECT_EQ(refused("revoke_invitation", named("ann@example.org")),
            "invitation_already_accepted invitation");
}

TEST_F(RevokeInvitationTest, ExpiredOneMayBeRevoked) {
  invitation("acme", "a@a.io");
  pass_seconds(kWeek);
  (void)run("expire_invitations", "{}");
  EXPECT_THAT(run("revoke_invitation", named("a@a.io")),
              ElementsAre("InvitationRevoked id=#2 tenant_id=#1"));
}

using DeleteInvitationTest = InvitationTest;

TEST_F(DeleteInvitationTest, WhateverItsStatus) {
  invitation("acme", "ann@example.org");
  invitation("acme", "b@a.io");
  (void)run("accept_invitation", named("ann@example.org", ",'user':'ann'"));
  EXPECT_THAT(run("delete_invitation", named("ann@example.org")),
              ElementsAre("InvitationDeleted id=#2 tenant_id=#1 email=ann@example.org"));
  EXPECT_EQ(entity(), "invitation #2 ann@example.org");
  EXPECT_THAT(run("delete_invitation", named("b@a.io")),
              ElementsAre("InvitationDeleted id=#3 tenant_id=#1 email=b@a.io"));
  EXPECT_EQ(refused("delete_invitation", named("b@a.io")), "not_found invitation");
}

using AcceptInvitationTest = InvitationTest;

TEST_F(AcceptInvitationTest, ByAUserThatExists) {
  invitation("acme", "ANN@example.org", ",'role':'admin'");
  pass_seconds(5);
  EXPECT_THAT(run("accept_invitation", named("ANN@example.org", ",'user':'ann'")),
              ElementsAre("MemberAdded id=1 tenant_id=#1 user_id=1 role=admin",
                          "InvitationAccepted id=#2 tenant_id=#1 accepted_by_id=1 accepted_at=@5"));
  EXPECT_EQ(entity(), "invitation #2 ANN@example.org");
  EXPECT_EQ(status(2), "accepted");
}

TEST_F(AcceptInvitationTest, ByANewUserWithTheInvitedEmail) {
  invitation("acme", "dan@a.io");
  EXPECT_THAT(
      run("accept_invitation", named("dan@a.io", ",'new_user':{'username':'dan','password':'!'}")),
      ElementsAre("UserRegistered id=4 username=dan email=dan@a.io first_name= last_name= "
                  "password=! is_active=true is_staff=false is_superuser=false",
                  "MemberAdded id=1 tenant_id=#1 user_id=4 role=user",
                  "InvitationAccepted id=#2 tenant_id=#1 accepted_by_id=4 accepted_at=@0"));
}

TEST_F(AcceptInvitationTest, NewUserMayHaveAGivenIdAndFields) {
  invitation("acme", "dan@a.io");
  EXPECT_THAT(
      run("accept_invitation", named("dan@a.io",
                                     ",'new_user':{'id':40,'username':'dan','email':'Dan@a.io',"
                                     "'first_name':'D','password':'!','is_staff':true}")),
      ElementsAre("UserRegistered id=40 username=dan email=Dan@a.io first_name=D "
                  "last_name= password=! is_active=true is_staff=true is_superuser=false",
                  "MemberAdded id=1 tenant_id=#1 user_id=40 role=user",
                  "InvitationAccepted id=#2 tenant_id=#1 accepted_by_id=40 "
                  "accepted_at=@0"));
}

TEST_F(AcceptInvitationTest, InactiveMemberComesBackWithTheInvitedRole) {
  member("acme", "ann", "user");
  deactivate("acme", "ann");
  invitation("acme", "ann@example.org", ",'role':'manager'");
  EXPECT_THAT(run("accept_invitation", named("ann@example.org", ",'user':'ann'")),
              ElementsAre("MemberReactivated id=1 tenant_id=#1 user_id=1",
                          "MemberRoleChanged id=1 tenant_id=#1 user_id=1 role=manager",
                          "InvitationAccepted id=#2 tenant_id=#1 accepted_by_id=1 accepted_at=@0"));
}

TEST_F(AcceptInvitationTest, InactiveMemberWithTheInvitedRoleKeepsIt) {
  member("acme", "ann", "user");
  deactivate("acme", "ann");
  invitation("acme", "ann@example.org");
  EXPECT_THAT(kinds_of(run("accept_invitation", named("ann@example.org", ",'user':'ann'"))),
              ElementsAre("MemberReactivated", "InvitationAccepted"));
}

TEST_F(AcceptInvitationTest, SecondAcceptanceLoses) {
  invitation("acme", "ann@example.org");
  (void)run("accept_invitation", named("ann@example.org", ",'user':'ann'"));
  EXPECT_EQ(refused("accept_invitation", named("ann@example.org", ",'user':'ann'")),
            "invitation_already_accepted invitation");
  EXPECT_EQ(refused("accept_invitation", named("ann@example.org", ",'new_user':{'username':'d'}")),
            "invitation_already_accepted invitation");
}

TEST_F(AcceptInvitationTest, OnlyWhilePending) {
  invitation("acme", "ann@example.org");
  (void)run("revoke_invitation", named("ann@example.org"));
  EXPECT_EQ(refused("accept_invitation", named("ann@example.org", ",'user':'ann'")),
            "invitation_not_pending invitation");
  invitation("acme", "ben@example.org");
  pass_seconds(kWeek);
  (void)run("expire_invitations", "{}");
  EXPECT_EQ(refused("accept_invitation", named("ben@example.org", ",'user':'ben'")),
            "invitation_not_pending invitation");
}

TEST_F(AcceptInvitationTest, NotWhenLapsed) {
  invitation("acme", "ann@example.org");
  pass_seconds(kWeek - 1);
  EXPECT_EQ(refused("accept_invitation", named("ann@example.org", ",'user':'ann'")), "accepted");
  pass_seconds(1);
  EXPECT_EQ(refused("accept_invitation", named("ann@example.org", ",'user':'ann'")),
            "invitation_expired invitation");
}

TEST_F(AcceptInvitationTest, TenantMustBeActive) {
  invitation("acme", "ann@example.org");
  (void)run("deactivate_tenant", "{'tenant':'acme'}");
  EXPECT_EQ(refused("accept_invitation", named("ann@example.org", ",'user':'ann'")),
            "tenant_inactive invitation");
}

TEST_F(AcceptInvitationTest, EmailMustMatchUnlessAnyIsAllowed) {
  invitation("acme", "a@a.io");
  EXPECT_EQ(refused("accept_invitation", named("a@a.io", ",'user':'ann'")), "email_mismatch user");
  EXPECT_EQ(refused("accept_invitation", named("a@a.io", ",'user':'ann','any_email':false")),
            "email_mismatch user");
  EXPECT_EQ(refused("accept_invitation", named("a@a.io", ",'user':'ann','any_email':true")),
            "accepted");
  for (const std::string email : {"b@a.io", ""}) {
    const std::string user = ",'new_user':{'username':'dan','email':'" + email + "'}";
    EXPECT_EQ(refused("accept_invitation", named("a@a.io", user)), "email_mismatch new_user");
    EXPECT_EQ(refused("accept_invitation", named("a@a.io", user + ",'any_email':true")),
              "accepted");
  }
}

TEST_F(AcceptInvitationTest, ActiveMemberIsOneAlready) {
  member("acme", "ann", "user");
  invitation("acme", "a@a.io");
  EXPECT_EQ(refused("accept_invitation", named("a@a.io", ",'user':'ann','any_email':true")),
            "already_member user");
}

TEST_F(AcceptInvitationTest, NewUserObeysTheRulesOfUsers) {
  invitation("acme", "dan@a.io");
  EXPECT_EQ(refused("accept_invitation", named("dan@a.io", ",'new_user':{'username':'ann'}")),
            "username_taken new_user");
  EXPECT_EQ(
      refused("accept_invitation", named("dan@a.io", ",'new_user':{'id':1,'username':'dan'}")),
      "id_taken new_user");
}

TEST_F(AcceptInvitationTest, TakesExactlyOneOfUserAndNewUser) {
  invitation("acme", "ann@example.org");
  EXPECT_EQ(refused("accept_invitation", named("ann@example.org")), "missing_field user");
  EXPECT_EQ(refused("accept_invitation",
                    named("ann@example.org", ",'user':'ann','new_user':{'username':'dan'}")),
            "invalid_type new_user");
}

TEST_F(AcceptInvitationTest, FirstFailureAnswers) {
  invitation("acme", "a@a.io");
  const std::string version = "'expected_version':9";
  const std::string taken = ",'new_user':{'id':1,'username':'ann','email':'b@b.io'}";
  const auto accept = [&](const std::string& more, std::string_view beside = "") {
    return refused("accept_invitation", named("a@a.io", more), beside);
  };
  EXPECT_EQ(refused("accept_invitation", "{'invitation':'none','user':'nobody'}", version),
            "not_found invitation");
  EXPECT_EQ(accept(",'user':'nobody'", version), "not_found user");
  EXPECT_EQ(accept(taken, version), "version_conflict expected_version");
  (void)run("deactivate_tenant", "{'tenant':'acme'}");
  pass_seconds(kWeek);
  EXPECT_EQ(accept(taken), "id_taken new_user");
  const std::string mismatch = ",'new_user':{'username':'ann','email':'b@b.io'}";
  EXPECT_EQ(accept(mismatch), "invitation_expired invitation");
  (void)run("extend_invitation", named("a@a.io"));
  EXPECT_EQ(accept(mismatch), "tenant_inactive invitation");
  (void)run("activate_tenant", "{'tenant':'acme'}");
  EXPECT_EQ(accept(mismatch), "email_mismatch new_user");
  pass_seconds(kWeek);
  (void)run("revoke_invitation", named("a@a.io"));
  EXPECT_EQ(accept(mismatch), "invitation_not_pending invitation");
}

TEST_F(AcceptInvitationTest, EmailIsCheckedBeforeTheMembership) {
  member("acme", "ann", "user");
  invitation("acme", "a@a.io");
  EXPECT_EQ(refused("accept_invitation", named("a@a.io", ",'user':'ann'")), "email_mismatch user");
}

using ExpireInvitationsTest = InvitationTest;

TEST_F(ExpireInvitationsTest, TakesThosePendingThatLapsed) {
  invitation("acme", "late@a.io", ",'expires_at':'" + time(30) + "'");
  invitation("acme", "soon@a.io", ",'expires_at':'" + time(10) + "'");
  invitation("acme", "gone@a.io", ",'expires_at':'" + time(20) + "'");
  invitation("acme", "open@a.io", ",'expires_at':'" + time(31) + "'");
  (void)run("revoke_invitation", named("gone@a.io"));
  pass_seconds(30);
  EXPECT_THAT(run("expire_invitations", "{}"), ElementsAre("InvitationExpired id=#3 tenant_id=#1",
                                                           "InvitationExpired id=#2 tenant_id=#1"));
  EXPECT_EQ(entity(), "none");
  EXPECT_THAT(run("expire_invitations", "{}"), IsEmpty());
}

TEST_F(ExpireInvitationsTest, OfOneTenant) {
  tenant("bolt");
  invitation("acme", "a@a.io");
  invitation("bolt", "a2@a.io");
  pass_seconds(kWeek);
  EXPECT_THAT(run("expire_invitations", "{'tenant':'bolt'}"),
              ElementsAre("InvitationExpired id=#4 tenant_id=#2"));
  EXPECT_EQ(refused("expire_invitations", "{'tenant':'none'}"), "not_found tenant");
}

TEST_F(ExpireInvitationsTest, AtATimeThatIsNotLater) {
  invitation("acme", "a@a.io", ",'expires_at':'" + time(10) + "'");
  invitation("acme", "b@a.io", ",'expires_at':'" + time(20) + "'");
  pass_seconds(30);
  EXPECT_EQ(refused("expire_invitations", "{'time':'" + time(31) + "'}"), "invalid_period time");
  EXPECT_THAT(run("expire_invitations", "{'time':'" + time(9) + "'}"), IsEmpty());
  EXPECT_THAT(run("expire_invitations", "{'time':'" + time(10) + "'}"),
              ElementsAre("InvitationExpired id=#2 tenant_id=#1"));
  EXPECT_THAT(run("expire_invitations", "{'time':'" + time(30) + "'}"), SizeIs(1));
}

TEST_F(ExpireInvitationsTest, ExpectsNoVersion) {
  EXPECT_EQ(refused("expire_invitations", "{}", "'expected_version':9"), "accepted");
}

// The commands that speak of one invitation.
class OneInvitationCommandTest
    : public InvitationTest,
      public ::testing::WithParamInterface<std::pair<const char*, const char*>> {};

TEST_P(OneInvitationCommandTest, FindsItByIdOrTokenAtTheExpectedVersion) {
  invitation("acme", "ann@example.org");
  const std::string command = GetParam().first;
  const std::string rest = std::string("'") + GetParam().second + "}";
  const std::string version = "'expected_version':9";
  EXPECT_EQ(refused(command, "{'invitation':'" + std::string(kToken) + rest, version),
            "not_found invitation");
  EXPECT_EQ(message().find(kToken), std::string::npos) << message();
  EXPECT_EQ(refused(command, "{'invitation':'" + id(99) + rest, version), "not_found invitation");
  EXPECT_EQ(refused(command, "{'invitation':'" + id(2) + rest, version),
            "version_conflict expected_version");
  EXPECT_EQ(refused(command, "{'invitation':'" + id(2) + rest, "'expected_version':1"), "accepted");
  EXPECT_EQ(refused(command, "{'invitation':'" + token_for("ann@example.org") + rest), "accepted");
}
INSTANTIATE_TEST_SUITE_P(Commands, OneInvitationCommandTest,
                         ::testing::Values(std::pair{"extend_invitation", ""},
                                           std::pair{"revoke_invitation", ""},
                                           std::pair{"delete_invitation", ""},
                                           std::pair{"accept_invitation", ",'user':'ann'"}));

}  // namespace
}  // namespace tenantry
