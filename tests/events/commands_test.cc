#include "events/commands.h"

#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tenantry::events {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

const CommandField& field_of(std::string_view command, std::string_view field) {
  for (const CommandField& candidate : find_command(command)->fields) {
    if (candidate.name == field) return candidate;
  }
  throw std::out_of_range(std::string(field));
}

// `command.field` of the fields for which `holds` is true.
template <class Predicate>
std::vector<std::string> fields_where(Predicate holds) {
  std::vector<std::string> found;
  for (const CommandInfo& command : commands()) {
    for (const CommandField& field : command.fields) {
      if (holds(field)) found.push_back(command.name + "." + field.name);
    }
  }
  return found;
}

TEST(CommandsTest, EveryMemberOfTheUnionIsACommandOfItsNameAndNumber) {
  ASSERT_EQ(commands().size(), capnp::Schema::from<Command>().getUnionFields().size());
  for (std::size_t place = 0; place < commands().size(); ++place) {
    const CommandInfo& command = commands()[place];
    EXPECT_EQ(find_command(command.name), &command);
    EXPECT_EQ(&command_info(static_cast<Command::Which>(place)), &command);
  }
  EXPECT_EQ(command_info(Command::CREATE_TENANT).name, "create_tenant");
  EXPECT_EQ(command_info(Command::REMOVE_PROTEIN).name, "remove_protein");
}

TEST(CommandsTest, ANumberThatNoCommandHasIsMalformed) {
  EXPECT_EQ(find_command("createTenant"), nullptr);
  EXPECT_THROW((void)command_info(static_cast<Command::Which>(commands().size())), MalformedError);
}

TEST(CommandsTest, FieldsStandInTheOrderOfTheContract) {
  std::vector<std::string> names;
  std::vector<std::string> required;
  for (const CommandField& field : find_command("create_tenant")->fields) {
    names.push_back(field.name);
    if (field.required) required.push_back(field.name);
  }
  EXPECT_THAT(names, ElementsAre("id", "name", "slug", "schema_name", "contact_email",
                                 "contact_phone", "is_active", "is_trial", "trial_ends_at",
                                 "settings", "logo", "created_by", "owner", "domain"));
  EXPECT_THAT(required, ElementsAre("name", "slug", "contact_email"));
}

TEST(CommandsTest, EveryTextHasAColumnAndOnlyTheMessageIsOfAnyLength) {
  for (const CommandInfo& command : commands()) {
    for (const CommandField& field : command.fields) {
      const bool text = field.type == FieldType::kText || field.type == FieldType::kNullableText;
      if (text) {
        EXPECT_NE(field.column, nullptr) << command.name << "." << field.name;
      }
    }
  }
  EXPECT_THAT(fields_where([](const CommandField& field) {
                return field.type == FieldType::kText && field.column->length == 0;
              }),
              ElementsAre("invite.message"));
}

TEST(CommandsTest, ATextHasTheColumnThatItIsFor) {
  EXPECT_EQ(field_of("create_tenant", "domain").column->length, 253);
  EXPECT_EQ(field_of("change_tenant", "domain").column->length, 255);
  EXPECT_EQ(field_of("delete_tenant", "confirm").column->name, "slug");
  EXPECT_EQ(field_of("change_tenant_settings", "merge").column->name, "settings");
  EXPECT_EQ(field_of("add_member", "user").column->name, "username");
  EXPECT_EQ(field_of("extend_invitation", "invitation").column->name, "token");
}

TEST(CommandsTest, SecretsAreThoseOfTheColumns) {
  EXPECT_THAT(fields_where([](const CommandField& field) { return field.secret; }),
              UnorderedElementsAre("register_user.password", "change_user_password.password",
                                   "invite.token"));
}

TEST(CommandsTest, WhatMayNotBeEmptyMayNotBeEmptiedEither) {
  EXPECT_THAT(
      fields_where([](const CommandField& field) {
        return field.nonempty &&
               (field.type == FieldType::kText || field.type == FieldType::kNullableText);
      }),
      UnorderedElementsAre("create_tenant.name", "create_tenant.schema_name", "change_tenant.name",
                           "change_tenant.schema_name", "delete_tenant.confirm", "add_protein.name",
                           "rename_protein.name"));
}

TEST(CommandsTest, TwoCommandsTakeExactlyOneOfTwoFields) {
  std::vector<std::string> found;
  for (const CommandInfo& command : commands()) {
    for (const std::size_t place : command.exactly_one_of) {
      found.push_back(command.name + "." + command.fields[place].name);
    }
  }
  EXPECT_THAT(found, ElementsAre("change_tenant_settings.merge", "change_tenant_settings.replace",
                                 "accept_invitation.user", "accept_invitation.new_user"));
}

TEST(CommandsTest, SpeakOfTheEntityInTheirName) {
  EXPECT_EQ(find_command("accept_invitation")->on, EntityKind::INVITATION);
  EXPECT_EQ(find_command("expire_invitations")->on, EntityKind::NONE);
  EXPECT_EQ(find_command("add_member")->on, EntityKind::MEMBER);
  EXPECT_EQ(find_command("set_primary_domain")->on, EntityKind::DOMAIN);
}

TEST(CommandsTest, HaveAHelpTextAndEveryTypeHasAName) {
  std::set<std::string_view> names;
  for (const CommandInfo& command : commands()) {
    EXPECT_FALSE(command.help.empty()) << command.name;
    for (const CommandField& field : command.fields) names.insert(field_type_name(field.type));
  }
  constexpr std::size_t kTypes = static_cast<std::size_t>(FieldType::kNewUser) + 1;
  EXPECT_EQ(names.size(), kTypes);  // All occur, and no two are called the same.
  EXPECT_THAT(find_command("change_tenant_settings")->rules,
              ElementsAre("exactly one of merge and replace"));
  EXPECT_THAT(find_command("end_trial")->rules, IsEmpty());
}

TEST(CommandsTest, RolesAndThemesAreThoseOfTheContract) {
  EXPECT_THAT(roles(), ElementsAre("owner", "admin", "manager", "user", "readonly"));
  EXPECT_THAT(themes(), ElementsAre("light", "dark", "auto"));
}

}  // namespace
}  // namespace tenantry::events
