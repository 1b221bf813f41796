#include "tools/log_filter.h"

#include <set>
#include <vector>

#include <CLI/CLI.hpp>

#include "core/error.h"
#include "events/kinds.h"
#include "tools/near_matches.h"
#include "tools/options.h"
#include "tools/points.h"
#include "tools/references.h"

namespace tenantry::tools {
namespace {

std::set<std::uint32_t> parse_kinds(const std::string& list) {
  std::set<std::uint32_t> numbers;
  for (const std::string& name : split_list(list)) {
    const events::KindInfo* const kind = events::find_kind(name);
    if (kind == nullptr) {
      std::vector<std::string> names;
      for (const events::KindInfo& known : events::kinds()) names.push_back(known.name);
      throw UsageError("unknown_kind", "there is no kind of event \"" + name + "\"",
                       did_you_mean(name, names));
    }
    numbers.insert(kind->number);
  }
  if (numbers.empty()) {
    throw UsageError("usage", "--kind names no kind of event",
                     "one or more of them: --kind MemberAdded,MemberRemoved");
  }
  return numbers;
}

}  // namespace

events::Scope parse_scope(const std::string& text) {
  if (const auto scope = events::find_scope(text)) return *scope;
  const std::string near = did_you_mean(text, {"system", "auth", "core", "tenants"});
  throw UsageError("unknown_scope", "there is no scope \"" + text + "\"",
                   near.empty() ? "system, auth, core or tenants" : near);
}

bool LogFilterOptions::filters() const {
  return !tenant.empty() || !user.empty() || !stream.empty() || !scope.empty() || kinds || actor ||
         channel || correlation || !after.empty() || !through.empty() || !grep.empty() || limit > 0;
}

void declare_log_filter(CLI::App& app, LogFilterOptions& options) {
  app.add_option("--tenant", options.tenant, "of this tenant: a slug, also a former one, or a UUID")
      ->type_name("TENANT");
  app.add_option("--user", options.user,
                 "about this user or naming it: a username, also a former one, or id:N")
      ->type_name("USER");
  app.add_option("--stream", options.stream, "of one entity")->type_name("KIND/ID");
  app.add_option("--scope", options.scope, "system, auth, core or tenants")->type_name("SCOPE");
  app.add_option("--kind", options.kinds, "of these kinds")->type_name("KIND,KIND");
  app.add_option("--actor", options.actor, "caused by")->type_name("TEXT");
  app.add_option("--channel", options.channel, "that came through")->type_name("TEXT");
  app.add_option("--correlation", options.correlation, "with this correlation id")
      ->type_name("TEXT");
  app.add_option("--after", options.after, "after a position, time or age")->type_name("POINT");
  app.add_option("--through", options.through, "up to a position, time or age")->type_name("POINT");
  app.add_option("--grep", options.grep, "whose JSON as printed contains the text")
      ->type_name("TEXT");
  add_count(app, "--limit", options.limit, "at most so many");
}

LogFilter make_log_filter(const TenancyStore& store, const LogFilterOptions& options,
                          events::Timestamp now) {
  LogFilter filter;
  if (!options.scope.empty()) filter.scope = parse_scope(options.scope);
  if (options.kinds) filter.kinds = parse_kinds(*options.kinds);
  if (!options.after.empty()) filter.after = parse_point(store, options.after, now);
  if (!options.through.empty()) filter.through = parse_point(store, options.through, now);
  if (!options.tenant.empty()) filter.tenant = find_tenant(store, options.tenant);
  if (!options.user.empty()) filter.user = find_user(store, options.user);
  if (!options.stream.empty()) {
    const EntityRef entity = find_entity(store, options.stream);
    filter.stream = events::stream_id(*entity.table, entity.key);
  }
  filter.actor = options.actor;
  filter.channel = options.channel;
  filter.correlation_id = options.correlation;
  return filter;
}

}  // namespace tenantry::tools
