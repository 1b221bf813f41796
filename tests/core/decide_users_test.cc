#include "tests/core/deciding_test_base.h"

namespace tenantry {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using RegisterUserTest = DecidingTestBase;

TEST_F(RegisterUserTest, TakesDefaults) {
  EXPECT_THAT(run("register_user", "{'username':'maria'}"),
              ElementsAre("UserRegistered id=1 username=maria email= first_name= last_name= "
                          "password=!1-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx "
                          "is_active=true is_staff=false is_superuser=false"));
  EXPECT_EQ(entity(), "user 1 maria");
}

TEST_F(RegisterUserTest, TakesWhatIsGiven) {
  EXPECT_THAT(run("register_user",
                  "{'id':7,'username':'maria','email':'m@b.io','first_name':'Maria',"
                  "'last_name':'Roe','password':'pbkdf2_sha256$1$s$h','is_active':false,"
                  "'is_staff':true,'is_superuser':true}"),
              ElementsAre("UserRegistered id=7 username=maria email=m@b.io first_name=Maria "
                          "last_name=Roe password=pbkdf2_sha256$1$s$h is_active=false "
                          "is_staff=true is_superuser=true"));
  EXPECT_EQ(ids().drawn(), 0U) << "nothing random is drawn for what is given";
}

TEST_F(RegisterUserTest, CarriesCircumstances) {
  run("register_user", "{'username':'maria'}",
      "'actor':'user:1','channel':'api','reason':'why','correlation_id':'c-1'");
  events::EventView event(encoded().at(0));
  EXPECT_EQ(event.event().getActor(), "user:1");
  EXPECT_EQ(event.event().getChannel(), "api");
  EXPECT_EQ(event.event().getReason(), "why");
  EXPECT_EQ(event.event().getCorrelationId(), "c-1");
}

TEST_F(RegisterUserTest, AbsentCircumstancesAreNullPointers) {
  run("register_user", "{'username':'maria'}");
  events::EventView event(encoded().at(0));
  EXPECT_FALSE(event.event().hasActor());
  EXPECT_FALSE(event.event().hasChannel());
  EXPECT_FALSE(event.event().hasReason());
  EXPECT_FALSE(event.event().hasCorrelationId());
}

TEST_F(RegisterUserTest, IdIsOneMoreThanTheLargestEverUsed) {
  given_user(9, "old");
  run("delete_user", "{'user':'old'}");
  run("register_user", "{'username':'maria'}");
  EXPECT_EQ(entity(), "user 10 maria");
}

TEST_F(RegisterUserTest, GivenIdMayBeThatOfADeletedUser) {
  given_user(9, "old");
  run("delete_user", "{'user':'old'}");
  run("register_user", "{'id':9,'username':'maria'}");
  EXPECT_EQ(entity(), "user 9 maria");
}

TEST_F(RegisterUserTest, GivenIdOfAUserIsTaken) {
  given_user(9, "old");
  EXPECT_EQ(refused("register_user", "{'id':9,'username':'maria'}"), "id_taken id");
}

TEST_F(RegisterUserTest, WithoutAnIdAfterTheLargestIsRefused) {
  given_user(2'147'483'647, "last");
  EXPECT_EQ(refused("register_user", "{'username':'maria'}"), "id_taken id");
  EXPECT_THAT(message(), HasSubstr("2147483647"));
  run("register_user", "{'id':5,'username':'maria'}");
  EXPECT_EQ(entity(), "user 5 maria");
}

TEST_F(RegisterUserTest, UsernameIsUnique) {
  given_user(1, "maria");
  EXPECT_EQ(refused("register_user", "{'username':'maria'}"), "username_taken username");
}

TEST_F(RegisterUserTest, UsernamesOfOtherCaseAreOthers) {
  given_user(1, "maria");
  run("register_user", "{'username':'Maria'}");
  EXPECT_EQ(entity(), "user 2 Maria");
}

TEST_F(RegisterUserTest, EmailIsNotUnique) {
  run("register_user", "{'username':'a','email':'same@b.io'}");
  run("register_user", "{'username':'b','email':'same@b.io'}");
  EXPECT_EQ(entity(), "user 2 b");
}

TEST_F(RegisterUserTest, RefusedHandsOutNoId) {
  given_user(1, "maria");
  EXPECT_EQ(refused("register_user", "{'id':50,'username':'maria'}"), "username_taken username");
  run("register_user", "{'username':'ann'}");
  EXPECT_EQ(entity(), "user 2 ann");
}

TEST_F(RegisterUserTest, ExpectsNoVersionOfWhatDoesNotExist) {
  EXPECT_EQ(refused("register_user", "{'username':'maria'}", "'expected_version':1"),
            "version_conflict expected_version");
  run("register_user", "{'id':1,'username':'maria'}", "'expected_version':'none'");
  EXPECT_EQ(entity(), "user 1 maria");
}

TEST_F(RegisterUserTest, ChecksVersionThenIdThenRules) {
  given_user(1, "maria");
  EXPECT_EQ(refused("register_user", "{'id':1,'username':'maria'}", "'expected_version':'none'"),
            "version_conflict expected_version");
  EXPECT_EQ(refused("register_user", "{'id':1,'username':'maria'}"), "id_taken id");
  EXPECT_EQ(refused("register_user", "{'id':2,'username':'maria'}"), "username_taken username");
}

using ChangeUserProfileTest = DecidingTestBase;

TEST_F(ChangeUserProfileTest, RenamesThenChangesTheRest) {
  given_user(1, "maria");
  EXPECT_THAT(run("change_user_profile",
                  "{'user':'maria','username':'mary','first_name':'Mary','last_name':'Roe',"
                  "'email':'mary@b.io'}"),
              ElementsAre("UserRenamed id=1 username=mary",
                          "UserProfileChanged id=1 first_name=Mary last_name=Roe "
                          "email=mary@b.io"));
  EXPECT_EQ(entity(), "user 1 mary");
}

TEST_F(ChangeUserProfileTest, NamesOnlyWhatChanges) {
  given_user(1, "maria");
  EXPECT_THAT(
      run("change_user_profile", "{'user':1,'username':'maria','first_name':'','last_name':'Roe'}"),
      ElementsAre("UserProfileChanged id=1 last_name=Roe"));
  EXPECT_EQ(column("auth_user", 1, "email"), "maria@example.org");
}

TEST_F(ChangeUserProfileTest, EmptyTextIsAValue) {
  given_user(1, "maria");
  EXPECT_THAT(run("change_user_profile", "{'user':1,'email':''}"),
              ElementsAre("UserProfileChanged id=1 email="));
  EXPECT_EQ(column("auth_user", 1, "email"), "");
}

TEST_F(ChangeUserProfileTest, WithoutAChangeHasNoEvent) {
  given_user(1, "maria");
  EXPECT_THAT(run("change_user_profile", "{'user':1,'username':'maria','first_name':''}"),
              IsEmpty());
  EXPECT_THAT(run("change_user_profile", "{'user':1}"), IsEmpty());
  EXPECT_EQ(entity(), "user 1 maria");
}

TEST_F(ChangeUserProfileTest, UsernameIsUnique) {
  given_user(1, "maria");
  given_user(2, "ann");
  EXPECT_EQ(refused("change_user_profile", "{'user':1,'username':'ann','email':'x@y.io'}"),
            "username_taken username");
  EXPECT_THAT(message(), HasSubstr("'ann'"));
}

TEST_F(ChangeUserProfileTest, ChecksReferenceThenVersionThenRules) {
  given_user(1, "maria");
  given_user(2, "ann");
  EXPECT_EQ(
      refused("change_user_profile", "{'user':'bob','username':'ann'}", "'expected_version':7"),
      "not_found user");
  EXPECT_EQ(refused("change_user_profile", "{'user':1,'username':'ann'}", "'expected_version':7"),
            "version_conflict expected_version");
  EXPECT_EQ(
      refused("change_user_profile", "{'user':1,'username':'ann'}", "'expected_version':'none'"),
      "version_conflict expected_version");
  EXPECT_EQ(refused("change_user_profile", "{'user':1,'username':'ann'}", "'expected_version':1"),
            "username_taken username");
}

using ChangeUserPasswordTest = DecidingTestBase;

TEST_F(ChangeUserPasswordTest, ReplacesTheHash) {
  given_user(1, "maria");
  EXPECT_THAT(run("change_user_password", "{'user':'maria','password':'argon2$x'}"),
              ElementsAre("UserPasswordChanged id=1 password=argon2$x"));
  EXPECT_EQ(entity(), "user 1 maria");
}

TEST_F(ChangeUserPasswordTest, SameHashHasNoEvent) {
  given_user(1, "maria");
  EXPECT_THAT(run("change_user_password", "{'user':'maria','password':'!'}"), IsEmpty());
}

TEST_F(ChangeUserPasswordTest, ChecksReferenceThenVersion) {
  EXPECT_EQ(refused("change_user_password", "{'user':1,'password':'!a'}", "'expected_version':7"),
            "not_found user");
  given_user(1, "maria");
  EXPECT_EQ(refused("change_user_password", "{'user':1,'password':'!'}", "'expected_version':7"),
            "version_conflict expected_version");
}

using SetUserFlagsTest = DecidingTestBase;

TEST_F(SetUserFlagsTest, NamesOnlyWhatChanges) {
  given_user(1, "maria");
  EXPECT_THAT(run("set_user_flags", "{'user':1,'is_active':true,'is_staff':true}"),
              ElementsAre("UserFlagsChanged id=1 is_staff=true"));
  EXPECT_EQ(column("auth_user", 1, "is_active"), "true");
  EXPECT_EQ(column("auth_user", 1, "is_staff"), "true");
}

TEST_F(SetUserFlagsTest, SetsEachFlagBothWays) {
  given_user(1, "maria");
  EXPECT_THAT(
      run("set_user_flags", "{'user':1,'is_active':false,'is_staff':true,'is_superuser':true}"),
      ElementsAre("UserFlagsChanged id=1 is_active=false is_staff=true is_superuser=true"));
  EXPECT_THAT(
      run("set_user_flags", "{'user':1,'is_active':true,'is_staff':false,'is_superuser':false}"),
      ElementsAre("UserFlagsChanged id=1 is_active=true is_staff=false is_superuser=false"));
  EXPECT_EQ(entity(), "user 1 maria");
}

TEST_F(SetUserFlagsTest, WithoutAChangeHasNoEvent) {
  given_user(1, "maria");
  EXPECT_THAT(run("set_user_flags", "{'user':1,'is_active':true,'is_superuser':false}"), IsEmpty());
  EXPECT_THAT(run("set_user_flags", "{'user':1}"), IsEmpty());
}

TEST_F(SetUserFlagsTest, ChecksReferenceThenVersion) {
  EXPECT_EQ(refused("set_user_flags", "{'user':1}", "'expected_version':7"), "not_found user");
  given_user(1, "maria");
  EXPECT_EQ(refused("set_user_flags", "{'user':1}", "'expected_version':7"),
            "version_conflict expected_version");
}

using RecordLoginTest = DecidingTestBase;

TEST_F(RecordLoginTest, IsNowUnlessGiven) {
  given_user(1, "maria");
  EXPECT_THAT(run("record_login", "{'user':'maria','time':'" + time(-60) + "'}"),
              ElementsAre("UserLoggedIn id=1 last_login=@-60"));
  EXPECT_THAT(run("record_login", "{'user':'maria'}"),
              ElementsAre("UserLoggedIn id=1 last_login=@0"));
  EXPECT_EQ(entity(), "user 1 maria");
}

TEST_F(RecordLoginTest, MovesOnlyForward) {
  given_user(1, "maria");
  run("record_login", "{'user':1,'time':'" + time(-60) + "'}");
  EXPECT_THAT(run("record_login", "{'user':1,'time':'" + time(-60) + "'}"), IsEmpty());
  EXPECT_THAT(run("record_login", "{'user':1,'time':'" + time(-61) + "'}"), IsEmpty());
  EXPECT_EQ(column("auth_user", 1, "last_login"), "@-60");
}

TEST_F(RecordLoginTest, FirstMayLieBefore1970) {
  given_user(1, "maria");
  run("record_login", "{'user':1,'time':'1969-12-31T23:59:59Z'}");
  EXPECT_NE(column("auth_user", 1, "last_login"), "null");
}

TEST_F(RecordLoginTest, LiesNotInTheFuture) {
  given_user(1, "maria");
  EXPECT_EQ(refused("record_login", "{'user':1,'time':'" + time(1) + "'}"), "invalid_period time");
  EXPECT_THAT(message(), HasSubstr(time(0)));
}

TEST_F(RecordLoginTest, ChecksReferenceThenVersionThenRules) {
  const std::string data = "{'user':1,'time':'" + time(1) + "'}";
  EXPECT_EQ(refused("record_login", data, "'expected_version':7"), "not_found user");
  given_user(1, "maria");
  EXPECT_EQ(refused("record_login", data, "'expected_version':7"),
            "version_conflict expected_version");
}

}  // namespace
}  // namespace tenantry
