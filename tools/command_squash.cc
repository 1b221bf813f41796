#include <cerrno>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <unistd.h>

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
#include "tools/references.h"
#include "tools/squash_report.h"

namespace tenantry::tools {
namespace {

namespace fs = std::filesystem;

// As this process names them, whoever has the store open.
StorePaths paths_of(const Session& session) { return {store_directory(session.options().store)}; }

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
           "tenantry squash --discard-history --yes\n"
           "tenantry squash --tenant acme --redact --actor ann --reason \"asked to be forgotten\"";
  }
  void declare(CLI::App& app) override {
    auto* const scopes =
        app.add_option("--scope", scopes_, "auth, core or tenants; may be given several times")
            ->type_name("SCOPE")
            ->delimiter(',');
    app.add_flag("--all", all_, "all scopes, which is the default")->excludes(scopes);
    auto* const through =
        app.add_option("--through", through_,
                       "up to a position, time or age; what was written at once stays together")
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
    auto* const tenant =
        app.add_option("--tenant", tenant_, "whose events --redact is about: a slug or a UUID")
            ->type_name("TENANT")
            ->excludes(scopes)
            ->excludes("--all")
            ->excludes("--discard-history");
    app.add_flag("--redact", redact_,
                 "take away what the tenant's events say: kind, entity, time and hashes stay, and "
                 "rows as they are; what of them is in the log is squashed first")
        ->needs(tenant);
    tenant->needs("--redact");
    app.add_option("--rebase", rebase_,
                   "do not wait for this consumer, which is behind or shows rows of an older "
                   "schema version, and forget it; may be given several times")
        ->type_name("NAME");
    app.add_option("--report", report_, "write the report, as Markdown, there too")
        ->type_name("FILE");
    circumstances_.declare(app);
    app.add_flag("--dry-run", dry_run_, "say what would be done; do nothing");
  }
  [[nodiscard]] Opens opens() const override { return dry_run_ ? Opens::kToRead : Opens::kToWrite; }

  [[nodiscard]] ExitCode run(Session& session) override {
    check_report_place();
    const SquashOptions options = read_options(session);
    if (discard_ && !dry_run_) confirm(session);
    if (options.redact && !dry_run_) confirm_redaction(session, *options.redact);
    const SquashReport report = squash(session, options);
    if (report.redaction) {
      print_redaction(session, report, dry_run_);
    } else {
      print_squash(session, report, dry_run_);
    }
    if (!report_.empty()) write_report(session, report, options.circumstances);
    session.remark(squash_summary(report, dry_run_));
    for (const std::string& line : behind_lines(report, dry_run_)) session.remark(line);
    return ExitCode::kDone;
  }

 private:
  // What can be known before the work is not told after it.
  void check_report_place() const {
    if (report_.empty()) return;
    // It is replaced as a whole: a device, a pipe or a link would be gone.
    std::error_code error;
    const fs::file_status there = fs::symlink_status(report_, error);
    if (fs::exists(there) && !fs::is_regular_file(there)) {
      throw UsageError("usage", report_ + " is no file", "--report names a file, or a new one");
    }
    const fs::path parent = fs::path(report_).parent_path();
    if (::access(parent.empty() ? "." : parent.c_str(), W_OK | X_OK) != 0) {
      throw_file_error("write", report_, errno);
    }
  }

  void write_report(Session& session, const SquashReport& report,
                    const events::Circumstances& by) const {
    const events::Uuid store = session.store().identity().store;
    try {
      write_file_durably(report_, squash_markdown(store, report, by, session.now(), dry_run_));
    } catch (const UnavailableError& error) {
      if (dry_run_) throw;
      throw UnavailableError(
          fmt::format("the squash is done, but its report is not written: {}", error.what()),
          "`tenantry squashes` tells what was done");
    }
  }

  [[nodiscard]] SquashOptions read_options(Session& session) const {
    SquashOptions options;
    for (const std::string& name : scopes_) {
      const events::Scope scope = parse_scope(name);
      if (scope == events::Scope::SYSTEM) {
        throw UsageError("usage",
                         "the scope \"system\" is never squashed: it says what was done with the "
                         "store",
                         "auth, core or tenants");
      }
      options.scopes.insert(scope);
    }
    if (!keep_.empty()) {
      options.through = session.store().position_at(start_of_kept(session.now()));
    } else if (!through_.empty()) {
      options.through = parse_reached_point(session.store(), through_, session.now());
    }
    if (!archive_.empty()) options.archive = archive_place(session);
    options.discard_history = discard_;
    options.rebase = {rebase_.begin(), rebase_.end()};
    options.circumstances = circumstances_.read("squash");
    if (redact_) options.redact = find_tenant(session.store(), tenant_);
    return options;
  }

  [[nodiscard]] events::Timestamp start_of_kept(events::Timestamp now) const {
    const bool is_date = keep_.find('-') != std::string::npos;
    const auto start = is_date ? std::nullopt : events::parse_time_argument(keep_, now);
    if (start) return *start;
    throw UsageError("usage", fmt::format("\"{}\" is no duration", keep_),
                     "30d or 12h; --through takes a position or a time");
  }

  // Empty for the store's own.
  [[nodiscard]] fs::path archive_place(const Session& session) const {
    fs::path place = store_directory(archive_);
    const StorePaths paths = paths_of(session);
    if (place == paths.archive()) return {};
    const std::string inside = (paths.directory / "").string();
    if (!(place / "").string().starts_with(inside)) return place;
    throw UsageError("archive_inside_store", place.string() + " lies inside the store",
                     "without --archive the archive goes into the store");
  }

  void confirm(Session& session) const {
    const std::string store = events::format_uuid(session.store().identity().store);
    const std::string what = fmt::format(
        "the events that are squashed, and all that is archived of their scopes, will "
        "be gone for ever from store {}",
        store);
    if (!session.confirm(what, store)) throw UsageError("not_confirmed", "nothing was squashed");
  }

  static void confirm_redaction(Session& session, const events::Uuid& tenant) {
    const std::string id = events::format_uuid(tenant);
    const std::string what =
        fmt::format("what the events of tenant {} say will be gone for ever from this store", id);
    if (!session.confirm(what, id)) throw UsageError("not_confirmed", "nothing was redacted");
  }

  // A redaction may be stopped behind the squash that comes before it.
  static SquashReport carry_out(Session& session, TenancyStore& store, const SquashOptions& options,
                                const Progress& progress) {
    try {
      return store.squash(options, progress);
    } catch (const Interrupted&) {
      if (options.redact) {
        session.remark(
            "what is done by now stays: `tenantry squashes` tells of it, and the same command goes "
            "on from there");
      }
      throw;
    }
  }

  [[nodiscard]] SquashReport squash(Session& session, const SquashOptions& options) const {
    TenancyStore& store = session.store();
    ProgressMeter meter(session.progress_mode(false), redact_ ? "redact" : "squash", "events");
    const Progress progress = session.progress_of(meter);
    SquashReport report = dry_run_ ? store.plan_squash(options, progress)
                                   : carry_out(session, store, options, progress);
    if (options.archive.empty()) report.archive = paths_of(session).archive();
    return report;
  }

  std::vector<std::string> scopes_;
  bool all_ = false;
  std::string through_;
  std::string keep_;
  std::string archive_;
  bool discard_ = false;
  std::string tenant_;
  bool redact_ = false;
  std::vector<std::string> rebase_;
  std::string report_;
  CircumstanceOptions circumstances_{"system:squash"};
  bool dry_run_ = false;
};

const std::vector<Column>& done_columns() {
  static const std::vector<Column> columns = {{"position"},
                                              {"recorded_at"},
                                              {"kind"},
                                              {"scope"},
                                              {"tenant_id"},
                                              {"after"},
                                              {"through"},
                                              {"events"},
                                              {"log_bytes", true},
                                              {"archive_bytes"},
                                              {"snapshot_bytes", true},
                                              {"discarded"},
                                              {"actor"},
                                              {"reason"},
                                              {"archive"},
                                              {"chain_hash", true},
                                              {"snapshot_digest", true},
                                              {"archive_digest", true}};
  return columns;
}

class SquashesCommand final : public Command {
 public:
  [[nodiscard]] std::string_view name() const override { return "squashes"; }
  [[nodiscard]] std::string_view help() const override {
    return "The squashes and redactions that were done, oldest first.";
  }
  [[nodiscard]] std::string_view examples() const override {
    return "tenantry squashes\n"
           "tenantry squashes -o json --fields recorded_at,scope,events,snapshot_digest\n"
           "tenantry squashes --fields recorded_at,kind,tenant_id,through,actor,reason";
  }
  void declare(CLI::App& /*app*/) override {}

  [[nodiscard]] ExitCode run(Session& session) override {
    const std::uint32_t redacted = events::find_kind("TenantRedacted")->number;
    LogFilter filter;
    filter.scope = events::Scope::SYSTEM;
    filter.kinds = {events::find_kind("ScopeSquashed")->number, redacted};
    Printer printer(session.out(), session.printing(), done_columns());
    const std::string own = paths_of(session).archive().string();
    std::map<events::Scope, std::uint64_t> before;  // How far each scope had gone.
    session.store().read_log(filter, [&](const StoredEvent& event) {
      const events::EventView view(event.payload);
      if (event.kind == redacted) {
        printer.row(redaction_cells(event, view));
        return true;
      }
      const events::Squashed done = events::read_squashed(view);
      const std::uint64_t after = std::exchange(before[done.scope], done.through);
      printer.row(squash_cells(event, view, done, after, own));
      return true;
    });
    printer.finish();
    return ExitCode::kDone;
  }

 private:
  // `own`: the archive inside the store.
  static std::vector<Cell> squash_cells(const StoredEvent& event, const events::EventView& view,
                                        const events::Squashed& done, std::uint64_t after,
                                        const std::string& own) {
    const std::string& place = done.archive_directory;
    const Cell archive = done.history_discarded ? Cell(events::Null{})
                         : place.empty()        ? Cell(own)
                                                : Cell(place);
    const auto facts = view.event();
    return {number_cell(event.position.value),
            event.recorded_at,
            view.kind().name,
            std::string(events::scope_name(done.scope)),
            events::Null{},
            number_cell(after),
            number_cell(done.through),
            number_cell(done.events),
            number_cell(done.log_bytes),
            number_cell(done.archive_bytes),
            number_cell(done.snapshot_bytes),
            done.history_discarded,
            text_cell(facts.getActor().cStr()),
            text_cell(facts.getReason().cStr()),
            archive,
            done.chain_hash,
            done.snapshot_digest,
            done.archive_digest};
  }

  // It is about one tenant and all scopes; nothing leaves the log by it.
  static std::vector<Cell> redaction_cells(const StoredEvent& event,
                                           const events::EventView& view) {
    const events::Redacted done = events::read_redacted(view);
    const auto facts = view.event();
    return {number_cell(event.position.value),
            event.recorded_at,
            view.kind().name,
            events::Null{},
            done.tenant,
            events::Null{},
            number_cell(done.through),
            number_cell(done.events),
            events::Null{},
            events::Null{},
            events::Null{},
            events::Null{},
            text_cell(facts.getActor().cStr()),
            text_cell(facts.getReason().cStr()),
            events::Null{},
            events::Null{},
            events::Null{},
            done.archive_digest};
  }
};

}  // namespace

std::unique_ptr<Command> make_squash_command() { return std::make_unique<SquashCommand>(); }

std::unique_ptr<Command> make_squashes_command() { return std::make_unique<SquashesCommand>(); }

}  // namespace tenantry::tools
