#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "core/error.h"
#include "projections/projector.h"
#include "tools/checkpoint_note.h"
#include "tools/command.h"
#include "tools/fenced.h"
#include "tools/follow.h"
#include "tools/row_progress.h"

namespace tenantry::tools {
namespace {

// Events that are replayed into an empty read model; more take longer than to load their outcome.
constexpr std::uint64_t kLoadAbove = 10'000;

const std::vector<Column>& project_columns() {
  static const std::vector<Column> columns = {{"read_model"}, {"checkpoint"}, {"tail"},
                                              {"lag"},        {"events"},     {"row_changes"},
                                              {"epoch"},      {"dry_run"},    {"stopped"}};
  return columns;
}

class ProjectCommand final : public Command {
 public:
  [[nodiscard]] std::string_view name() const override { return "project"; }
  [[nodiscard]] Opens opens() const override { return Opens::kToReadForLong; }
  [[nodiscard]] std::string_view help() const override {
    return "Apply to the read model what the log has beyond its checkpoint. An empty one is "
           "loaded from the state when the log is long.";
  }
  [[nodiscard]] std::string_view examples() const override {
    return "tenantry project\n"
           "tenantry project --follow\n"
           "tenantry project --read-model sqlite:/srv/app/db.sqlite3\n"
           "tenantry project --dry-run";
  }
  void declare(CLI::App& app) override {
    add_count(app, "--batch", batch_,
              "events in one transaction at most (default: SQLite 10000, PostgreSQL 1000)");
    app.add_option("--name", name_,
                   "what the read model is called in `tenantry status`, and by squashes that wait "
                   "for it (default: where it is)")
        ->type_name("NAME");
    auto* const dry_run =
        app.add_flag("--dry-run", dry_run_, "count what there is to do and write nothing");
    app.add_flag("--follow", follow_,
                 "go on with what is appended, until stopped; a record each time")
        ->excludes(dry_run);
  }

  [[nodiscard]] ExitCode run(Session& session) override {
    if (follow_) return follow_log(session);
    const TenancyStore& store = session.store();
    const auto target = session.open_read_model(/*read_only=*/false);
    const projections::Projected projected = project_new(session, store, *target);
    if (!dry_run_) {
      CheckpointNote(session).note(name_of(*target), projected.mark.position,
                                   is_filled_anew(projected));
    }
    print_record(session.out(), session.printing(), project_columns(),
                 cells_of(*target, store, projected));
    return projected.stopped ? ExitCode::kInterrupted : ExitCode::kDone;
  }

 private:
  // Everything that passes by itself is waited for; all else ends it.
  ExitCode follow_log(Session& session) {
    Printer printer(session.out(), session.printing(), project_columns());
    std::string trouble;  // That was told last; empty while all is well.
    std::optional<Position> shown;
    CheckpointNote notes(session);
    std::string name;
    follow(session, [&](const TenancyStore& store) -> FollowStep {
      std::unique_ptr<projections::ReadModel> target;
      projections::Projected projected;
      try {
        target = session.open_read_model(/*read_only=*/false);
        projected = project_new(session, store, *target);
      } catch (const UnavailableError& error) {
        if (trouble != error.what()) warn_of(error, store.tail().tail, shown);
        trouble = error.what();
        return {FollowStep::Next::kRetry, {}};
      }
      if (!std::exchange(trouble, {}).empty()) Session::warn("the read model is back");
      // What others applied meanwhile, or a commit that was thought lost, moves the checkpoint too.
      if (projected.events > 0 || shown != projected.mark.position) {
        shown = projected.mark.position;
        printer.row(cells_of(*target, store, projected));
        printer.flush();
      }
      name = name_of(*target);
      notes.note_now_and_then(name, projected.mark.position, is_filled_anew(projected));
      return {FollowStep::Next::kWait, projected.mark.position};
    });
    if (shown) notes.note(name, *shown, /*filled_anew=*/false);
    printer.finish();
    return ExitCode::kInterrupted;
  }

  // A service has nobody who looks at it: said also with --quiet.
  static void warn_of(const UnavailableError& error, Position tail, std::optional<Position> shown) {
    std::string text = std::string(error.what()) + "; trying again";
    if (shown) text += fmt::format("; the log is {} events ahead", tail.value - shown->value);
    if (!error.hint().empty()) text += "; hint: " + error.hint();
    Session::warn(text);
  }

  // Whether this run made all that there is.
  static bool is_filled_anew(const projections::Projected& projected) {
    const std::uint64_t shown = projected.mark.position.value;
    return shown > 0 && (projected.loaded || projected.events == shown);
  }

  [[nodiscard]] std::string name_of(const projections::ReadModel& target) const {
    return name_.empty() ? target.name() : name_;
  }

  [[nodiscard]] projections::Projected project_new(const Session& session,
                                                   const TenancyStore& store,
                                                   projections::ReadModel& target) const {
    ProgressMeter loading(session.progress_mode(false), "load", "rows");
    ProgressMeter meter(session.progress_mode(false), "project", "events");
    projections::ProjectOptions options;
    if (batch_ > 0) options.batch_events = batch_;
    options.dry_run = dry_run_;
    options.load_above = kLoadAbove;
    options.load_progress = row_progress(loading);
    options.stop = session.interrupt().token();
    options.progress = [&meter](const projections::ProjectProgress& progress) {
      meter.update(progress.checkpoint.value, progress.tail.value);
    };
    const auto outcome = projections::project(store, target, options);
    if (const auto* fenced = std::get_if<projections::Fenced>(&outcome)) throw_fenced(*fenced);
    auto projected = std::get<projections::Projected>(outcome);
    if (projected.loaded) {
      session.remark("the read model was empty: it was loaded from the state");
    }
    return projected;
  }

  [[nodiscard]] std::vector<Cell> cells_of(const projections::ReadModel& target,
                                           const TenancyStore& store,
                                           const projections::Projected& projected) const {
    const std::uint64_t tail = store.tail().tail.value;
    const std::uint64_t at = projected.mark.position.value;
    return {target.name(),
            number_cell(at),
            number_cell(tail),
            number_cell(tail > at ? tail - at : 0),
            number_cell(projected.events),
            number_cell(projected.row_changes),
            number_cell(projected.mark.epoch),
            dry_run_,
            projected.stopped};
  }

  std::uint64_t batch_ = 0;  // 0: not given.
  std::string name_;
  bool dry_run_ = false;
  bool follow_ = false;
};

}  // namespace

std::unique_ptr<Command> make_project_command() { return std::make_unique<ProjectCommand>(); }

}  // namespace tenantry::tools
