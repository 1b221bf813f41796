#include <CLI/CLI.hpp>

#include "core/error.h"
#include "projections/projector.h"
#include "tools/command.h"
#include "tools/fenced.h"

namespace tenantry::tools {
namespace {

class ProjectCommand final : public Command {
 public:
  [[nodiscard]] std::string_view name() const override { return "project"; }
  [[nodiscard]] std::string_view help() const override {
    return "Apply to the read model what the log has beyond its checkpoint.";
  }
  [[nodiscard]] std::string_view examples() const override {
    return "tenantry project\n"
           "tenantry project --read-model sqlite:/srv/app/db.sqlite3\n"
           "tenantry project --dry-run";
  }
  void declare(CLI::App& app) override {
    app.add_option("--batch", batch_, "events in one transaction at most (default 1000)")
        ->type_name("N");
    app.add_flag("--dry-run", dry_run_, "count what there is to do and write nothing");
  }

  [[nodiscard]] ExitCode run(Session& session) override {
    if (batch_ == 0) throw UsageError("usage", "--batch takes a number from 1");
    const TenancyStore& store = session.store();
    const auto target = session.open_read_model(/*read_only=*/false);
    ProgressMeter meter(session.progress_mode(false), "project", "events");
    projections::ProjectOptions options;
    options.batch_events = batch_;
    options.dry_run = dry_run_;
    options.stop = session.interrupt().token();
    options.progress = [&meter](const projections::ProjectProgress& progress) {
      meter.update(progress.checkpoint.value, progress.tail.value);
    };
    const auto outcome = projections::project(store, *target, options);
    if (const auto* fenced = std::get_if<projections::Fenced>(&outcome)) throw_fenced(*fenced);
    const auto& projected = std::get<projections::Projected>(outcome);
    print_record(session.out(), session.printing(),
                 {{"read_model"},
                  {"checkpoint"},
                  {"tail"},
                  {"events"},
                  {"row_changes"},
                  {"epoch"},
                  {"dry_run"},
                  {"stopped"}},
                 {target->name(), number_cell(projected.mark.position.value),
                  number_cell(store.tail().tail.value), number_cell(projected.events),
                  number_cell(projected.row_changes), number_cell(projected.mark.epoch), dry_run_,
                  projected.stopped});
    return projected.stopped ? ExitCode::kInterrupted : ExitCode::kDone;
  }

 private:
  std::size_t batch_ = 1000;
  bool dry_run_ = false;
};

}  // namespace

std::unique_ptr<Command> make_project_command() { return std::make_unique<ProjectCommand>(); }

}  // namespace tenantry::tools
