#include "tests/core/deciding_test_base.h"

namespace tenantry {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class PreferencesTest : public DecidingTestBase {
 protected:
  PreferencesTest() { given_user(1, "maria"); }
};

TEST_F(PreferencesTest, AreCreatedOnFirstUse) {
  EXPECT_THAT(run("set_preferences", "{'user':'maria'}"),
              ElementsAre("PreferencesCreated id=1 user_id=1 theme=light dashboard_layout={} "
                          "sidebar_collapsed=false quick_menu_items=[] widget_preferences={}"));
  EXPECT_EQ(entity(), "preferences 1 maria");
}

TEST_F(PreferencesTest, AreCreatedWithWhatIsGiven) {
  EXPECT_THAT(run("set_preferences",
                  "{'id':4,'user':1,'theme':'dark','dashboard_layout':{'bb':1,'a':2},"
                  "'sidebar_collapsed':true,'quick_menu_items':[1],'widget_preferences':{'w':0}}"),
              ElementsAre("PreferencesCreated id=4 user_id=1 theme=dark "
                          "dashboard_layout={\"a\": 2, \"bb\": 1} sidebar_collapsed=true "
                          "quick_menu_items=[1] widget_preferences={\"w\": 0}"));
  EXPECT_EQ(entity(), "preferences 4 maria");
}

TEST_F(PreferencesTest, ThenChangeOnlyInWhatIsNamedAndDiffers) {
  run("set_preferences", "{'user':1,'theme':'dark','dashboard_layout':{'a':1}}");
  EXPECT_THAT(run("set_preferences",
                  "{'user':1,'theme':'auto','dashboard_layout':{'a': 1},'quick_menu_items':[2]}"),
              ElementsAre("PreferencesChanged id=1 user_id=1 theme=auto quick_menu_items=[2]"));
  EXPECT_THAT(run("set_preferences",
                  "{'user':1,'sidebar_collapsed':true,'widget_preferences':{'x':null},"
                  "'dashboard_layout':{}}"),
              ElementsAre("PreferencesChanged id=1 user_id=1 dashboard_layout={} "
                          "sidebar_collapsed=true widget_preferences={\"x\": null}"));
  EXPECT_THAT(run("set_preferences", "{'user':1,'sidebar_collapsed':false}"),
              ElementsAre("PreferencesChanged id=1 user_id=1 sidebar_collapsed=false"));
  EXPECT_EQ(entity(), "preferences 1 maria");
}

TEST_F(PreferencesTest, SetToWhatTheyAreHaveNoEvent) {
  run("set_preferences", "{'user':1}");
  EXPECT_THAT(run("set_preferences",
                  "{'id':1,'user':1,'theme':'light','dashboard_layout':{},"
                  "'sidebar_collapsed':false,'quick_menu_items':[],'widget_preferences':{}}"),
              IsEmpty());
  EXPECT_THAT(run("set_preferences", "{'user':1}"), IsEmpty());
}

TEST_F(PreferencesTest, KeepTheirId) {
  run("set_preferences", "{'user':1}");
  EXPECT_EQ(refused("set_preferences", "{'id':2,'user':1,'theme':'dark'}"), "id_taken id");
  EXPECT_THAT(message(), HasSubstr("'maria'"));
}

TEST_F(PreferencesTest, TakeNoIdOfOthers) {
  given_user(2, "ann");
  run("set_preferences", "{'user':1}");
  EXPECT_EQ(refused("set_preferences", "{'id':1,'user':2}"), "id_taken id");
}

TEST_F(PreferencesTest, ExpectedVersionIsTheirsAndNotTheUsers) {
  run("set_user_flags", "{'user':1,'is_staff':true}");
  EXPECT_EQ(refused("set_preferences", "{'user':1}", "'expected_version':2"),
            "version_conflict expected_version");
  run("set_preferences", "{'user':1}", "'expected_version':'none'");
  EXPECT_EQ(refused("set_preferences", "{'user':1}", "'expected_version':'none'"),
            "version_conflict expected_version");
  EXPECT_THAT(run("set_preferences", "{'user':1,'theme':'dark'}", "'expected_version':1"),
              ElementsAre("PreferencesChanged id=1 user_id=1 theme=dark"));
}

TEST_F(PreferencesTest, SetChecksReferenceThenVersionThenId) {
  run("set_preferences", "{'user':1}");
  EXPECT_EQ(refused("set_preferences", "{'id':2,'user':2}", "'expected_version':7"),
            "not_found user");
  EXPECT_EQ(refused("set_preferences", "{'id':2,'user':1}", "'expected_version':7"),
            "version_conflict expected_version");
  EXPECT_EQ(refused("set_preferences", "{'id':2,'user':1}", "'expected_version':1"), "id_taken id");
}

TEST_F(PreferencesTest, AreDeletedAndThenNew) {
  run("set_preferences", "{'user':1,'theme':'dark'}");
  EXPECT_THAT(run("delete_preferences", "{'user':'maria'}"),
              ElementsAre("PreferencesDeleted id=1 user_id=1"));
  EXPECT_EQ(entity(), "preferences 1 maria");
  EXPECT_THAT(run("set_preferences", "{'user':1}"),
              ElementsAre(HasSubstr("PreferencesCreated id=2 user_id=1 theme=light")));
}

TEST_F(PreferencesTest, DeleteChecksReferencesThenVersion) {
  EXPECT_EQ(refused("delete_preferences", "{'user':2}", "'expected_version':7"), "not_found user");
  EXPECT_EQ(refused("delete_preferences", "{'user':1}", "'expected_version':7"), "not_found user");
  EXPECT_THAT(message(), HasSubstr("no preferences"));
  run("set_preferences", "{'user':1}");
  EXPECT_EQ(refused("delete_preferences", "{'user':1}", "'expected_version':7"),
            "version_conflict expected_version");
}

// Each document may have 256 KiB, an event a little less than three of them.
TEST_F(PreferencesTest, TooLargeForOneEventAreRefused) {
  const std::string document = "{'a':'" + std::string((std::size_t{256} << 10) - 16, 'x') + "'}";
  const std::string list = "['" + std::string((std::size_t{256} << 10) - 16, 'x') + "']";
  EXPECT_EQ(refused("set_preferences",
                    "{'user':1,'dashboard_layout':" + document + ",'quick_menu_items':" + list +
                        ",'widget_preferences':" + document + "}",
                    "'actor':'" + std::string(200, 'a') + "'"),
            "too_large");
}

}  // namespace
}  // namespace tenantry
