#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "core/error.h"
#include "core/file_ops.h"
#include "core/hash.h"
#include "core/store_files.h"
#include "events/kinds.h"
#include "events/store_events.h"
#include "tools/circumstances.h"
#include "tools/command.h"
#include "tools/json_builder.h"
#include "tools/log_filter.h"
#include "tools/options.h"
#include "tools/points.h"
#include "tools/squash_report.h"

namespace tenantry::tools {
namespace {

class SquashCommand final : public Command {
 public:
  [[nodiscard]] std::string_view name() const override { return "squash"; }
  [[nodiscard]] std::string_view help() const override {
    return "Move old events from the log to an archive, with a snapshot and with proof.";
  }
  [[nodiscard]] std::string_view examples() const override {
    return "tenantry squash --dry-run\n"
           "tenantry squash --keep 30d --report squash.md\n"
           "tenantry squash --scope core --scope tenants --through 2026-01-31\n"
           "tenantry squash --archive /srv/archive --actor ann --reason \"year end\"\n"
           "tenantry squash --discard-history --yes";
  }
  void declare(CLI::App& app) override {
    auto* const scopes =
        app.add_option("--scope", scopes_, "auth, core or tenants; may be given several times")
            ->type_name("SCOPE")
            ->delimiter(',');
    app.add_flag("--all", all_, "all scopes, which is the default")->excludes(scopes);
    auto* const through =
        app.add_option("--through", through_, "the last that goes: a position, a time or an age")
            ->type_name("POINT");
    app.add_option("--keep", keep_, "keep what is younger in the log, such as 30d or 12h")
        ->type_name("DURATION")
        ->excludes(through);
    auto* const archive =
        app.add_option("--archive", archive_, "where the archive goes; by default into the store")
            ->type_name("DIR");
    app.add_flag("--discard-history", discard_,
                 "keep no archive, nor any that there is: the snapshot, the last hashes and the "
                 "digests stay")
        ->excludes(archive);
    app.add_option("--rebase", rebase_,
                   "do not wait for this consumer, and forget it; may be given several times")
        ->type_name("NAME");
    app.add_option("--report", report_, "write the report, as Markdown, there too")
        ->type_name("FILE");
    circumstances_.declare(app);
    app.add_flag("--dry-run", dry_run_, "say what would be done; do nothing");
  }
  [[nodiscard]] Opens opens() const override { return dry_run_ ? Opens::kToRead : Opens::kToWrite; }

  [[nodiscard]] ExitCode run(Session& session) override {
    const SquashOptions options = read_options(session);
    if (discard_ && !dry_run_) confirm(session);
    const SquashReport report = squash(session, options);
    print_squash(session, report, dry_run_);
    if (!report_.empty()) {
      const events::Uuid store = session.store().identity().store;
      write_file_durably(report_, squash_markdown(store, report, session.now(), dry_run_));
    }
    session.remark(squash_summary(report, dry_run_));
    for (const std::string& line : behind_lines(report)) session.remark(line);
    return ExitCode::kDone;
  }

 private:
  [[nodiscard]] SquashOptions read_options(Session& session) const {
    SquashOptions options;
    for (const std::string& name : scopes_) {
      const events::Scope scope = parse_scope(name);
      if (scope == events::Scope::SYSTEM) {
        throw UsageError("usage", "the scope \"system\" is never squashed",
                         "it says what was done with the store");
      }
      options.scopes.insert(scope);
    }
    const std::string& point = keep_.empty() ? through_ : keep_;
    if (!point.empty()) {
      if (!keep_.empty() && parse_position(keep_)) {
        throw UsageError("usage", fmt::format("\"{}\" is no duration", keep_),
                         "such as 30d or 12h");
      }
      options.through = parse_reached_point(session.store(), point, session.now());
    }
    if (!archive_.empty()) options.archive = store_directory(archive_);
    options.discard_history = discard_;
    options.rebase = {rebase_.begin(), rebase_.end()};
    options.circumstances = circumstances_.read("squash");
    return options;
  }

  void confirm(Session& session) const {
    const std::string store = events::format_uuid(session.store().identity().store);
    const std::string what = fmt::format(
        "the events that are squashed, and every archive of their scopes in the store, will be "
        "gone for ever. Type the store's id, {}, to go on",
        store);
    if (!session.confirm(what, store)) throw UsageError("not_confirmed", "nothing was squashed");
  }

  [[nodiscard]] SquashReport squash(Session& session, const SquashOptions& options) const {
    TenancyStore& store = session.store();
    ProgressMeter meter(session.progress_mode(true), "squash", "events");
    const Progress progress = session.progress_of(meter);
    return dry_run_ ? store.plan_squash(options, progress) : store.squash(options, progress);
  }

  std::vector<std::string> scopes_;
  bool all_ = false;
  std::string through_;
  std::string keep_;
  std::string archive_;
  bool discard_ = false;
  std::vector<std::string> rebase_;
  std::string report_;
  CircumstanceOptions circumstances_{"system:squash"};
  bool dry_run_ = false;
};

const std::vector<Column>& done_columns() {
  static const std::vector<Column> columns = {{"position"},
                                              {"recorded_at"},
                                              {"scope"},
                                              {"through"},
                                              {"events"},
                                              {"log_bytes"},
                                              {"archive_bytes"},
                                              {"snapshot_bytes"},
                                              {"archive"},
                                              {"discarded"},
                                              {"actor"},
                                              {"reason"},
                                              {"chain_hash", true},
                                              {"snapshot_digest", true},
                                              {"archive_digest", true}};
  return columns;
}

class SquashesCommand final : public Command {
 public:
  [[nodiscard]] std::string_view name() const override { return "squashes"; }
  [[nodiscard]] std::string_view help() const override {
    return "The squashes that were done, oldest first.";
  }
  [[nodiscard]] std::string_view examples() const override {
    return "tenantry squashes\n"
           "tenantry squashes -o json --fields recorded_at,scope,events,snapshot_digest";
  }
  void declare(CLI::App& /*app*/) override {}

  [[nodiscard]] ExitCode run(Session& session) override {
    LogFilter filter;
    filter.scope = events::Scope::SYSTEM;
    filter.kinds = {events::find_kind("ScopeSquashed")->number};
    Printer printer(session.out(), session.printing(), done_columns());
    session.store().read_log(filter, [&](const StoredEvent& event) {
      const events::EventView view(event.payload);
      const events::Squashed done = events::read_squashed(view);
      const auto facts = view.event();
      printer.row({number_cell(event.position.value), event.recorded_at,
                   std::string(events::scope_name(done.scope)), number_cell(done.through),
                   number_cell(done.events), number_cell(done.log_bytes),
                   number_cell(done.archive_bytes), number_cell(done.snapshot_bytes),
                   text_cell(done.archive_directory), done.history_discarded,
                   text_cell(facts.getActor().cStr()), text_cell(facts.getReason().cStr()),
                   done.chain_hash, done.snapshot_digest, done.archive_digest});
      return true;
    });
    printer.finish();
    return ExitCode::kDone;
  }
};

}  // namespace

std::unique_ptr<Command> make_squash_command() { return std::make_unique<SquashCommand>(); }

std::unique_ptr<Command> make_squashes_command() { return std::make_unique<SquashesCommand>(); }

}  // namespace tenantry::tools
