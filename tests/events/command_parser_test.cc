#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <set>

#include <capnp/dynamic.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "events/commands.h"
#include "events/text.h"

// Fields and limits that every command has in common are tested through the descriptors, so that a
// new field or command cannot be forgotten.
namespace tenantry::events {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

using Parsed = std::variant<CommandRequest, Refusal>;

// The fields of a command, by name, each as JSON.
using Fields = std::map<std::string, std::string>;

constexpr std::string_view kUuid = "2f1d5c3a-9f4e-4c1b-8a6d-0123456789ab";

std::string json_text(std::string_view text) {
  std::string json;
  append_json_string(json, text);
  return json;
}

std::string object(const Fields& fields) {
  std::string json = "{";
  for (const auto& [name, value] : fields) {
    if (json.size() > 1) json += ",";
    json += json_text(name) + ":" + value;
  }
  return json + "}";
}

std::string line(std::string_view command, std::string_view data, std::string_view more = "") {
  return R"({"command":")" + std::string(command) + R"(","data":)" + std::string(data) +
         std::string(more) + "}";
}

Parsed parse(std::string_view text, bool historic = false) {
  return parse_command_line(text, CommandDefaults{}, historic);
}

Parsed parse(std::string_view command, const Fields& fields) {
  return parse(line(command, object(fields)));
}

// `code field`, or `accepted`.
std::string outcome(const Parsed& parsed) {
  const auto* refusal = std::get_if<Refusal>(&parsed);
  return refusal == nullptr ? "accepted" : refusal->code + " " + refusal->field;
}

std::string message(const Parsed& parsed) {
  const auto* refusal = std::get_if<Refusal>(&parsed);
  return refusal == nullptr ? "" : refusal->message;
}

std::string bytes(const Parsed& parsed) {
  const auto* request = std::get_if<CommandRequest>(&parsed);
  return request == nullptr ? outcome(parsed) : request->command;
}

std::string repeat(std::string_view part, std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += part;
  return text;
}

// A host name of `length` characters, 3 or more.
std::string host_of(std::size_t length) {
  std::string host = repeat("a", length);
  for (std::size_t dot = 1; dot + 1 < length; dot += 50) host[dot] = '.';
  return host;
}

// A good text of exactly `length` characters for a syntax.
std::string text_of(Syntax syntax, std::size_t length) {
  switch (syntax) {
    case Syntax::FREE:
    case Syntax::USERNAME:
      return repeat("é", length);  // Two bytes each: limits count characters.
    case Syntax::EMAIL:
      return "a@" + host_of(length - 2);
    case Syntax::HOST:
      return host_of(length);
    case Syntax::PASSWORD_HASH:
      return "!" + repeat("x", length - 1);
    default:
      return repeat("a", length);
  }
}

Syntax syntax_of(const CommandField& field) {
  return field.type == FieldType::kDomain ? Syntax::HOST : field.syntax;
}

std::string good_text(Syntax syntax) {
  switch (syntax) {
    case Syntax::ROLE:
      return "manager";
    case Syntax::THEME:
      return "auto";
    case Syntax::TOKEN:
      return text_of(syntax, 22);
    default:
      return text_of(syntax, 11);
  }
}

std::string good_value(const CommandField& field) {
  switch (field.type) {
    case FieldType::kText:
    case FieldType::kNullableText:
      return json_text(good_text(field.syntax));
    case FieldType::kBoolean:
      return "false";
    case FieldType::kInteger:
      return "17";
    case FieldType::kTime:
    case FieldType::kNullableTime:
      return R"("2026-01-31T09:30:00Z")";
    case FieldType::kUuid:
      return json_text(kUuid);
    case FieldType::kJsonObject:
      return R"({"a":1})";
    case FieldType::kJsonArray:
      return R"(["a",1])";
    case FieldType::kDomain:
      return R"("acme.example")";
    case FieldType::kNewUser:
      return R"({"username":"ann"})";
    default:
      return R"("acme")";  // The name in a reference.
  }
}

// What the command needs, and nothing else.
Fields required_fields(const CommandInfo& command) {
  Fields fields;
  for (const CommandField& field : command.fields) {
    if (field.required) fields[field.name] = good_value(field);
  }
  if (!command.exactly_one_of.empty()) {
    const CommandField& first = command.fields[command.exactly_one_of.front()];
    fields[first.name] = good_value(first);
  }
  return fields;
}

// The required fields with one more, or with another value for one.
Fields fields_with(const CommandInfo& command, const CommandField& field, std::string value) {
  Fields fields = required_fields(command);
  for (const std::size_t place : command.exactly_one_of) {
    const bool concerned = std::ranges::any_of(command.exactly_one_of, [&](std::size_t other) {
      return &command.fields[other] == &field;
    });
    if (concerned) fields.erase(command.fields[place].name);
  }
  fields[field.name] = std::move(value);
  return fields;
}

template <class Visit>
void for_each_field(Visit visit) {
  for (const CommandInfo& command : commands()) {
    for (const CommandField& field : command.fields) {
      SCOPED_TRACE(command.name + "." + field.name);
      visit(command, field);
    }
  }
}

bool is_text(const CommandField& field) {
  return field.type == FieldType::kText || field.type == FieldType::kNullableText;
}

bool is_reference(const CommandField& field) {
  return field.column != nullptr && good_value(field).starts_with('"') && !is_text(field) &&
         field.type != FieldType::kUuid;
}

// --- Every field of every command ---------------------------------------------------------------

TEST(CommandParserTest, EveryCommandIsCompleteWithItsRequiredFields) {
  for (const CommandInfo& command : commands()) {
    EXPECT_EQ(outcome(parse(command.name, required_fields(command))), "accepted") << command.name;
  }
}

TEST(CommandParserTest, EveryFieldTakesAGoodValueAndKeepsIt) {
  for_each_field([](const CommandInfo& command, const CommandField& field) {
    const Parsed parsed = parse(command.name, fields_with(command, field, good_value(field)));
    ASSERT_EQ(outcome(parsed), "accepted");
    MessageView view(std::get<CommandRequest>(parsed).command);
    const capnp::DynamicStruct::Reader root(view.root<Command>());
    ASSERT_EQ(KJ_ASSERT_NONNULL(root.which()), command.member);
    EXPECT_TRUE(root.get(command.member).as<capnp::DynamicStruct>().has(field.field));
  });
}

TEST(CommandParserTest, EveryFieldRefusesTheTypesThatItDoesNotTake) {
  using enum FieldType;
  const std::map<std::string, std::vector<FieldType>> takers = {
      {"null", {kNullableText, kNullableTime, kNullableUser}},
      {"true", {kBoolean}},
      {"17", {kInteger, kUser, kNullableUser, kProtein}},
      {"17.0", {}},
      {"1e1", {}},
      {"0", {}},
      {"-1", {}},
      {"9223372036854775808", {}},
      {"[]", {kJsonArray}},
      {"{}", {kJsonObject}}};
  for_each_field([&](const CommandInfo& command, const CommandField& field) {
    for (const auto& [value, types] : takers) {
      const bool taken = std::ranges::find(types, field.type) != types.end();
      const bool incomplete = field.type == kNewUser && value == "{}";
      const std::string code = incomplete ? "missing_field " : "invalid_type ";
      EXPECT_EQ(outcome(parse(command.name, fields_with(command, field, value))),
                taken ? "accepted" : code + field.name)
          << value;
    }
  });
}

TEST(CommandParserTest, EveryFieldThatIsNoTextRefusesTexts) {
  for_each_field([](const CommandInfo& command, const CommandField& field) {
    if (is_text(field) || is_reference(field)) return;
    for (const std::string_view text : {"", "17", "true", "2026-01-31", "{}", "acme"}) {
      EXPECT_EQ(outcome(parse(command.name, fields_with(command, field, json_text(text)))),
                "invalid_type " + field.name)
          << text;
    }
  });
}

TEST(CommandParserTest, EveryTextEndsAtTheLengthOfItsColumn) {
  for_each_field([](const CommandInfo& command, const CommandField& field) {
    if (!is_text(field) && !is_reference(field)) return;
    const std::size_t length = field.column->length;
    if (length == 0) return;
    const Syntax syntax = syntax_of(field);
    const auto with_length = [&](std::size_t count) {
      return outcome(
          parse(command.name, fields_with(command, field, json_text(text_of(syntax, count)))));
    };
    const bool listed = syntax == Syntax::ROLE || syntax == Syntax::THEME;
    const std::string code = syntax == Syntax::ROLE ? "invalid_role " : "invalid_theme ";
    EXPECT_EQ(with_length(length), listed ? code + field.name : "accepted");
    EXPECT_EQ(with_length(length + 1), "too_long " + field.name);
  });
}

TEST(CommandParserTest, EverySyntaxHasItsCode) {
  const std::map<Syntax, std::pair<std::string, std::vector<std::string>>> wrong = {
      {Syntax::USERNAME, {"invalid_username", {"", "a b", "a/b", " a", "a\n"}}},
      {Syntax::EMAIL, {"invalid_email", {"a", "a@b", "a@b.c ", "é@b.c", "@b.c", "a\n@b.c"}}},
      {Syntax::SLUG, {"invalid_slug", {"", "a b", "a.b", "é", "a\n", std::string(kUuid)}}},
      {Syntax::HOST, {"invalid_domain", {"", "-a.b", "a..b", "a_b.c", "a.b.", "a:80", " a"}}},
      {Syntax::ROLE, {"invalid_role", {"", "god", "Owner", "owner "}}},
      {Syntax::THEME, {"invalid_theme", {"", "pink", "Dark"}}},
      {Syntax::PASSWORD_HASH, {"invalid_password_hash", {"", "secret", "$a"}}},
      {Syntax::TOKEN, {"invalid_token", {"", "aaaaaaaaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaaaaaaaa+"}}}};
  std::set<Syntax> seen;
  for_each_field([&](const CommandInfo& command, const CommandField& field) {
    const auto found = wrong.find(syntax_of(field));
    if (found == wrong.end()) return;
    seen.insert(found->first);
    for (const std::string& text : found->second.second) {
      EXPECT_EQ(outcome(parse(command.name, fields_with(command, field, json_text(text)))),
                found->second.first + " " + field.name)
          << text;
    }
  });
  EXPECT_EQ(seen.size(), wrong.size());
}

TEST(CommandParserTest, EveryRequiredFieldIsMissed) {
  for_each_field([](const CommandInfo& command, const CommandField& field) {
    if (!field.required) return;
    Fields fields = required_fields(command);
    fields.erase(field.name);
    EXPECT_EQ(outcome(parse(command.name, fields)), "missing_field " + field.name);
  });
}

TEST(CommandParserTest, AnEmptyTextIsMissingWhereOneMustBeGiven) {
  for_each_field([](const CommandInfo& command, const CommandField& field) {
    if (!is_text(field) || field.syntax != Syntax::FREE) return;
    EXPECT_EQ(outcome(parse(command.name, fields_with(command, field, R"("")"))),
              field.nonempty ? "missing_field " + field.name : "accepted");
  });
  EXPECT_EQ(outcome(parse("delete_user", Fields{{"user", R"("")"}})), "missing_field user");
}

TEST(CommandParserTest, OnlyAUserMayHaveAnEmptyEmail) {
  for_each_field([](const CommandInfo& command, const CommandField& field) {
    if (field.syntax != Syntax::EMAIL) return;
    const bool users = command.on == EntityKind::USER;
    EXPECT_EQ(outcome(parse(command.name, fields_with(command, field, R"("")"))),
              users ? "accepted" : "invalid_email " + field.name);
  });
}

TEST(CommandParserTest, NoTextHoldsZeroOrHalfACharacter) {
  for_each_field([](const CommandInfo& command, const CommandField& field) {
    if (!is_text(field) && !is_reference(field)) return;
    for (const std::string_view escape : {R"(\u0000)", R"(\ud800)", R"(\udc00x)", R"(\uD83Dx)"}) {
      const std::string value = "\"a" + std::string(escape) + "\"";
      EXPECT_EQ(outcome(parse(command.name, fields_with(command, field, value))),
                "invalid_text " + field.name)
          << value;
    }
  });
}

TEST(CommandParserTest, NoDocumentHoldsZeroALongNumberOrTooMuch) {
  const auto wrapped = [](const CommandField& field, std::string_view value) {
    const bool array = field.type == FieldType::kJsonArray;
    return array ? "[" + std::string(value) + "]" : R"({"k":)" + std::string(value) + "}";
  };
  for_each_field([&](const CommandInfo& command, const CommandField& field) {
    if (field.type != FieldType::kJsonObject && field.type != FieldType::kJsonArray) return;
    const auto with = [&](std::string_view value) {
      return outcome(parse(command.name, fields_with(command, field, wrapped(field, value))));
    };
    EXPECT_EQ(with(R"("a\u0000")"), "invalid_json " + field.name);
    EXPECT_EQ(with(R"({"\u0000":1})"), "invalid_json " + field.name);
    EXPECT_EQ(with("1e400"), "invalid_json " + field.name);
    EXPECT_EQ(with("1e399"), "accepted");
    const std::size_t frame = field.type == FieldType::kJsonArray ? 4 : 9;  // [""] {"k": ""}
    EXPECT_EQ(with(json_text(repeat("x", kTextBytesMax - frame))), "accepted");
    EXPECT_EQ(with(json_text(repeat("x", kTextBytesMax - frame + 1))), "too_large " + field.name);
  });
}

TEST(CommandParserTest, EveryCommandRefusesAFieldThatItDoesNotHave) {
  for (const CommandInfo& command : commands()) {
    Fields fields = required_fields(command);
    fields["colour"] = "1";
    EXPECT_EQ(outcome(parse(command.name, fields)), "unknown_field colour") << command.name;
  }
}

// --- Single fields ------------------------------------------------------------------------------

TEST(CommandParserTest, AMessageMayBeLongButNotTooLarge) {
  Fields fields = required_fields(*find_command("invite"));
  fields["message"] = json_text(repeat("x", kTextBytesMax));
  EXPECT_EQ(outcome(parse("invite", fields)), "accepted");
  fields["message"] = json_text(repeat("x", kTextBytesMax + 1));
  EXPECT_EQ(outcome(parse("invite", fields)), "too_large message");
  fields["message"] = R"("two\nlines\tand a tab")";
  EXPECT_EQ(outcome(parse("invite", fields)), "accepted");
}

TEST(CommandParserTest, IdsEndAtTheRangeOfTheirColumn) {
  const auto user = [](std::string id) {
    return outcome(parse("register_user", Fields{{"username", R"("a")"}, {"id", std::move(id)}}));
  };
  EXPECT_EQ(user("2147483647"), "accepted");
  EXPECT_EQ(user("2147483648"), "invalid_type id");
  const auto protein = [](std::string id) {
    return outcome(parse("add_protein", Fields{{"name", R"("a")"}, {"id", std::move(id)}}));
  };
  EXPECT_EQ(protein("9223372036854775807"), "accepted");
  EXPECT_EQ(protein("9223372036854775808"), "invalid_type id");
  EXPECT_EQ(outcome(parse("delete_user", Fields{{"user", "2147483648"}})), "invalid_type user");
}

TEST(CommandParserTest, AUuidIsWrittenPlainlyAndNotAllZero) {
  Fields fields = required_fields(*find_command("create_tenant"));
  for (const std::string_view id :
       {"2F1D5C3A-9F4E-4C1B-8A6D-0123456789AB", "2f1d5c3a-9f4e-4c1b-8a6d-0123456789ab"}) {
    fields["id"] = json_text(id);
    EXPECT_EQ(outcome(parse("create_tenant", fields)), "accepted") << id;
  }
  for (const std::string_view id :
       {"{2f1d5c3a-9f4e-4c1b-8a6d-0123456789ab}", "2f1d5c3a9f4e4c1b8a6d0123456789ab",
        "00000000-0000-0000-0000-000000000000"}) {
    fields["id"] = json_text(id);
    EXPECT_EQ(outcome(parse("create_tenant", fields)), "invalid_type id") << id;
  }
}

Command::Reader read(MessageView& view) { return view.root<Command>(); }

std::string accepted(std::string_view command, const Fields& fields) {
  const Parsed parsed = parse(command, fields);
  EXPECT_EQ(outcome(parsed), "accepted") << message(parsed);
  return bytes(parsed);
}

TEST(CommandParserTest, AReferenceIsAnIdOrAName) {
  MessageView by_id(accepted("add_member", {{"tenant", json_text(kUuid)}, {"user", "17"}}));
  EXPECT_EQ(read(by_id).getAddMember().getTenant().getId().size(), 16U);
  EXPECT_EQ(read(by_id).getAddMember().getUser().getId(), 17);

  MessageView by_name(accepted("add_member", {{"tenant", R"("ACME")"}, {"user", R"("17")"}}));
  EXPECT_EQ(read(by_name).getAddMember().getTenant().getSlug(), "acme");
  EXPECT_EQ(read(by_name).getAddMember().getUser().getUsername(), "17");

  MessageView invitation(accepted("revoke_invitation", {{"invitation", R"("tOken")"}}));
  EXPECT_EQ(read(invitation).getRevokeInvitation().getInvitation().getToken(), "tOken");
  MessageView protein(accepted("remove_protein", {{"protein", R"("Beef")"}}));
  EXPECT_EQ(read(protein).getRemoveProtein().getProtein().getName(), "Beef");
  MessageView domain(accepted("remove_domain", {{"domain", R"("WWW.Acme.Example")"}}));
  EXPECT_EQ(read(domain).getRemoveDomain().getDomain().getHost(), "www.acme.example");
}

TEST(CommandParserTest, SlugsAndHostNamesAreLowerCasedAndEmailsAreNot) {
  MessageView view(accepted("create_tenant", {{"name", R"("ACME")"},
                                              {"slug", R"("ACME")"},
                                              {"contact_email", R"("A@B.example")"},
                                              {"domain", R"("Acme.Example")"}}));
  const auto tenant = read(view).getCreateTenant();
  EXPECT_EQ(tenant.getName(), "ACME");
  EXPECT_EQ(tenant.getSlug(), "acme");
  EXPECT_EQ(tenant.getContactEmail(), "A@B.example");
  EXPECT_EQ(tenant.getDomain(), "acme.example");
}

TEST(CommandParserTest, AbsentIsNotNullAndNotEmpty) {
  MessageView absent(accepted("change_tenant", {{"tenant", R"("a")"}}));
  EXPECT_FALSE(read(absent).getChangeTenant().hasLogo());
  MessageView null(accepted("change_tenant", {{"tenant", R"("a")"}, {"logo", "null"}}));
  EXPECT_TRUE(read(null).getChangeTenant().hasLogo());
  EXPECT_TRUE(read(null).getChangeTenant().getLogo().isNull());
  MessageView empty(accepted(
      "change_tenant", {{"tenant", R"("a")"}, {"logo", R"("")"}, {"contact_phone", R"("")"}}));
  EXPECT_TRUE(read(empty).getChangeTenant().getLogo().isValue());
  EXPECT_TRUE(read(empty).getChangeTenant().hasContactPhone());
}

TEST(CommandParserTest, ExactlyOneOfMeansNeitherNoneNorBoth) {
  const std::string tenant = R"("acme")";
  EXPECT_EQ(outcome(parse("change_tenant_settings", Fields{{"tenant", tenant}})),
            "missing_field merge");
  const Parsed both = parse("change_tenant_settings",
                            Fields{{"tenant", tenant}, {"merge", "{}"}, {"replace", "{}"}});
  EXPECT_EQ(outcome(both), "invalid_type replace");
  EXPECT_THAT(message(both), HasSubstr("exactly one of merge and replace"));
  EXPECT_EQ(outcome(parse("change_tenant_settings", Fields{{"merge", "{}"}, {"replace", "{}"}})),
            "missing_field tenant");
  EXPECT_EQ(outcome(parse("accept_invitation", Fields{{"invitation", tenant}})),
            "missing_field user");
}

TEST(CommandParserTest, ANewUserIsCheckedLikeARegistration) {
  const auto with = [](std::string user) {
    return parse("accept_invitation",
                 Fields{{"invitation", R"("t")"}, {"new_user", std::move(user)}});
  };
  EXPECT_EQ(outcome(with(R"({"username":"ann","password":"!","is_active":false})")), "accepted");
  EXPECT_EQ(outcome(with(R"({"email":"a@b.c"})")), "missing_field new_user");
  EXPECT_EQ(outcome(with(R"({"username":"ann","x":1})")), "unknown_field new_user");
  const Parsed wrong = with(R"({"username":"a b"})");
  EXPECT_EQ(outcome(wrong), "invalid_username new_user");
  EXPECT_THAT(message(wrong), HasSubstr("in new_user: username must be"));
}

TEST(CommandParserTest, DocumentsAreStoredAsJsonbPrintsThem) {
  MessageView view(accepted("change_tenant_settings",
                            {{"tenant", R"("a")"}, {"merge", R"({"bb":1e2,"a":[1.50,null]})"}}));
  EXPECT_EQ(read(view).getChangeTenantSettings().getMerge(), R"({"a": [1.50, null], "bb": 100})");
}

TEST(CommandParserTest, WhatSaysTheSameGivesEqualBytes) {
  const std::string first = bytes(
      parse(R"({"command":"create_tenant","data":{"name":"A","slug":"a","contact_email":"a@b.c",)"
            R"("id":"2f1d5c3a-9f4e-4c1b-8a6d-0123456789ab","trial_ends_at":"2026-01-31T09:30:00Z",)"
            R"("settings":{"k":100,"theme":{"a":"b"}},"logo":null,"owner":5}})"));
  const std::string second = bytes(
      parse(R"( {"data" : {"owner":5,"logo":null,"settings":{"theme":{"\u0061":"b"},"k":1e2},)"
            R"("trial_ends_at":"2026-01-31 11:30:00.000+02:00","contact_email":"a@b.c","slug":"A",)"
            R"("id":"2F1D5C3A-9F4E-4C1B-8A6D-0123456789AB","name":"\u0041"},)"
            R"("command":"create_tenant"} )"));
  EXPECT_EQ(first, second);
  EXPECT_EQ(first.size() % 8, 0U);
  EXPECT_NE(first, bytes(parse(
                       "create_tenant",
                       {{"name", R"("A")"}, {"slug", R"("a")"}, {"contact_email", R"("a@b.c")"}})));
}

// --- The line -----------------------------------------------------------------------------------

constexpr std::string_view kGood = R"({"name":"Beef"})";

TEST(CommandLineTest, HoldsTheCircumstances) {
  const Parsed parsed = parse(
      line("add_protein", kGood,
           R"(,"id":"2f1d5c3a-9f4e-4c1b-8a6d-0123456789ab","actor":"user:17","channel":"api",)"
           R"("reason":"why","correlation_id":"c","causation_position":9,"expected_version":3,)"
           R"("at":"2026-01-31T09:30:00Z")"),
      /*historic=*/true);
  ASSERT_EQ(outcome(parsed), "accepted");
  const Circumstances& given = std::get<CommandRequest>(parsed).circumstances;
  EXPECT_EQ(given.id, parse_uuid(kUuid));
  EXPECT_EQ(given.actor, "user:17");
  EXPECT_EQ(given.channel, "api");
  EXPECT_EQ(given.reason, "why");
  EXPECT_EQ(given.correlation_id, "c");
  EXPECT_EQ(given.causation_position, 9U);
  EXPECT_EQ(given.expected_version,
            (ExpectedVersion{.kind = ExpectedVersion::Kind::kExact, .version = 3}));
  EXPECT_EQ(given.at, parse_timestamp("2026-01-31T09:30:00Z"));
}

TEST(CommandLineTest, SaysNothingUnlessItDoes) {
  const Parsed parsed = parse(line("add_protein", kGood, "\n"));
  ASSERT_EQ(outcome(parsed), "accepted");
  const Circumstances& given = std::get<CommandRequest>(parsed).circumstances;
  EXPECT_FALSE(given.id || given.causation_position || given.at);
  EXPECT_EQ(given.expected_version, ExpectedVersion{});
  EXPECT_TRUE(given.actor.empty());
}

TEST(CommandLineTest, DefaultsFillOnlyWhatItLeavesOut) {
  const CommandDefaults defaults{
      .actor = "system:deploy", .channel = "deploy", .reason = "r", .correlation_id = "c"};
  const Parsed parsed = parse_command_line(
      line("add_protein", kGood, R"(,"actor":"user:1","reason":"")"), defaults, false);
  ASSERT_EQ(outcome(parsed), "accepted");
  const Circumstances& given = std::get<CommandRequest>(parsed).circumstances;
  EXPECT_EQ(given.actor, "user:1");
  EXPECT_EQ(given.channel, "deploy");
  EXPECT_EQ(given.reason, "");
  EXPECT_EQ(given.correlation_id, "c");
}

TEST(CommandLineTest, ExpectsAVersionFromOneOrNone) {
  const auto with = [](std::string_view version) {
    return parse(line("add_protein", kGood, R"(,"expected_version":)" + std::string(version)));
  };
  EXPECT_EQ(outcome(with("1")), "accepted");
  const Parsed none = with(R"("none")");
  ASSERT_EQ(outcome(none), "accepted");
  EXPECT_EQ(std::get<CommandRequest>(none).circumstances.expected_version.kind,
            ExpectedVersion::Kind::kNone);
  for (const std::string_view wrong :
       {"0", "-1", "1.0", R"("1")", R"("None")", "null", "9223372036854775808"}) {
    EXPECT_EQ(outcome(with(wrong)), "invalid_type expected_version") << wrong;
  }
}

TEST(CommandLineTest, ItsTextsEndAtTheirLengths) {
  const std::map<std::string, std::size_t> lengths = {
      {"actor", 200}, {"channel", 50}, {"reason", 500}, {"correlation_id", 200}};
  for (const auto& [name, length] : lengths) {
    const std::string& key = name;
    const auto with = [&](const std::string& value) {
      return outcome(parse(line("add_protein", kGood, ",\"" + key + "\":" + value)));
    };
    EXPECT_EQ(with(json_text(repeat("é", length))), "accepted");
    EXPECT_EQ(with(json_text(repeat("é", length + 1))), "too_long " + key);
    EXPECT_EQ(with(R"("\u0000")"), "invalid_text " + key);
    EXPECT_EQ(with("null"), "invalid_type " + key);
    EXPECT_EQ(with("1"), "invalid_type " + key);
  }
}

TEST(CommandLineTest, EveryFailureHasItsCode) {
  const std::map<std::string, std::string> outcomes = {
      {"", "invalid_json "},
      {"{", "invalid_json "},
      {"{} {}", "invalid_json "},
      {"\xEF\xBB\xBF{}", "invalid_json "},
      {R"({"command":"add_protein","command":"add_protein","data":{}})", "invalid_json "},
      {R"({"command":"add_protein","data":{"name":"a","name":"b"}})", "invalid_json "},
      {"{\"command\":\"\xff\"}", "invalid_text "},
      {std::string("{}\0", 3), "invalid_text "},
      {"[]", "invalid_type "},
      {"null", "invalid_type "},
      {R"({})", "missing_field command"},
      {R"({"command":null})", "invalid_type command"},
      {R"({"command":"add_proteins","data":{"name":"a"}})", "unknown_command command"},
      {R"({"command":"add_protein"})", "missing_field data"},
      {R"({"command":"add_protein","data":null})", "invalid_type data"},
      {R"({"command":"add_protein","data":[]})", "invalid_type data"},
      {line("add_protein", kGood, R"(,"id":"x")"), "invalid_type id"},
      {line("add_protein", kGood, R"(,"id":"00000000-0000-0000-0000-000000000000")"),
       "invalid_type id"},
      {line("add_protein", kGood, R"(,"id":7)"), "invalid_type id"},
      {line("add_protein", kGood, R"(,"causation_position":0)"), "invalid_type causation_position"},
      {line("add_protein", kGood, R"(,"at":"2026-01-31T09:30:00Z")"), "unknown_field at"},
      {line("add_protein", kGood, R"(,"when":1)"), "unknown_field when"}};
  for (const auto& [text, expected] : outcomes) EXPECT_EQ(outcome(parse(text)), expected) << text;
}

TEST(CommandLineTest, AtIsATimeWhereHistoryIsRecorded) {
  for (const std::string_view wrong :
       {"1", "null", R"("2026-01-31")", R"("2026-01-31T09:30:00")"}) {
    EXPECT_EQ(outcome(parse(line("add_protein", kGood, ",\"at\":" + std::string(wrong)), true)),
              "invalid_type at");
  }
}

TEST(CommandLineTest, EndsAtOneMebibyte) {
  const std::string good = line("add_protein", kGood);
  EXPECT_EQ(outcome(parse(good + std::string(kLineBytesMax - good.size(), ' '))), "accepted");
  EXPECT_EQ(outcome(parse(good + std::string(kLineBytesMax - good.size() + 1, ' '))), "too_large ");
}

TEST(CommandLineTest, TheFirstFailureAnswersInTheOrderOfTheContract) {
  // Each step mends the first fault of the one before.
  const std::vector<std::pair<std::string, std::string>> steps = {
      {R"({"command":"x","data":1,"id":1,"zzz":1})", "unknown_command command"},
      {R"({"command":"create_tenant","data":1,"id":1,"zzz":1})", "invalid_type data"},
      {line("create_tenant", R"({"q":1})", R"(,"zzz":1,"at":1,"id":1,"actor":1,"channel":1)"),
       "invalid_type id"},
      {line("create_tenant", R"({"q":1})", R"(,"zzz":1,"at":1,"actor":1,"channel":1)"),
       "invalid_type actor"},
      {line("create_tenant", R"({"q":1})", R"(,"zzz":1,"at":1,"channel":1)"),
       "invalid_type channel"},
      {line("create_tenant", R"({"q":1})", R"(,"zzz":1,"at":1)"), "unknown_field at"},
      {line("create_tenant", R"({"q":1})", R"(,"zzz":1)"), "unknown_field zzz"},
      {line("create_tenant", R"({"id":1,"q":1})"), "unknown_field q"},
      {line("create_tenant", R"({"id":1,"contact_email":1})"), "missing_field name"},
      {line("create_tenant", R"({"contact_email":1,"slug":"a b","name":"a","id":1})"),
       "invalid_type id"},
      {line("create_tenant", R"({"contact_email":1,"slug":"a b","name":"a"})"),
       "invalid_slug slug"},
      {line("create_tenant", R"({"contact_email":1,"slug":"ab","name":"a"})"),
       "invalid_type contact_email"}};
  for (const auto& [text, expected] : steps) EXPECT_EQ(outcome(parse(text)), expected) << text;
}

TEST(CommandLineTest, WithinAFieldTypeThenTextThenLengthThenSyntax) {
  const auto slug = [](std::string value) {
    return outcome(parse(
        "create_tenant",
        Fields{{"name", R"("a")"}, {"contact_email", R"("a@b.c")"}, {"slug", std::move(value)}}));
  };
  EXPECT_EQ(slug("[" + json_text(repeat(" ", 101)) + "]"), "invalid_type slug");
  EXPECT_EQ(slug("\"" + repeat(" ", 101) + "\\u0000\""), "invalid_text slug");
  EXPECT_EQ(slug(json_text(repeat(" ", 101))), "too_long slug");
  EXPECT_EQ(slug(json_text(repeat(" ", 100))), "invalid_slug slug");
}

TEST(CommandLineTest, InvalidIsWhatIsNoWellFormedCommand) {
  const std::map<std::string, bool> lines = {
      {R"({"command":"x","data":{}})", true},
      {line("add_protein", R"({"name":"a","x":1})"), true},
      {line("add_protein", "{}"), true},
      {line("add_protein", R"({"name":1})"), true},
      {line("add_protein", R"({"name":")" + repeat("a", 51) + R"("})"), true},
      {line("add_protein", R"({"name":"\u0000"})"), true},
      {std::string(kLineBytesMax + 1, ' '), true},
      {"{", true},
      {line("register_user", R"({"username":"a b"})"), false},
      {line("register_user", R"({"username":"a","email":"x"})"), false},
      {line("register_user", R"({"username":"a","password":"x"})"), false},
      {line("remove_domain", R"({"domain":"-"})"), false}};
  for (const auto& [text, invalid] : lines) {
    const Parsed parsed = parse(text);
    ASSERT_TRUE(std::holds_alternative<Refusal>(parsed)) << text;
    EXPECT_EQ(std::get<Refusal>(parsed).invalid, invalid) << outcome(parsed);
  }
}

// --- Messages -----------------------------------------------------------------------------------

TEST(CommandLineTest, AnUnknownCommandIsToldOfItsNeighbours) {
  EXPECT_THAT(message(parse(R"({"command":"creat_tenant"})")),
              HasSubstr("did you mean create_tenant"));
  EXPECT_THAT(message(parse(R"({"command":"zzzzzzzzzzzz"})")), Not(HasSubstr("did you mean")));
}

TEST(CommandLineTest, InvalidJsonIsToldWhere) {
  EXPECT_THAT(message(parse(R"({"command":"add_protein",})")), HasSubstr("at byte 25"));
}

TEST(CommandLineTest, NoMessageRepeatsASecretOrPrintsControls) {
  const std::string secret = "hunter2-hunter2";
  EXPECT_THAT(
      message(parse("register_user", {{"username", R"("a")"}, {"password", json_text(secret)}})),
      Not(HasSubstr(secret)));
  Fields invitation = required_fields(*find_command("invite"));
  invitation["token"] = json_text(secret);
  EXPECT_THAT(message(parse("invite", invitation)), Not(HasSubstr(secret)));
  EXPECT_THAT(message(parse("delete_invitation", {{"invitation", json_text(repeat(secret, 9))}})),
              Not(HasSubstr(secret)));

  const Parsed unknown = parse(line("add_protein", R"({"\u001b[31mred":1})"));
  EXPECT_THAT(message(unknown), Not(HasSubstr("\x1b")));
  EXPECT_THAT(std::get<Refusal>(unknown).field, Not(HasSubstr("\x1b")));
  EXPECT_THAT(message(parse("add_protein", {{repeat("k", 61), "1"}})),
              Not(HasSubstr(repeat("k", 61))));
}

// --- Laws ---------------------------------------------------------------------------------------

std::vector<std::string> sample_lines() {
  std::vector<std::string> lines;
  for_each_field([&](const CommandInfo& command, const CommandField& field) {
    lines.push_back(line(command.name, object(fields_with(command, field, good_value(field))),
                         R"(,"actor":"user:1","expected_version":"none")"));
  });
  return lines;
}

std::string mutated(std::string text, std::mt19937_64& random) {
  static const std::vector<std::string> parts = {"\"",        "{",
                                                 "}",         "[",
                                                 "]",         ",",
                                                 ":",         "null",
                                                 "true",      "-1",
                                                 "1e9",       "\\u0000",
                                                 "\\ud800",   "\\u0001",
                                                 "\\",        "\xc3",
                                                 "é",         "\"id\":",
                                                 "\"data\":", " ",
                                                 "0",         "99999999999999999999"};
  const auto below = [&](std::size_t bound) { return static_cast<std::size_t>(random() % bound); };
  for (std::size_t changes = 1 + below(4); changes > 0; --changes) {
    const std::size_t at = below(text.size() + 1);
    switch (below(3)) {
      case 0:
        text.insert(at, parts[below(parts.size())]);
        break;
      case 1:
        text.erase(at, 1 + below(8));
        break;
      default:
        if (at < text.size()) text[at] = static_cast<char>(random() & 0xffU);
    }
  }
  return text;
}

TEST(CommandLineTest, AnyMutationGivesCanonicalBytesOrARefusalWithCodeAndMessage) {
  constexpr std::uint64_t kSeed = 20260131;
  std::mt19937_64 random(kSeed);
  const std::vector<std::string> samples = sample_lines();
  std::size_t accepted_count = 0;
  constexpr std::size_t kRounds = 40000;
  for (std::size_t round = 0; round < kRounds; ++round) {
    const std::string text = mutated(samples[random() % samples.size()], random);
    SCOPED_TRACE("seed " + std::to_string(kSeed) + ", round " + std::to_string(round));
    const Parsed parsed = parse(text, (round & 1U) != 0);
    if (const auto* refusal = std::get_if<Refusal>(&parsed)) {
      ASSERT_FALSE(refusal->code.empty()) << text;
      ASSERT_FALSE(refusal->message.empty()) << text;
      ASSERT_TRUE(is_storable_text(refusal->message)) << text;
      ASSERT_TRUE(is_storable_text(refusal->field)) << text;
      continue;
    }
    ++accepted_count;
    const std::string& command = std::get<CommandRequest>(parsed).command;
    ASSERT_NO_THROW(MessageView{command}) << text;  // Refuses what is not canonical.
  }
  EXPECT_GT(accepted_count, kRounds / 100);
  EXPECT_LT(accepted_count, kRounds);
}

}  // namespace
}  // namespace tenantry::events
