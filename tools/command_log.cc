#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "tools/command.h"
#include "tools/event_output.h"
#include "tools/follow.h"
#include "tools/log_filter.h"

namespace tenantry::tools {
namespace {

struct LogOptions {
  LogFilterOptions filter;
  bool reverse = false;
  bool patch = false;
  bool live_only = false;
  bool follow = false;
  bool one_life = false;  // Of one entity, from its beginning.
};

// Whether the event as printed, secrets masked, contains the text.
bool contains(const std::vector<Column>& columns, const std::vector<Cell>& cells,
              const std::string& text) {
  JsonBuilder json;
  json.begin_object();
  for (std::size_t i = 0; i < cells.size(); ++i) json.member(columns[i].name, cells[i]);
  json.end_object();
  return json.text().find(text) != std::string_view::npos;
}

class EventPrinter {
 public:
  EventPrinter(Session& session, const LogOptions& options)
      : session_(session),
        options_(options),
        columns_(event_columns(options.patch)),
        printer_(session.out(), session.printing(), columns_) {}

  // Prints what passes, up to the limit or until a stop is requested.
  void print(const TenancyStore& store, const LogFilter& filter) {
    RowHistory history(store);
    store.read_log(filter, [&](const StoredEvent& event) {
      if (session_.interrupt().requested()) return false;
      print_event(event, history);
      return !is_full();
    });
    saw_unknown_ = saw_unknown_ || history.met_unknown();
  }

  [[nodiscard]] bool is_full() const {
    return options_.filter.limit > 0 && printed_ == options_.filter.limit;
  }
  [[nodiscard]] bool saw_import() const { return saw_import_; }
  [[nodiscard]] bool saw_redacted() const { return saw_redacted_; }
  [[nodiscard]] bool saw_unknown() const { return saw_unknown_; }
  // Whether some of what was asked for might be among the events up to `discarded`: not where the
  // beginning of the one life was met, nor where the newest were enough.
  [[nodiscard]] bool may_lack(Position discarded) const {
    if (options_.one_life && saw_first_) return false;
    return !(options_.reverse && is_full() && last_ > discarded);
  }
  void flush() { printer_.flush(); }
  void finish() { printer_.finish(); }

 private:
  void print_event(const StoredEvent& event, RowHistory& history) {
    events::EventView view = view_of(event);
    std::vector<FieldChange> changes;
    if (options_.patch) changes = history.changes(event, view);
    const auto* const shown = options_.patch ? &changes : nullptr;
    const std::string& text = options_.filter.grep;
    if (!text.empty() && !contains(columns_, event_cells(event, view, shown, false), text)) return;
    printer_.row(event_cells(event, view, shown, session_.reveal()),
                 changes_text(changes, session_.reveal()));
    saw_import_ = saw_import_ || view.kind().imported;
    saw_first_ = saw_first_ || event.version.value == 1;
    last_ = event.position;
    saw_redacted_ = saw_redacted_ || view.is_redacted();
    ++printed_;
  }

  Session& session_;
  const LogOptions& options_;
  const std::vector<Column> columns_;
  Printer printer_;
  std::uint64_t printed_ = 0;
  bool saw_import_ = false;
  bool saw_first_ = false;
  Position last_;  // Printed.
  bool saw_redacted_ = false;
  bool saw_unknown_ = false;
};

bool has_discarded(const TenancyStore& store, events::Scope scope) {
  const StoreStatus status = store.status();
  return std::ranges::any_of(status.scopes, [&](const ScopeStatus& of_scope) {
    return of_scope.scope == scope && of_scope.discarded > 0;
  });
}

ExitCode print_events(Session& session, const LogOptions& options) {
  const TenancyStore& store = session.store();
  LogFilter filter = make_log_filter(store, options.filter, session.now());
  filter.reverse = options.reverse;
  filter.live_only = options.live_only;
  EventPrinter printer(session, options);
  printer.print(store, filter);
  printer.finish();
  session.interrupt().check();
  if (options.one_life && printer.saw_import()) session.remark(kImportedRemark);
  if (printer.saw_redacted()) session.remark(kRedactedRemark);
  if (printer.saw_unknown()) session.remark(kUnknownRemark);
  const bool by_what_is_said = filter.user || filter.channel || filter.correlation_id;
  if (by_what_is_said && filter.after < store.complete_after() && !filter.live_only) {
    session.remark("events that were discarded or redacted do not tell what was asked for");
  }
  const Position discarded = store.discarded();
  if (filter.after < discarded && !filter.live_only && printer.may_lack(discarded) &&
      (!filter.scope || has_discarded(store, *filter.scope))) {
    session.remark("of the events up to position " + std::to_string(discarded.value) +
                   " not all are left: a squash has discarded history (`tenantry squashes`)");
  }
  return ExitCode::kDone;
}

ExitCode follow_events(Session& session, const LogOptions& options) {
  std::optional<LogFilter> filter;
  EventPrinter printer(session, options);
  follow(session, [&](const TenancyStore& store) -> FollowStep {
    if (!filter) {
      filter = make_log_filter(store, options.filter, session.now());
      filter->live_only = options.live_only;
    }
    const Position tail = store.tail().tail;
    filter->through = tail;
    printer.print(store, *filter);
    printer.flush();
    if (printer.is_full()) return {FollowStep::Next::kFinish, tail};
    filter->after = std::max(filter->after, tail);
    return {FollowStep::Next::kWait, tail};
  });
  printer.finish();
  if (printer.saw_unknown()) session.remark(kUnknownRemark);
  return printer.is_full() ? ExitCode::kDone : ExitCode::kInterrupted;
}

class LogCommand final : public Command {
 public:
  [[nodiscard]] std::string_view name() const override { return "log"; }
  [[nodiscard]] std::string_view help() const override { return "Print events, oldest first."; }
  [[nodiscard]] Opens opens() const override {
    return options_.follow ? Opens::kToReadForLong : Opens::kToRead;
  }
  [[nodiscard]] std::string_view examples() const override {
    return "tenantry log --tenant acme -p\n"
           "tenantry log --kind MemberAdded,MemberRemoved --after 7d\n"
           "tenantry log --user ann --reverse --limit 20\n"
           "tenantry log --stream invitation/zQ81pX --fields position,kind,data\n"
           "tenantry log --follow --after 1h -p\n"
           "tenantry log --after 1000 --through 2026-01-31 -o csv > january.csv";
  }

  void declare(CLI::App& app) override {
    declare_log_filter(app, options_.filter);
    auto* const reverse = app.add_flag("--reverse", options_.reverse, "newest first");
    app.add_flag("-p,--patch", options_.patch, "show each changed field, old → new");
    app.add_flag("--live-only", options_.live_only, "leave out archived events");
    app.add_flag("--follow", options_.follow, "go on with what is appended, until stopped")
        ->excludes(reverse)
        ->excludes("--through");
  }

  [[nodiscard]] ExitCode run(Session& session) override {
    return options_.follow ? follow_events(session, options_) : print_events(session, options_);
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
    app.add_option("KIND/ID", options_.filter.stream,
                   "tenant/SLUG, user/NAME, member/TENANT/USER, …")
        ->required();
    app.add_flag("--reverse", options_.reverse, "newest first");
  }
  [[nodiscard]] ExitCode run(Session& session) override {
    options_.patch = true;
    options_.one_life = true;
    return print_events(session, options_);
  }

 private:
  LogOptions options_;
};

}  // namespace

std::unique_ptr<Command> make_log_command() { return std::make_unique<LogCommand>(); }

std::unique_ptr<Command> make_history_command() { return std::make_unique<HistoryCommand>(); }

}  // namespace tenantry::tools
