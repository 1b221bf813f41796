#include "tools/command_fields.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace tenantry::tools {
namespace {

using events::Json;
using events::JsonNumber;

const events::CommandField& field(std::string_view command, std::string_view name) {
  const auto& fields = events::find_command(command)->fields;
  return *std::ranges::find(fields, name, &events::CommandField::name);
}

Json value(std::string_view command, std::string_view name, const std::string& text) {
  return std::get<Json>(field_value(field(command, name), text, events::Timestamp{}));
}

TEST(CommandFieldsTest, OptionsHaveDashes) {
  EXPECT_EQ(option_name("contact_email"), "--contact-email");
}

TEST(CommandFieldsTest, UserIsANameUnlessMarkedAsId) {
  EXPECT_EQ(value("add_member", "user", "17"), Json("17"));
  EXPECT_EQ(value("add_member", "user", "id:17"), Json(JsonNumber{"17"}));
}

TEST(CommandFieldsTest, IntegersAndBooleansAreJsonOnes) {
  EXPECT_EQ(value("add_member", "id", "17"), Json(JsonNumber{"17"}));
  EXPECT_EQ(value("create_tenant", "is_trial", "true"), Json(true));
  EXPECT_EQ(value("create_tenant", "is_trial", "maybe"), Json("maybe"));
}

TEST(CommandFieldsTest, DateMeansItsStart) {
  EXPECT_EQ(value("start_trial", "ends_at", "2030-01-31"), Json("2030-01-31T00:00:00.000000Z"));
}

TEST(CommandFieldsTest, DocumentsAreReadAsJson) {
  EXPECT_NE(value("create_tenant", "settings", R"({"a":1})").object(), nullptr);
  const auto refused = field_value(field("create_tenant", "settings"), "{", events::Timestamp{});
  EXPECT_EQ(std::get<events::Refusal>(refused).code, "invalid_json");
}

TEST(CommandFieldsTest, BrokenTextNamesItsField) {
  const auto refused = field_value(field("create_tenant", "name"), "\xff", events::Timestamp{});
  EXPECT_EQ(std::get<events::Refusal>(refused).code, "invalid_text");
  EXPECT_EQ(std::get<events::Refusal>(refused).field, "name");
}

TEST(CommandFieldsTest, EveryCommandHasAnExample) {
  for (const auto& info : events::commands()) {
    EXPECT_TRUE(example_of(info).starts_with("tenantry do " + info.name));
  }
  EXPECT_EQ(example_of(*events::find_command("add_member")),
            "tenantry do add_member --tenant acme --user ann");
}

}  // namespace
}  // namespace tenantry::tools
