#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "core/error.h"
#include "tools/command.h"
#include "tools/event_output.h"
#include "tools/near_matches.h"
#include "tools/points.h"
#include "tools/references.h"

namespace tenantry::tools {
namespace {

struct LogOptions {
  std::string tenant;
  std::string user;
  std::string stream;
  std::string scope;
  std::string kinds;
  std::optional<std::string> actor;
  std::optional<std::string> channel;
  std::optional<std::string> correlation;
  std::string after;
  std::string through;
  std::string grep;
  std::uint64_t limit = 0;
  bool reverse = false;
  bool patch = false;
  bool live_only = false;
};

events::Scope parse_scope(const std::string& text) {
  std::vector<std::string> names;
  for (const events::Scope scope :
       {events::Scope::SYSTEM, events::Scope::AUTH, events::Scope::CORE, events::Scope::TENANTS}) {
    if (events::scope_name(scope) == text) return scope;
    names.emplace_back(events::scope_name(scope));
  }
  const std::string near = did_you_mean(text, names);
  throw UsageError("unknown_scope", "there is no scope \"" + text + "\"",
                   near.empty() ? "system, auth, core or tenants" : near);
}

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
  return numbers;
}

LogFilter make_filter(const TenancyStore& store, const LogOptions& options, events::Timestamp now) {
  LogFilter filter;
  if (!options.scope.empty()) filter.scope = parse_scope(options.scope);
  filter.kinds = parse_kinds(options.kinds);
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
  filter.reverse = options.reverse;
  return filter;
}

// Whether the event as printed, secrets masked, contains the text.
bool contains(const std::vector<Column>& columns, const std::vector<Cell>& cells,
              const std::string& text) {
  JsonBuilder json;
  json.begin_object();
  for (std::size_t i = 0; i < cells.size(); ++i) json.member(columns[i].name, cells[i]);
  json.end_object();
  return json.text().find(text) != std::string_view::npos;
}

void print_events(Session& session, const LogFilter& filter, const LogOptions& options) {
  const TenancyStore& store = session.store();
  const std::vector<Column> columns = event_columns(options.patch);
  Printer printer(session.out(), session.printing(), columns);
  RowHistory history(store);
  std::uint64_t printed = 0;
  store.read_log(filter, [&](const StoredEvent& event) {
    if (session.interrupt().requested()) return false;
    events::EventView view(event.payload);
    std::vector<FieldChange> changes;
    if (options.patch) changes = history.changes(event, view);
    const auto* const shown = options.patch ? &changes : nullptr;
    if (!options.grep.empty() &&
        !contains(columns, event_cells(event, view, shown, false), options.grep)) {
      return true;
    }
    printer.row(event_cells(event, view, shown, session.reveal()),
                changes_text(changes, session.reveal()));
    return ++printed != options.limit;
  });
  printer.finish();
  session.interrupt().check();
}

class LogCommand final : public Command {
 public:
  [[nodiscard]] std::string_view name() const override { return "log"; }
  [[nodiscard]] std::string_view help() const override { return "Print events, oldest first."; }
  [[nodiscard]] std::string_view examples() const override {
    return "tenantry log --tenant acme -p\n"
           "tenantry log --kind MemberAdded,MemberRemoved --after 7d\n"
           "tenantry log --user ann --reverse --limit 20\n"
           "tenantry log --stream invitation/zQ81pX --fields position,kind,data\n"
           "tenantry log --after 1000 --through 2026-01-31 -o csv > january.csv";
  }

  void declare(CLI::App& app) override {
    app.add_option("--tenant", options_.tenant,
                   "of this tenant: a slug, also a former one, or a UUID")
        ->type_name("TENANT");
    app.add_option("--user", options_.user,
                   "about this user or naming it: a username, also a former one, or id:N")
        ->type_name("USER");
    app.add_option("--stream", options_.stream, "of one entity")->type_name("KIND/ID");
    app.add_option("--scope", options_.scope, "system, auth, core or tenants")->type_name("SCOPE");
    app.add_option("--kind", options_.kinds, "of these kinds")->type_name("A,B");
    app.add_option("--actor", options_.actor, "caused by")->type_name("TEXT");
    app.add_option("--channel", options_.channel, "that came through")->type_name("TEXT");
    app.add_option("--correlation", options_.correlation, "with this correlation id")
        ->type_name("TEXT");
    app.add_option("--after", options_.after, "after a position, time or age")->type_name("POINT");
    app.add_option("--through", options_.through, "up to a position, time or age")
        ->type_name("POINT");
    app.add_option("--grep", options_.grep, "whose JSON as printed contains the text")
        ->type_name("TEXT");
    app.add_option("--limit", options_.limit, "at most so many")->type_name("N");
    app.add_flag("--reverse", options_.reverse, "newest first");
    app.add_flag("-p,--patch", options_.patch, "show each changed field, old → new");
    app.add_flag("--live-only", options_.live_only, "leave out archived events");
  }

  [[nodiscard]] ExitCode run(Session& session) override {
    print_events(session, make_filter(session.store(), options_, session.now()), options_);
    return ExitCode::kDone;
  }

 private:
  LogOptions options_;
};

class HistoryCommand final : public Command {
 public:
  [[nodiscard]] std::string_view name() const override { return "history"; }
  [[nodiscard]] std::string_view help() const override {
    return "The life of one entity: its events, with each changed field old → new.";
  }
  [[nodiscard]] std::string_view examples() const override {
    return "tenantry history tenant/acme\n"
           "tenantry history user/ann\n"
           "tenantry history member/acme/ann\n"
           "tenantry history invitation/zQ81pX";
  }
  void declare(CLI::App& app) override {
    app.add_option("KIND/ID", options_.stream, "tenant/SLUG, user/NAME, member/TENANT/USER, …")
        ->required();
    app.add_flag("--reverse", options_.reverse, "newest first");
  }
  [[nodiscard]] ExitCode run(Session& session) override {
    options_.patch = true;
    print_events(session, make_filter(session.store(), options_, session.now()), options_);
    return ExitCode::kDone;
  }

 private:
  LogOptions options_;
};

}  // namespace

std::unique_ptr<Command> make_log_command() { return std::make_unique<LogCommand>(); }

std::unique_ptr<Command> make_history_command() { return std::make_unique<HistoryCommand>(); }

}  // namespace tenantry::tools
