#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/error.h"
#include "events/commands.h"
#include "events/encoding.h"
#include "events/rows.capnp.h"
#include "tools/command.h"
#include "tools/near_matches.h"
#include "tools/references.h"

namespace tenantry::tools {
namespace {

using events::EntityKind;
using events::Uuid;

struct MembersOptions {
  std::string tenant;
  std::string user;
  std::string role;
  std::string as_of;
};

const std::vector<Column>& member_columns() {
  static const std::vector<Column> columns = {{"tenant"},        {"user"},
                                              {"email"},         {"role"},
                                              {"is_active"},     {"user_is_active"},
                                              {"is_staff"},      {"is_superuser"},
                                              {"since"},         {"given_by"},
                                              {"kind", true},    {"position", true},
                                              {"reason", true},  {"tenant_id", true},
                                              {"user_id", true}, {"member_id", true}};
  return columns;
}

std::string to_string(capnp::Text::Reader text) { return {text.cStr(), text.size()}; }

// The event that gave a membership the access that it has: by which it was made, brought back or
// given its role. At position 0 where that was discarded.
struct Grant {
  Position position;
  events::Timestamp at;
  std::string kind;
  std::string actor;
  std::string reason;
  bool imported = false;  // Who gave it, and when, is not known.
};

bool grants_access(const events::EventView& view) {
  using Which = events::Event::Which;
  const auto number = view.kind().number;
  for (const Which which : {Which::MEMBER_ADDED, Which::MEMBER_REACTIVATED,
                            Which::MEMBER_ROLE_CHANGED, Which::MEMBER_IMPORTED}) {
    if (number == static_cast<std::uint32_t>(which) + 1) return true;
  }
  return false;
}

// The access list of a state: by tenant, then by user.
class AccessList {
 public:
  AccessList(Session& session, const StateView& state, Position through)
      : session_(session),
        state_(state),
        through_(through),
        printer_(session.out(), session.printing(), member_columns()) {}

  void print(const std::optional<Uuid>& tenant, const std::optional<std::int64_t>& user,
             const std::string& role) {
    for (const auto& [slug, id] : tenants(tenant, user)) {
      for (const auto& [username, line] : members(id, slug, user, role)) {
        session_.interrupt().check();
        printer_.row(line);
      }
    }
    printer_.finish();
    if (imported_) session_.remark("some were imported: what was before is not known");
    if (discarded_) {
      session_.remark(
          "a squash has discarded the events that tell since when, and by whom, of some "
          "(`tenantry squashes`)");
    }
  }

 private:
  using Lines = std::vector<std::pair<std::string, std::vector<Cell>>>;

  [[nodiscard]] static const events::TableInfo& member_table() {
    return events::table_of(EntityKind::MEMBER);
  }

  // Slugs and ids, sorted; of one user: those that the user is a member of.
  [[nodiscard]] std::vector<std::pair<std::string, Uuid>> tenants(
      const std::optional<Uuid>& tenant, const std::optional<std::int64_t>& user) const {
    const events::TableInfo& table = events::table_of(EntityKind::TENANT);
    std::vector<std::pair<std::string, Uuid>> found;
    const auto add = [&](const StoredRow& row) {
      events::OwnedRow<events::TenantRow> read(row.bytes);
      found.emplace_back(to_string(read.read().getSlug()), row.key.id);
      return true;
    };
    if (user) {
      state_.scan_lookup(member_table(), lookup_on(member_table(), "user_id"), *user, *user,
                         [&](const RowKey& member) {
                           if (tenant && *tenant != member.tenant) return true;
                           const auto row = state_.row_by_id(table, member.tenant);
                           return !row || add(*row);
                         });
    } else {
      state_.scan_rows(table, tenant, add);
    }
    std::ranges::sort(found);
    return found;
  }

  [[nodiscard]] Lines members(const Uuid& tenant, const std::string& slug,
                              const std::optional<std::int64_t>& user, const std::string& role) {
    Lines lines;
    state_.scan_rows(member_table(), tenant, [&](const StoredRow& stored) {
      events::OwnedRow<events::MemberRow> owned(stored.bytes);
      const auto member = owned.read();
      const bool wanted = (!user || member.getUserId() == *user) &&
                          (role.empty() || member.getRole() == role.c_str());
      if (wanted) lines.push_back(line_of(stored, member, slug));
      return true;
    });
    std::ranges::sort(lines, {}, &Lines::value_type::first);
    return lines;
  }

  [[nodiscard]] Lines::value_type line_of(const StoredRow& stored, events::MemberRow::Reader member,
                                          const std::string& slug) {
    const auto row = state_.row_by_id(events::table_of(EntityKind::USER),
                                      events::entity_key(std::int64_t{member.getUserId()}));
    const Grant grant = find_grant(stored.key.id);
    const bool is_known = grant.position.value > 0;
    imported_ = imported_ || grant.imported;
    discarded_ = discarded_ || !is_known;
    std::vector<Cell> cells = {slug,
                               events::Null{},
                               events::Null{},
                               to_string(member.getRole()),
                               member.getIsActive(),
                               events::Null{},
                               events::Null{},
                               events::Null{},
                               is_known ? Cell(grant.at) : Cell(events::Null{}),
                               text_cell(grant.actor),
                               text_cell(grant.kind),
                               is_known ? number_cell(grant.position.value) : Cell(events::Null{}),
                               text_cell(grant.reason),
                               stored.key.tenant,
                               std::int64_t{member.getUserId()},
                               std::int64_t{member.getId()}};
    std::string username;
    if (row) {  // An imported member may be of a user who is not there.
      events::OwnedRow<events::UserRow> owned(row->bytes);
      const auto user = owned.read();
      username = to_string(user.getUsername());
      cells[1] = username;
      cells[2] = text_cell(to_string(user.getEmail()));
      cells[5] = user.getIsActive();
      cells[6] = user.getIsStaff();
      cells[7] = user.getIsSuperuser();
    }
    return {std::move(username), std::move(cells)};
  }

  [[nodiscard]] Grant find_grant(const Uuid& member) const {
    LogFilter filter;
    filter.stream = events::stream_id(member_table(), member);
    filter.through = through_;
    filter.reverse = true;
    Grant grant;
    session_.store().read_log(filter, [&](const StoredEvent& event) {
      events::EventView view = view_of(event);
      if (!grants_access(view)) return true;
      const auto facts = view.event();
      grant = {event.position,
               event.recorded_at,
               view.kind().name,
               to_string(facts.getActor()),
               to_string(facts.getReason()),
               view.kind().imported};
      return false;
    });
    return grant;
  }

  Session& session_;
  const StateView& state_;
  Position through_;
  Printer printer_;
  bool imported_ = false;
  bool discarded_ = false;
};

class MembersCommand final : public Command {
 public:
  [[nodiscard]] std::string_view name() const override { return "members"; }
  [[nodiscard]] std::string_view help() const override {
    return "The access list: who is a member of what, in which role, since when, given by whom.\n"
           "- since and given_by tell the event that made the membership, brought it back or gave "
           "it its role, whichever came last";
  }
  [[nodiscard]] std::string_view examples() const override {
    return "tenantry members --tenant acme\n"
           "tenantry members --user ann --as-of 30d\n"
           "tenantry members --role owner -o csv --fields tenant,user,email,since,given_by\n"
           "tenantry members --as-of 2026-01-31";
  }
  void declare(CLI::App& app) override {
    app.add_option("--tenant", options_.tenant,
                   "of this tenant: a slug, also a former one, or a UUID")
        ->type_name("TENANT");
    app.add_option("--user", options_.user, "of this user: a username, also a former one, or id:N")
        ->type_name("USER");
    app.add_option("--role", options_.role, fmt::format("{}", fmt::join(events::roles(), ", ")))
        ->type_name("ROLE");
    app.add_option("--as-of", options_.as_of, "at a position, time or age")->type_name("POINT");
  }

  [[nodiscard]] ExitCode run(Session& session) override {
    check_role();
    const TenancyStore& store = session.store();
    std::optional<Uuid> tenant;
    std::optional<std::int64_t> user;
    if (!options_.tenant.empty()) tenant = find_tenant(store, options_.tenant);
    if (!options_.user.empty()) user = find_user(store, options_.user);
    const RowsAt at = session.rows_at(options_.as_of, tenant);
    AccessList(session, *at.rows, at.tail.tail).print(tenant, user, options_.role);
    return ExitCode::kDone;
  }

 private:
  void check_role() const {
    const std::vector<std::string>& roles = events::roles();
    if (options_.role.empty() || std::ranges::find(roles, options_.role) != roles.end()) return;
    throw UsageError("unknown_role", "there is no role \"" + options_.role + "\"",
                     fmt::format("the roles: {}", fmt::join(roles, ", ")));
  }

  MembersOptions options_;
};

}  // namespace

std::unique_ptr<Command> make_members_command() { return std::make_unique<MembersCommand>(); }

}  // namespace tenantry::tools
