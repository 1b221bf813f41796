#include "tests/core/random_history.h"

#include <array>
#include <map>
#include <stdexcept>

#include <fmt/format.h>

namespace tenantry {
namespace {

constexpr std::array kUsers = {"ann", "ben", "cem", "dora", "Ann"};
constexpr std::array kSlugs = {"acme", "bolt", "crux"};
constexpr std::array kHosts = {"a.io", "b.io", "c.io", "d.example.com"};
constexpr std::array kRoles = {"owner", "admin", "manager", "user", "readonly"};
constexpr std::array kNames = {"Beef", "Pork", "beef", "Lamb"};
constexpr std::array kEmails = {"x@a.io", "X@a.io", "y@b.io"};
constexpr std::array kTokens = {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
                                "cccccccccccccccccccccccccccccc"};
constexpr std::array kDocuments = {R"({})", R"({"theme":{"primaryColor":"#aabbcc"},"n":1.10})",
                                   R"({"n":null,"é":[1]})"};

}  // namespace

std::string RandomHistory::later(std::int64_t hours_max) {
  const auto hours =
      1 + static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(hours_max));
  return events::format_timestamp({now_.micros + hours * 3'600'000'000});
}

std::string RandomHistory::user_data(int choice) {
  switch (choice) {
    case 0:
    case 1:
      return fmt::format(R"("register_user","data":{{"username":"{}","email":"{}"}})", pick(kUsers),
                         pick(kEmails));
    case 2:
      return fmt::format(
          R"("change_user_profile","data":{{"user":"{}","username":"{}","last_name":"{}"}})",
          pick(kUsers), pick(kUsers), pick(kNames));
    case 3:
      return fmt::format(R"("change_user_password","data":{{"user":"{}","password":"md5${}"}})",
                         pick(kUsers), pick(kNames));
    case 4:
      return fmt::format(R"("set_user_flags","data":{{"user":"{}","is_staff":{},"is_active":{}}})",
                         pick(kUsers), flag(), flag());
    case 5:
      return fmt::format(R"("record_login","data":{{"user":"{}"}})", pick(kUsers));
    case 6:
      return fmt::format(R"("delete_user","data":{{"user":"{}","force":{}}})", pick(kUsers),
                         flag());
    case 7:
      return fmt::format(R"("merge_users","data":{{"user":"{}","into":"{}"}})", pick(kUsers),
                         pick(kUsers));
    case 8:
      return fmt::format(
          R"("set_preferences","data":{{"user":"{}","theme":"dark","dashboard_layout":{}}})",
          pick(kUsers), pick(kDocuments));
    default:
      return fmt::format(R"("delete_preferences","data":{{"user":"{}"}})", pick(kUsers));
  }
}

// NOLINTNEXTLINE(readability-function-size): a table, a command a line.
std::string RandomHistory::draw() {
  const std::string tenant = fmt::format(R"("tenant":"{}")", pick(kSlugs));
  const std::string member = fmt::format(R"({},"user":"{}")", tenant, pick(kUsers));
  const std::string host = fmt::format(R"("domain":"{}")", pick(kHosts));
  const std::string invitation = fmt::format(R"("invitation":"{}")", pick(kTokens));
  const int choice = static_cast<int>(random_() % 44);
  switch (choice) {
    case 10:
    case 11:
      return fmt::format(
          R"("create_tenant","data":{{"name":"T","slug":"{}","contact_email":"{}","settings":{}}})",
          pick(kSlugs), pick(kEmails), pick(kDocuments));
    case 12:
      return fmt::format(
          R"("change_tenant","data":{{{},"name":"{}","slug":"{}","contact_phone":"{}"}})", tenant,
          pick(kNames), pick(kSlugs), random_() % 3);
    case 13:
      return fmt::format(R"("change_tenant_settings","data":{{{},"merge":{}}})", tenant,
                         pick(kDocuments));
    case 14:
      return fmt::format(R"("start_trial","data":{{{},"ends_at":"{}"}})", tenant, later(500));
    case 15:
      return fmt::format(R"("extend_trial","data":{{{},"ends_at":"{}"}})", tenant, later(900));
    case 16:
      return fmt::format(R"("end_trial","data":{{{}}})", tenant);
    case 17:
      return fmt::format(R"("{}_tenant","data":{{{}}})",
                         random_() % 3 == 0 ? "deactivate" : "activate", tenant);
    case 18:
      return fmt::format(R"("delete_tenant","data":{{{},"confirm":"{}"}})", tenant, pick(kSlugs));
    case 19:
    case 20:
      return fmt::format(R"("add_domain","data":{{{},{},"is_primary":{}}})", tenant, host, flag());
    case 21:
      return fmt::format(R"("set_primary_domain","data":{{{}}})", host);
    case 22:
      return fmt::format(R"("{}_domain","data":{{{}}})",
                         flag() == "true" ? "activate" : "deactivate", host);
    case 23:
      return fmt::format(R"("remove_domain","data":{{{}}})", host);
    case 24:
      return fmt::format(R"("move_domain","data":{{{},"from_tenant":"{}","to_tenant":"{}"}})", host,
                         pick(kSlugs), pick(kSlugs));
    case 25:
    case 26:
    case 27:
      return fmt::format(R"("add_member","data":{{{},"role":"{}"}})", member, pick(kRoles));
    case 28:
      return fmt::format(R"("change_member_role","data":{{{},"role":"{}","force":{}}})", member,
                         pick(kRoles), flag());
    case 29:
      return fmt::format(R"("deactivate_member","data":{{{},"force":{}}})", member, flag());
    case 30:
      return fmt::format(R"("reactivate_member","data":{{{}}})", member);
    case 31:
      return fmt::format(R"("remove_member","data":{{{},"force":{}}})", member, flag());
    case 32:
    case 33:
    case 34:
      return fmt::format(R"("invite","data":{{{},"email":"{}","token":"{}","invited_by":"{}"}})",
                         tenant, pick(kEmails), pick(kTokens), pick(kUsers));
    case 35:
      return fmt::format(R"("extend_invitation","data":{{{}}})", invitation);
    case 36:
      return fmt::format(R"("revoke_invitation","data":{{{}}})", invitation);
    case 37:
      return fmt::format(R"("delete_invitation","data":{{{}}})", invitation);
    case 38:
    case 39:
      return fmt::format(R"("accept_invitation","data":{{{},"user":"{}","any_email":{}}})",
                         invitation, pick(kUsers), flag());
    case 40:
      return fmt::format(R"("accept_invitation","data":{{{},"new_user":{{"username":"{}"}}}})",
                         invitation, pick(kUsers));
    case 41:
      return R"("expire_invitations","data":{})";
    case 42:
      return fmt::format(R"("add_protein","data":{{"name":"{}"}})", pick(kNames));
    case 43:
      return flag() == "true"
                 ? fmt::format(R"("rename_protein","data":{{"protein":"{}","name":"{}"}})",
                               pick(kNames), pick(kNames))
                 : fmt::format(R"("remove_protein","data":{{"protein":"{}"}})", pick(kNames));
    default:
      return user_data(choice);
  }
}

std::vector<std::string> RandomHistory::opening_lines() {
  std::vector<std::string> commands;
  for (std::size_t n = 0; n < kUsers.size(); ++n) {
    commands.push_back(fmt::format(R"("register_user","data":{{"username":"{}","email":"{}"}})",
                                   kUsers[n], kEmails[n % kEmails.size()]));
  }
  for (std::size_t n = 0; n < kSlugs.size(); ++n) {
    const std::string tenant = fmt::format(R"("tenant":"{}")", kSlugs[n]);
    commands.push_back(
        fmt::format(R"("create_tenant","data":{{"name":"T","slug":"{}","contact_email":"{}"}})",
                    kSlugs[n], kEmails[n]));
    commands.push_back(fmt::format(R"("add_domain","data":{{{},"domain":"{}","is_primary":true}})",
                                   tenant, kHosts[n]));
    for (std::size_t user = 0; user < 3; ++user) {
      commands.push_back(fmt::format(R"("add_member","data":{{{},"user":"{}","role":"{}"}})",
                                     tenant, kUsers[(n + user) % kUsers.size()], kRoles[user]));
    }
    commands.push_back(fmt::format(R"("invite","data":{{{},"email":"{}","token":"{}"}})", tenant,
                                   kEmails[n], kTokens[n]));
  }
  commands.push_back(fmt::format(R"("add_protein","data":{{"name":"{}"}})", kNames[0]));
  commands.push_back(
      fmt::format(R"("set_preferences","data":{{"user":"{}","theme":"dark"}})", kUsers[0]));
  for (std::string& command : commands) command = fmt::format(R"({{"command":{}}})", command);
  return commands;
}

std::string RandomHistory::next_line() {
  now_.micros += static_cast<std::int64_t>(random_() % 41) * 3'600'000'000;
  return fmt::format(R"({{"command":{},"actor":"user:{}","at":"{}"}})", draw(), random_() % 3,
                     events::format_timestamp(now_));
}

std::vector<events::EncodedEvent> RandomHistory::next(const StateView& state) {
  while (true) {
    const std::string line = next_line();
    auto parsed = events::parse_command_line(line, {}, /*historic=*/true);
    if (const auto* refusal = std::get_if<events::Refusal>(&parsed)) {
      throw std::logic_error(line + ": " + refusal->message);
    }
    const auto& request = std::get<events::CommandRequest>(parsed);
    DecideOutcome outcome = decide(request.command, state, {request.circumstances, now_, ids_});
    const std::string name = line.substr(12, line.find('"', 12) - 12);
    if (const auto* refusal = std::get_if<events::Refusal>(&outcome)) {
      ++outcomes_[name + ": " + refusal->code];
      continue;
    }
    ++outcomes_[name + ": accepted"];
    return std::move(std::get<Decision>(outcome).events);
  }
}

}  // namespace tenantry
