#include "tests/reliability/colliding_commands.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <stdexcept>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace tenantry {
namespace {

using events::CommandField;
using events::CommandInfo;
using events::FieldType;
using events::Syntax;

constexpr std::array kUsers = {"ann", "ben", "acme", "Ann"};
constexpr std::array kEmails = {"x@a.io", "X@a.io", "y@b.io", "z@localhost"};
constexpr std::array kSlugs = {"acme", "bolt", "a-b", "Acme", "a_b"};
constexpr std::array kHosts = {"acme.io", "b.io", "acme", "B.io"};
constexpr std::array kTokens = {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
                                "cccccccccccccccccccccccccccccc"};
// Ids of tenants and invitations alike.
constexpr std::array kUuids = {
    "5f0c1d2e-0000-4000-8000-00000000000a", "5f0c1d2e-0000-4000-8000-00000000000b",
    "5f0c1d2e-0000-4000-8000-00000000000c", "5F0C1D2E-0000-4000-8000-00000000000D"};
constexpr std::array kCommandIds = {"c0000000-0000-4000-8000-00000000000a",
                                    "c0000000-0000-4000-8000-00000000000b",
                                    "c0000000-0000-4000-8000-00000000000c"};
constexpr std::array kNames = {"acme", "Beef", "beef", "Pork", "Ä"};
constexpr std::array kDocuments = {
    R"({})", R"({"theme":{"primaryColor":"#aabbcc"},"n":1.10})", R"({"n":null,"é":[1]})",
    R"({"theme":{"color":null,"x":1},"list":[{}]})", R"({"theme":{"primary_color":"blue"}})"};
constexpr std::array kLists = {"[]", R"(["a",{"b":1e3}])"};
constexpr std::array kPasswords = {"md5$1", "pbkdf2_sha256$1$s$h", "!", "!x"};
constexpr std::array kLogos = {"a.png", "b.png"};
constexpr std::array kThemes = {"light", "dark", "auto"};
constexpr std::array kFounders = {"register_user", "register_user", "register_user",
                                  "create_tenant", "create_tenant", "add_domain",
                                  "add_member",    "invite",        "add_protein"};
constexpr std::array kActors = {"user:1", "user:2", "system:deploy"};

// Lines are about one of so many topics, and mostly take the names that stand there in the lists:
// what belongs together meets more often than chance would have it.
constexpr std::size_t kTopics = 3;

// How often a command is drawn, for those that are not drawn as often as most: rows must live for
// a while.
std::size_t weight_of(const CommandInfo& info) {
  static const std::map<std::string_view, std::size_t> kWeights = {
      {"register_user", 40},      {"create_tenant", 40},   {"add_domain", 20},
      {"add_member", 40},         {"invite", 40},          {"accept_invitation", 45},
      {"delete_user", 3},         {"delete_tenant", 5},    {"merge_users", 5},
      {"expire_invitations", 4},  {"start_trial", 15},     {"extend_trial", 15},
      {"change_member_role", 15}, {"set_preferences", 15}, {"deactivate_member", 25},
      {"reactivate_member", 40},  {"move_domain", 20},     {"activate_domain", 12}};
  constexpr std::size_t kUsual = 8;
  const auto found = kWeights.find(info.name);
  return found == kWeights.end() ? kUsual : found->second;
}

// Larger than any may be.
std::string large_document() {
  return fmt::format(R"({{"z":"{}"}})", std::string(events::kTextBytesMax, 'z'));
}

// A text that the syntax does not allow; without a syntax one that is too long.
std::string broken(Syntax syntax) {
  switch (syntax) {
    case Syntax::USERNAME:
    case Syntax::SLUG:
      return "a b";
    case Syntax::EMAIL:
      return "x@a";
    case Syntax::HOST:
      return "a..b";
    case Syntax::ROLE:
    case Syntax::THEME:
    case Syntax::PASSWORD_HASH:
    case Syntax::TOKEN:
      return "short";
    default:
      return std::string(300, 'x');
  }
}

std::string quoted(std::string_view text) { return fmt::format("\"{}\"", text); }

}  // namespace

std::int64_t CollidingCommands::pause_seconds() {
  return static_cast<std::int64_t>(one_in(10) ? below(60) : below(3)) * 3600;
}

const CommandInfo& CollidingCommands::command() {
  constexpr std::size_t kFounding = 30;  // Lines at first, most of which make something new.
  static const std::vector<std::size_t> kDrawn = [] {
    std::vector<std::size_t> drawn;
    for (std::size_t place = 0; place < events::commands().size(); ++place)
      drawn.insert(drawn.end(), weight_of(events::commands()[place]), place);
    return drawn;
  }();
  if (lines_ < kFounding && !one_in(5)) return *events::find_command(pick(kFounders));
  return events::commands()[kDrawn[below(kDrawn.size())]];
}

std::string CollidingCommands::next_line(events::Timestamp now) {
  constexpr std::size_t kSentMax = 20;
  now_ = now;
  ++lines_;
  if (one_in(60)) return wrong_line();
  if (!sent_.empty() && one_in(40)) return sent_[below(sent_.size())];
  topic_ = below(kTopics);
  const CommandInfo& info = command();
  const std::string given = fields(info);
  std::string line =
      fmt::format(R"({{"command":"{}","data":{{{}}}{}}})", info.name, given, circumstances());
  if (line.find(R"(,"id":)") == std::string::npos) return line;
  if (sent_.size() < kSentMax) {
    sent_.push_back(line);
  } else {
    sent_[below(kSentMax)] = line;
  }
  return line;
}

std::string CollidingCommands::circumstances() {
  std::string out;
  if (one_in(2)) out += fmt::format(R"(,"actor":"{}")", pick(kActors));
  if (one_in(15)) out += fmt::format(R"(,"id":"{}")", pick(kCommandIds));
  if (one_in(25)) out += fmt::format(R"(,"expected_version":{})", 1 + below(4));
  if (one_in(60)) out += R"(,"expected_version_of":1)";
  if (one_in(60)) out += fmt::format(R"(,"causation_position":{})", 1 + below(9));
  if (one_in(60)) out += fmt::format(R"(,"channel":"{}")", std::string(49 + below(3), 'c'));
  if (one_in(50)) out += fmt::format(R"(,"at":{})", time());
  return out;
}

bool CollidingCommands::gives(const CommandInfo& info, std::size_t place, std::size_t alternative) {
  const auto& alternatives = info.exactly_one_of;
  if (std::ranges::find(alternatives, place) != alternatives.end())
    return place == alternative || one_in(80);
  const CommandField& field = info.fields[place];
  if (field.required) return !one_in(200);
  // What ends most commands, being taken or not there, or takes a row's name from it.
  const bool risky = field.type == FieldType::kInteger || field.type == FieldType::kUser ||
                     field.type == FieldType::kNullableUser || field.syntax == Syntax::USERNAME ||
                     field.syntax == Syntax::SLUG;
  const bool one_of_two = info.name == "accept_invitation";
  return risky && !one_of_two ? one_in(8) : one_in(2);
}

std::string CollidingCommands::fields(const CommandInfo& info) {
  std::vector<std::string> given;
  const auto& alternatives = info.exactly_one_of;
  const std::size_t alternative =
      alternatives.empty() ? 0 : alternatives[below(alternatives.size())];
  for (std::size_t place = 0; place < info.fields.size(); ++place) {
    if (!gives(info, place, alternative)) continue;
    const CommandField& field = info.fields[place];
    given.push_back(
        fmt::format(R"("{}":{})", field.name, one_in(150) ? wrong_value() : value(info, field)));
  }
  if (one_in(200)) given.emplace_back(R"("colour":"red")");
  return fmt::format("{}", fmt::join(given, ","));
}

std::string CollidingCommands::user() {
  if (one_in(5)) return std::to_string(1 + below(4));
  return quoted(one_in(4) ? pick(kUsers) : kUsers.at(topic_ + below(2)));
}

std::string CollidingCommands::tenant() {
  if (one_in(8)) return quoted(pick(kUuids));
  return quoted(near(kSlugs));
}

// Around now.
std::string CollidingCommands::time() {
  const auto hours = static_cast<std::int64_t>(below(800)) - 80;
  return quoted(events::format_timestamp({now_.micros + hours * 3'600'000'000}));
}

std::string CollidingCommands::value(const CommandInfo& info, const CommandField& field) {
  switch (field.type) {
    case FieldType::kNullableText:
      return one_in(4) ? "null" : text(info, field);
    case FieldType::kBoolean:
      return one_in(2) ? "true" : "false";
    case FieldType::kInteger:
      return std::to_string(1 + below(9));
    case FieldType::kTime:
      return time();
    case FieldType::kNullableTime:
      return one_in(4) ? "null" : time();
    case FieldType::kUuid:
      return quoted(pick(kUuids));
    case FieldType::kJsonObject:
      return one_in(80) ? large_document() : pick(kDocuments);
    case FieldType::kJsonArray:
      return pick(kLists);
    case FieldType::kUser:
      return user();
    case FieldType::kNullableUser:
      return one_in(6) ? "null" : user();
    case FieldType::kTenant:
      return tenant();
    case FieldType::kDomain:
      return quoted(near(kHosts));
    case FieldType::kInvitation:
      return quoted(one_in(8) ? pick(kUuids) : near(kTokens));
    case FieldType::kProtein:
      return one_in(4) ? std::to_string(1 + below(6)) : quoted(pick(kNames));
    case FieldType::kNewUser:
      return fmt::format("{{{}}}", fields(events::command_info(events::Command::REGISTER_USER)));
    default:
      return text(info, field);
  }
}

std::string CollidingCommands::text(const CommandInfo& info, const CommandField& field) {
  if (one_in(60)) return quoted(broken(field.syntax));
  if (field.syntax == Syntax::SLUG && one_in(25)) return quoted(std::string(70, 's'));
  if (field.syntax == Syntax::THEME && one_in(20)) return quoted(broken(field.syntax));
  if (field.syntax != Syntax::FREE) return quoted(name_of(field.syntax));
  if (field.name == "confirm") return quoted(near(kSlugs));
  return quoted(free_text(info.name == "create_tenant" ? "" : field.name));
}

std::string CollidingCommands::name_of(Syntax syntax) {
  switch (syntax) {
    case Syntax::USERNAME:
      return pick(kUsers);
    case Syntax::EMAIL:
      return near(kEmails);
    case Syntax::SLUG:
      return near(kSlugs);
    case Syntax::HOST:
      return near(kHosts);
    case Syntax::ROLE:
      return pick(events::roles());
    case Syntax::THEME:
      return pick(kThemes);
    case Syntax::PASSWORD_HASH:
      return pick(kPasswords);
    case Syntax::TOKEN:
      return near(kTokens);
    default:
      throw std::logic_error("a syntax without names");
  }
}

std::string CollidingCommands::free_text(std::string_view field) {
  if (field == "logo") return pick(kLogos);
  if (field == "contact_phone") return std::to_string(below(3));
  return pick(kNames);
}

// What no field, or hardly one, can hold.
std::string CollidingCommands::wrong_value() {
  static const std::array kWrong = {std::string("[1]"),   std::string(R"("a\u0000b")"),
                                    std::string("1.5"),   std::string(R"("\ud800")"),
                                    std::string(R"("")"), quoted(std::string(300, 'y')),
                                    std::string("true"),  std::string("{}"),
                                    std::string("-7")};
  if (one_in(6)) return R"({"n":1e1000})";
  return kWrong[below(kWrong.size())];
}

std::string CollidingCommands::wrong_line() {
  switch (below(8)) {
    case 0:
      return R"({"command":"craete_tenant","data":{}})";
    case 1:
      return R"({"command":"add_protein"})";
    case 2:
      return R"({"data":{"name":"Beef"}})";
    case 3:
      return R"({"command":"add_protein","data":{"name":"Beef")";
    case 4:
      return "{\"command\":\"add_protein\",\"data\":{\"name\":\"\xff\"}}";
    case 5:
      return R"({"command":"add_protein","data":[]})";
    case 6:
      return R"({"command":"add_protein","data":{"name":"a","name":"b"}})";
    default:
      return "[]";
  }
}

}  // namespace tenantry
