#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tests/core/deciding_test_base.h"

namespace tenantry {

// Makes tenants and what belongs to them by commands, so that UUIDs count from #1 in their order.
class TenancyTestBase : public DecidingTestBase {
 protected:
  // create_tenant with what it needs besides a slug; `more` is the rest of `data` with its brace.
  [[nodiscard]] static std::string new_tenant(const std::string& more) {
    return "{'name':'Acme','contact_email':'a@a.io'," + more;
  }
  std::vector<std::string> create(const std::string& more, std::string_view beside = "") {
    return run("create_tenant", new_tenant(more), beside);
  }
  std::string create_refused(const std::string& more, std::string_view beside = "") {
    return refused("create_tenant", new_tenant(more), beside);
  }

  void tenant(const std::string& slug) { (void)create("'slug':'" + slug + "'}"); }
  void domain(const std::string& slug, const std::string& host, const std::string& more = "") {
    (void)run("add_domain", "{'tenant':'" + slug + "','domain':'" + host + "'" + more + "}");
  }
  void member(const std::string& slug, const std::string& user, const std::string& role) {
    (void)run("add_member",
              "{'tenant':'" + slug + "','user':'" + user + "','role':'" + role + "'}");
  }
  void deactivate(const std::string& slug, const std::string& user) {
    (void)run("deactivate_member", "{'tenant':'" + slug + "','user':'" + user + "','force':true}");
  }
  // Draws its id; the token is given: `token_for(email)`.
  void invitation(const std::string& slug, const std::string& email, const std::string& more = "") {
    (void)run("invite", "{'tenant':'" + slug + "','email':'" + email + "','token':'" +
                            token_for(email) + "'" + more + "}");
  }
  [[nodiscard]] static std::string token_for(const std::string& email) {
    std::string token;
    for (const char c : email) token += c == '@' || c == '.' ? '_' : c;
    token.resize(30, '-');
    return token;
  }
  [[nodiscard]] static std::string id(std::uint64_t number) {
    return events::format_uuid(uuid(number));
  }
};

}  // namespace tenantry
