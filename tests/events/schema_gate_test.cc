#include "tests/events/schema_gate.h"

#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tenantry::events {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::filesystem::path kRoot = TENANTRY_SOURCE_DIR;
// All that is kept, and commands, whose hashes are.
constexpr std::array kFiles = {"events/annotations.capnp", "events/rows.capnp",
                               "events/events.capnp", "events/commands.capnp", "core/format.capnp"};

SchemaSources today() {
  SchemaSources sources;
  for (const char* name : kFiles) {
    std::ifstream file(kRoot / name);
    if (!file) throw std::runtime_error(std::string("cannot read ") + name);
    sources[name] = {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
  return sources;
}

struct Edit {
  const char* name;  // Of the test.
  const char* file;
  const char* text;  // Stands there once.
  const char* instead;
  const char* told = "";   // What the gate says.
  const char* text2 = "";  // A second edit of the same file, if any.
  const char* instead2 = "";
};

// NOLINTNEXTLINE(readability-identifier-naming): GoogleTest calls it by this name.
void PrintTo(const Edit& edit, std::ostream* out) { *out << edit.name; }

void replace_once(std::string& source, const std::string& text, const std::string& instead) {
  const std::size_t at = source.find(text);
  if (at == std::string::npos || source.find(text, at + 1) != std::string::npos)
    throw std::logic_error("not there once: " + text);
  source.replace(at, text.size(), instead);
}

// What the gate says to today's schemas after an edit of them.
std::vector<std::string> told_after(const Edit& edit) {
  static const SchemaNodes kBefore = compile_schemas(today());
  SchemaSources sources = today();
  replace_once(sources[edit.file], edit.text, edit.instead);
  if (*edit.text2 != '\0') replace_once(sources[edit.file], edit.text2, edit.instead2);
  return broken_promises(kBefore, compile_schemas(sources));
}

TEST(SchemaGateTest, BytesOfTheReleasedSchemasMeanTheSameToday) {
  const SchemaNodes released =
      read_compiled_schemas(kRoot / "tests" / "golden" / "schema" / "released.bin");
  ASSERT_GT(released.by_id().size(), 100U);
  EXPECT_THAT(broken_promises(released, compile_schemas(today())), IsEmpty())
      << "events/README.md says what may change";
}

TEST(SchemaGateTest, UnchangedSchemasBreakNothing) {
  EXPECT_THAT(broken_promises(compile_schemas(today()), compile_schemas(today())), IsEmpty());
}

class BreakingEditTest : public ::testing::TestWithParam<Edit> {};

TEST_P(BreakingEditTest, IsTold) {
  EXPECT_THAT(told_after(GetParam()), Contains(HasSubstr(GetParam().told)));
}

constexpr const char* kEvents = "events/events.capnp";
constexpr const char* kRows = "events/rows.capnp";
constexpr const char* kAnnotations = "events/annotations.capnp";

INSTANTIATE_TEST_SUITE_P(
    Fields, BreakingEditTest,
    ::testing::Values(
        Edit{"Removed", kEvents, "  isSuperuser @8 :Bool;\n", "",
             "UserRegistered.isSuperuser: gone"},
        Edit{"Renamed", kEvents, "contactEmail @4 :Text", "mailContact @4 :Text",
             "TenantCreated.contactEmail: now called mailContact"},
        Edit{"OrdinalsSwapped", kEvents, "isStaff @7 :Bool;\n  isSuperuser @8 :Bool",
             "isStaff @8 :Bool;\n  isSuperuser @7 :Bool", "UserRegistered.isStaff: now called"},
        Edit{"OrdinalsOfTwoTypesSwapped", kEvents, "id @0 :Int32;\n  lastLogin @1 :Int64;",
             "id @1 :Int32;\n  lastLogin @0 :Int64;", "UserLoggedIn.id: its type changed"},
        Edit{"AnotherType", kEvents, "lastLogin @1 :Int64", "lastLogin @1 :UInt64",
             "UserLoggedIn.lastLogin: its type changed"},
        Edit{"WiderInteger", kEvents, "id @0 :Int32;\n  lastLogin", "id @0 :Int64;\n  lastLogin",
             "UserLoggedIn.id: its type changed"},
        Edit{"DataForText", kEvents, "slug @1 :Text;\n}", "slug @1 :Data;\n}",
             "TenantSlugChanged.slug: its type changed"},
        Edit{"AnotherStruct", kEvents, "trialEndsAt @8 :R.NullableTime",
             "trialEndsAt @8 :R.NullableInt", "TenantCreated.trialEndsAt: its type changed"},
        Edit{"AnotherDefault", kRows, "micros @0 :Int64", "micros @0 :Int64 = 1",
             "NullableTime.micros: its default changed"},
        Edit{"MovedIntoTheUnion", kEvents, "  correlationId @3 :Text;\n", "",
             "Event.correlationId: its place in the union changed", "  union {\n",
             "  union {\n    correlationId @3 :Text;\n"},
        Edit{"MovedOutOfTheUnion", kEvents, "    userRenamed @5 :UserRenamed;\n", "",
             "Event.userRenamed: its place in the union changed", "  union {\n",
             "  userRenamed @5 :UserRenamed;\n  union {\n"},
        Edit{"MemberOfAnotherKind", kEvents, "userRenamed @5 :UserRenamed",
             "userRenamed @5 :UserLoggedIn", "Event.userRenamed: its type changed"}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Declarations, BreakingEditTest,
    ::testing::Values(
        Edit{"AnotherId", kEvents, "0xd468d8f413ae15f8", "0xd468d8f413ae15f9",
             "UserRenamed: 0xd468d8f413ae15f8 is gone"},
        Edit{"Renamed", kEvents, "struct TrialEnded @", "struct TrialClosed @",
             "TrialEnded: now called TrialClosed", "trialEnded @27 :TrialEnded",
             "trialEnded @27 :TrialClosed"},
        Edit{"EnumerantRemoved", kEvents, "  yes @2;\n", "", "Flag.yes: gone or renamed"},
        Edit{"EnumerantsSwapped", kEvents, "no @1;\n  yes @2;", "no @2;\n  yes @1;",
             "Flag.no: gone or renamed"},
        Edit{"FieldOfTheStoresOwn", "core/format.capnp", "minor @2 :UInt16", "lesser @2 :UInt16",
             "FormatInfo.minor: now called lesser"},
        Edit{"EnumerantRenamed", kAnnotations, "free @0;", "open @0;",
             "Syntax.free: gone or renamed"},
        Edit{"AnnotationOfAnotherType", kAnnotations, "column @0xad31723ea852f876 (field) :Text",
             "column @0xad31723ea852f876 (field) :Data", "column: its type changed"}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Annotations, BreakingEditTest,
    ::testing::Values(
        Edit{"ConstantChanged", kEvents, "column = \"status\", value = \"revoked\"",
             "column = \"status\", value = \"expired\"", "InvitationRevoked: $sets"},
        Edit{"ConstantOfAnotherColumn", kEvents, "column = \"status\", value = \"revoked\"",
             "column = \"role\", value = \"revoked\"", "InvitationRevoked: $sets"},
        Edit{"EffectChanged", kEvents, "0xe26d6f79074349bb $A.on(user) $A.effect(remove)",
             "0xe26d6f79074349bb $A.on(user) $A.effect(patch)", "UserDeleted: $effect"},
        Edit{"OfAnotherEntity", kEvents, "0xe26d6f79074349bb $A.on(user)",
             "0xe26d6f79074349bb $A.on(protein)", "UserDeleted: $on"},
        Edit{"AnotherColumn", kEvents, "$A.column(\"tenant_id\")", "$A.column(\"domain\")",
             "DomainMoved.toTenantId: $column"},
        Edit{"NoLongerContext", kEvents, "username @1 :Text $A.context", "username @1 :Text",
             "UserDeleted.username: $context is gone"},
        Edit{"NowContext", kEvents, "role @3 :Text;\n}\nstruct MemberDeactivated",
             "role @3 :Text $A.context;\n}\nstruct MemberDeactivated",
             "MemberRoleChanged.role: $context is new"},
        Edit{"NoLongerSecret", kEvents, "password @1 :Text $A.secret", "password @1 :Text",
             "UserPasswordChanged.password: $secret"},
        Edit{"ShorterColumn", kRows, "name @1 :Text $A.sql(type = varchar, length = 50)",
             "name @1 :Text $A.sql(type = varchar, length = 40)", "ProteinRow.name: $sql"},
        Edit{"ColumnOfAnotherType", kRows, "name @1 :Text $A.sql(type = varchar, length = 50)",
             "name @1 :Text $A.sql(type = text)", "ProteinRow.name: $sql"},
        Edit{"ColumnNoLongerNullable", kRows, "length = 63, nullable = true", "length = 63",
             "TenantRow.schemaName: $sql"},
        Edit{"TableRenamed", kRows, "\"core_protein\"", "\"core_proteins\"", "ProteinRow: $table"},
        Edit{"ClaimNumberReused", kRows, "number = 2, columns = [\"name\"]",
             "number = 2, columns = [\"id\"]", "ProteinRow: claim 2 is gone or changed"},
        Edit{"ClaimRemoved", kRows,
             "\n    $A.claims([(number = 2, columns = [\"name\"], code = \"protein_taken\")])", "",
             "ProteinRow: claim 2 is gone or changed"},
        Edit{"ClaimOfTwoTables", kRows, "code = \"protein_taken\")",
             "code = \"protein_taken\"), (number = 7, columns = [\"id\"], code = \"x\")",
             "claim 7 is used twice"},
        Edit{"NewClaimOfAnOldTable", kRows, "code = \"protein_taken\")",
             "code = \"protein_taken\"), (number = 10, columns = [\"id\"], code = \"x\")",
             "ProteinRow: no store has keys of claim 10"},
        Edit{"ClaimNumberTooLarge", kRows, "code = \"protein_taken\")",
             "code = \"protein_taken\"), (number = 64, columns = [\"id\"], code = \"x\")",
             "claim 64 is used twice or too large"},
        Edit{"LookupNumberTooLarge", kRows, "number = 2, column = \"user_id\"",
             "number = 48, column = \"user_id\"", "lookup 48 is used twice or too large"},
        Edit{"LookupChanged", kRows, "number = 2, column = \"user_id\"",
             "number = 2, column = \"role\"", "MemberRow: lookup 2 is gone or changed"}),
    [](const auto& test) { return test.param.name; });

class HarmlessEditTest : public ::testing::TestWithParam<Edit> {};

TEST_P(HarmlessEditTest, Passes) { EXPECT_THAT(told_after(GetParam()), IsEmpty()); }

INSTANTIATE_TEST_SUITE_P(
    Additions, HarmlessEditTest,
    ::testing::Values(
        Edit{"NewField", kEvents, "  isSuperuser @8 :Bool;\n",
             "  isSuperuser @8 :Bool;\n  phone @9 :Text;\n"},
        Edit{"NewKind", kEvents, "    tenantRedacted @65 :TenantRedacted;\n",
             "    tenantRedacted @65 :TenantRedacted;\n    userMuted @66 :UserMuted;\n", "",
             "struct UserRenamed ",
             "struct UserMuted @0xd468d8f413ae15f7 $A.on(user) $A.effect(patch) {\n"
             "  id @0 :Int32;\n}\nstruct UserRenamed "},
        Edit{"NewEnumerant", kAnnotations, "  invitation @7;\n",
             "  invitation @7;\n  device @9;\n"},
        Edit{"NewColumn", kRows, "  name @1 :Text $A.sql(type = varchar, length = 50);\n",
             "  name @1 :Text $A.sql(type = varchar, length = 50);\n"
             "  mass @2 :NullableInt $A.sql(type = integer, nullable = true);\n"},
        Edit{"NewTable", kRows, "struct Rows ",
             "struct DeviceRow @0xd468d8f413ae15f7\n"
             "    $A.table(name = \"device\", scope = core, entity = none, integerIds = true)\n"
             "    $A.claims([(number = 10, columns = [\"id\"], code = \"id_taken\")]) {\n"
             "  id @0 :Int64 $A.sql(type = bigint);\n}\nstruct Rows ",
             "", "    invitation @6 :InvitationRow;\n",
             "    invitation @6 :InvitationRow;\n    device @7 :DeviceRow;\n"},
        Edit{"OtherOrderInTheFile", kEvents, "  firstName @1 :Text;\n  lastName @2 :Text;\n",
             "  lastName @2 :Text;\n  firstName @1 :Text;\n"},
        Edit{"OtherHelp", "events/commands.capnp", "$A.help(\"Register a user.\")",
             "$A.help(\"Register somebody.\")"}),
    [](const auto& test) { return test.param.name; });

// The promise is between what was and what is: taking an addition back breaks it.
TEST(SchemaGateTest, WhatWasAddedStays) {
  SchemaSources longer = today();
  replace_once(longer[kEvents], "  isSuperuser @8 :Bool;\n",
               "  isSuperuser @8 :Bool;\n  phone @9 :Text;\n");
  EXPECT_THAT(broken_promises(compile_schemas(longer), compile_schemas(today())),
              Contains(HasSubstr("UserRegistered.phone: gone")));
}

}  // namespace
}  // namespace tenantry::events
