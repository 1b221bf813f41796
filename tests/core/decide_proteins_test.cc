#include "tests/core/deciding_test_base.h"

namespace tenantry {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

using ProteinTest = DecidingTestBase;

TEST_F(ProteinTest, IsAdded) {
  EXPECT_THAT(run("add_protein", "{'name':'Beef'}"), ElementsAre("ProteinAdded id=1 name=Beef"));
  EXPECT_EQ(entity(), "protein 1 Beef");
}

TEST_F(ProteinTest, TakesAGivenIdThatNoRowHas) {
  run("add_protein", "{'id':8,'name':'Beef'}");
  EXPECT_EQ(entity(), "protein 8 Beef");
  EXPECT_EQ(refused("add_protein", "{'id':8,'name':'Pork'}"), "id_taken id");
  run("add_protein", "{'name':'Pork'}");
  EXPECT_EQ(entity(), "protein 9 Pork");
}

TEST_F(ProteinTest, IdsMayBeLargerThanThoseOfUsers) {
  run("add_protein", "{'id':2147483648,'name':'Beef'}");
  EXPECT_EQ(entity(), "protein 2147483648 Beef");
}

TEST_F(ProteinTest, NameIsUniqueAndCaseSensitive) {
  run("add_protein", "{'name':'Beef'}");
  EXPECT_EQ(refused("add_protein", "{'name':'Beef'}"), "protein_taken name");
  EXPECT_THAT(run("add_protein", "{'name':'beef'}"), ElementsAre("ProteinAdded id=2 name=beef"));
}

TEST_F(ProteinTest, AddChecksVersionThenIdThenRules) {
  run("add_protein", "{'id':1,'name':'Beef'}");
  EXPECT_EQ(refused("add_protein", "{'id':1,'name':'Beef'}", "'expected_version':'none'"),
            "version_conflict expected_version");
  EXPECT_EQ(refused("add_protein", "{'id':1,'name':'Beef'}"), "id_taken id");
  EXPECT_EQ(refused("add_protein", "{'name':'Beef'}", "'expected_version':1"),
            "version_conflict expected_version");
  EXPECT_EQ(refused("add_protein", "{'name':'Beef'}", "'expected_version':'none'"),
            "protein_taken name");
}

TEST_F(ProteinTest, IsRenamedByNameOrId) {
  run("add_protein", "{'name':'Beef'}");
  EXPECT_THAT(run("rename_protein", "{'protein':'Beef','name':'Ox'}"),
              ElementsAre("ProteinRenamed id=1 name=Ox"));
  EXPECT_EQ(entity(), "protein 1 Ox");
  EXPECT_THAT(run("rename_protein", "{'protein':1,'name':'Veal'}"),
              ElementsAre("ProteinRenamed id=1 name=Veal"));
}

TEST_F(ProteinTest, RenameToItsOwnNameHasNoEvent) {
  run("add_protein", "{'name':'Beef'}");
  EXPECT_THAT(run("rename_protein", "{'protein':'Beef','name':'Beef'}"), IsEmpty());
  EXPECT_EQ(entity(), "protein 1 Beef");
}

TEST_F(ProteinTest, RenameChecksReferenceThenVersionThenRules) {
  run("add_protein", "{'name':'Beef'}");
  run("add_protein", "{'name':'Pork'}");
  EXPECT_EQ(refused("rename_protein", "{'protein':'beef','name':'Pork'}", "'expected_version':7"),
            "not_found protein");
  EXPECT_EQ(refused("rename_protein", "{'protein':3,'name':'Pork'}"), "not_found protein");
  EXPECT_EQ(refused("rename_protein", "{'protein':'Beef','name':'Pork'}", "'expected_version':7"),
            "version_conflict expected_version");
  EXPECT_EQ(refused("rename_protein", "{'protein':'Beef','name':'Pork'}"), "protein_taken name");
}

TEST_F(ProteinTest, IsRemovedAndItsNameFree) {
  run("add_protein", "{'name':'Beef'}");
  EXPECT_THAT(run("remove_protein", "{'protein':'Beef'}"),
              ElementsAre("ProteinRemoved id=1 name=Beef"));
  EXPECT_EQ(entity(), "protein 1 Beef");
  EXPECT_THAT(run("add_protein", "{'name':'Beef'}"), ElementsAre("ProteinAdded id=2 name=Beef"));
}

TEST_F(ProteinTest, RemoveChecksReferenceThenVersion) {
  EXPECT_EQ(refused("remove_protein", "{'protein':'Beef'}", "'expected_version':7"),
            "not_found protein");
  run("add_protein", "{'name':'Beef'}");
  EXPECT_EQ(refused("remove_protein", "{'protein':'Beef'}", "'expected_version':7"),
            "version_conflict expected_version");
}

}  // namespace
}  // namespace tenantry
