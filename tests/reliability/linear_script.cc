#include "tests/reliability/linear_script.h"

#include <array>
#include <iterator>

#include <fmt/format.h>

namespace tenantry {
namespace {

constexpr std::array kUsers = {"u0", "u1", "u2", "u3", "u4"};
constexpr std::array kEmails = {"e0@x.io", "E0@x.io", "e1@x.io", "e2@x.io"};
constexpr std::array kSlugs = {"s0", "s1", "s2"};
constexpr std::array kHosts = {"s0.io", "s1.io", "h0.io", "h1.io"};
constexpr std::array kTokens = {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
                                "cccccccccccccccccccccccccccccc", "dddddddddddddddddddddddddddddd"};
constexpr std::array kProteins = {"p0", "p1", "p2"};
constexpr std::array kRoles = {"owner", "owner", "admin", "user"};
// Shared commands of a history: few enough that two threads often send one at once.
constexpr unsigned kShared = 24;

// A command drawn from few names; `mark` is eight hexadecimal digits of its own.
class Draw {
 public:
  Draw(std::mt19937& random, std::string mark) : random_(random), mark_(std::move(mark)) {}

  // `"name","data":{…}`
  std::string command() {
    switch (below(4)) {
      case 0:
        return of_user();
      case 1:
        return of_tenant();
      case 2:
        return of_domain_or_protein();
      default:
        return of_member();
    }
  }

 private:
  std::size_t below(std::size_t end) { return random_() % end; }
  template <class Names>
  std::string pick(const Names& names) {
    return names[below(std::size(names))];
  }
  std::string flag() { return below(2) == 0 ? "true" : "false"; }
  std::string uuid() const { return fmt::format("{}-0000-4000-8000-000000000000", mark_); }

  std::string of_user() {
    switch (below(8)) {
      case 0:
        return fmt::format(R"("delete_user","data":{{"user":"{}","force":{}}})", pick(kUsers),
                           flag());
      case 1:
      case 2:
      case 3:
        return fmt::format(
            R"("change_user_profile","data":{{"user":"{}","username":"{}","first_name":"{}"}})",
            pick(kUsers), pick(kUsers), mark_);
      default:
        return fmt::format(
            R"("register_user","data":{{"username":"{}","email":"{}","first_name":"{}"}})",
            pick(kUsers), pick(kEmails), mark_);
    }
  }

  std::string new_tenant() {
    std::string more;
    if (below(2) == 0) more += fmt::format(R"(,"owner":"{}")", pick(kUsers));
    if (below(2) == 0) more += fmt::format(R"(,"domain":"{}")", pick(kHosts));
    return fmt::format(R"("create_tenant","data":{{"id":"{}","name":"{}","slug":"{}",)"
                       R"("contact_email":"a@a.io"{}}})",
                       uuid(), mark_, pick(kSlugs), more);
  }

  std::string of_tenant() {
    const std::string slug = pick(kSlugs);
    switch (below(16)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return fmt::format(R"("change_tenant","data":{{"tenant":"{}","name":"{}","slug":"{}"}})",
                           slug, mark_, pick(kSlugs));
      case 4:
        return fmt::format(R"("delete_tenant","data":{{"tenant":"{}","confirm":"{}"}})", slug,
                           slug);
      case 5:
      case 6:
        return fmt::format(R"("deactivate_tenant","data":{{"tenant":"{}"}})", slug);
      case 7:
      case 8:
      case 9:
        return fmt::format(R"("activate_tenant","data":{{"tenant":"{}"}})", slug);
      default:
        return new_tenant();
    }
  }

  std::string of_domain_or_protein() {
    switch (below(8)) {
      case 0:
      case 1:
        return fmt::format(R"("add_domain","data":{{"tenant":"{}","domain":"{}","is_primary":{}}})",
                           pick(kSlugs), pick(kHosts), flag());
      case 2:
        return fmt::format(R"("remove_domain","data":{{"domain":"{}"}})", pick(kHosts));
      case 3:
        return fmt::format(R"("set_primary_domain","data":{{"domain":"{}"}})", pick(kHosts));
      case 4:
        return fmt::format(
            R"("move_domain","data":{{"domain":"{}","from_tenant":"{}","to_tenant":"{}"}})",
            pick(kHosts), pick(kSlugs), pick(kSlugs));
      case 5:
        return fmt::format(R"("rename_protein","data":{{"protein":"{}","name":"{}"}})",
                           pick(kProteins), pick(kProteins));
      default:
        return fmt::format(R"("add_protein","data":{{"name":"{}"}})", pick(kProteins));
    }
  }

  std::string of_member() {
    const std::string member =
        fmt::format(R"("tenant":"{}","user":"{}")", pick(kSlugs), pick(kUsers));
    switch (below(9)) {
      case 0:
      case 1:
        return fmt::format(R"("add_member","data":{{{},"role":"{}"}})", member, pick(kRoles));
      case 2:
        return fmt::format(R"("change_member_role","data":{{{},"role":"{}"}})", member,
                           pick(kRoles));
      case 3:
        return fmt::format(R"("deactivate_member","data":{{{}}})", member);
      case 4:
        return fmt::format(R"("remove_member","data":{{{}}})", member);
      case 5:
      case 6:
        return fmt::format(R"("invite","data":{{"id":"{}","tenant":"{}","email":"{}","token":"{}",)"
                           R"("message":"{}"}})",
                           uuid(), pick(kSlugs), pick(kEmails), pick(kTokens), mark_);
      case 7:
        return fmt::format(
            R"("accept_invitation","data":{{"invitation":"{}","user":"{}","any_email":{}}})",
            pick(kTokens), pick(kUsers), flag());
      default:
        return fmt::format(R"("revoke_invitation","data":{{"invitation":"{}"}})", pick(kTokens));
    }
  }

  std::mt19937& random_;
  const std::string mark_;
};

std::string line_of(const std::string& command, const std::string& id) {
  if (id.empty()) return fmt::format(R"({{"command":{}}})", command);
  return fmt::format(R"({{"command":{},"id":"{}-0000-4000-8000-000000000001"}})", command, id);
}

}  // namespace

LinearScript::LinearScript(unsigned seed, unsigned thread)
    : seed_(seed), thread_(thread), random_(seed * 64 + thread) {}

std::string LinearScript::own_mark() {
  return fmt::format("{:02x}{:06x}", thread_ + 1, commands_++);
}

std::string LinearScript::own_line() {
  const std::string mark = own_mark();
  const bool has_id = random_() % 3 == 0;
  return line_of(Draw(random_, mark).command(), has_id ? mark : std::string());
}

std::string LinearScript::shared_line() {
  const auto number = static_cast<unsigned>(random_() % kShared);
  const std::string mark = fmt::format("ff{:06x}", number);
  if (random_() % 8 == 0) return line_of(Draw(random_, own_mark()).command(), mark);
  std::mt19937 same(seed_ * 64 + 63 - number * 7919);
  return line_of(Draw(same, mark).command(), mark);
}

ScriptedCall LinearScript::call() {
  using Kind = ScriptedCall::Kind;
  ScriptedCall call;
  switch (random_() % 20) {
    case 0:
    case 1:
      call.kind = Kind::kResolveHost;
      call.name = kHosts.at(random_() % kHosts.size());
      return call;
    case 2:
      call.kind = Kind::kResolveUser;
      call.name = kUsers.at(random_() % kUsers.size());
      return call;
    case 3:
      call.kind = Kind::kReadState;
      return call;
    case 4:
      return call;
    default:
      break;
  }
  call.kind = random_() % 3 == 0 ? Kind::kSubmitLater : Kind::kSubmit;
  const std::size_t lines = random_() % 6 == 0 ? 1 + random_() % 4 : 1;
  for (std::size_t line = 0; line < lines; ++line)
    call.lines.push_back(random_() % 4 == 0 ? shared_line() : own_line());
  return call;
}

std::vector<ScriptedCall> LinearScript::calls(std::size_t count) {
  std::vector<ScriptedCall> calls;
  calls.reserve(count);
  while (calls.size() < count) calls.push_back(call());
  return calls;
}

}  // namespace tenantry
