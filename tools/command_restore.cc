#include <memory>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "core/backup.h"
#include "core/store_files.h"
#include "tools/circumstances.h"
#include "tools/command.h"

namespace tenantry::tools {
namespace {

class RestoreCommand final : public Command {
 public:
  [[nodiscard]] std::string_view name() const override { return "restore"; }
  [[nodiscard]] std::string_view help() const override {
    return "Make a store of a backup, after checking every byte of it.";
  }
  [[nodiscard]] std::string_view examples() const override {
    return "tenantry restore /srv/backups/2026-11-27 --store /var/lib/tenantry-restored\n"
           "tenantry restore /srv/backups/monday --actor ann --reason \"disk of db1 died\"\n"
           "tenantry restore /srv/backups/monday --dry-run";
  }
  void declare(CLI::App& app) override {
    app.add_option("DIR", directory_, "what `tenantry backup` made")->required();
    circumstances_.declare(app);
    app.add_flag("--dry-run", dry_run_, "copy and check, but make no store");
  }

  [[nodiscard]] ExitCode run(Session& session) override {
    RestoreOptions options;
    options.backup = directory_;
    options.directory = session.options().store;
    options.circumstances = circumstances_.read("restore");
    options.dry_run = dry_run_;
    const RestoreReport report = restore(session, options);
    print_record(session.out(), session.printing(),
                 {{"store"},
                  {"backup"},
                  {"store_id"},
                  {"incarnation"},
                  {"tail"},
                  {"backup_tail"},
                  {"taken_at"},
                  {"checks"},
                  {"dry_run"}},
                 {store_directory(options.directory).string(), report.backup.directory.string(),
                  report.identity.store, number_cell(report.identity.incarnation),
                  number_cell(report.tail.value), number_cell(report.backup.tail.value),
                  report.backup.taken_at, number_cell(report.checks.size()), dry_run_});
    session.remark(closing_words(report));
    return ExitCode::kDone;
  }

 private:
  [[nodiscard]] static RestoreReport restore(Session& session, const RestoreOptions& options) {
    ProgressMeter meter(session.progress_mode(true), "restore", "events");
    return restore_store(options, session.clock(), session.ids(), session.progress_of(meter));
  }

  [[nodiscard]] std::string closing_words(const RestoreReport& report) const {
    if (dry_run_) return "dry run: the backup is sound; no store was made";
    return fmt::format(
        "restored as incarnation {}; a read model that shows more than position {} must be "
        "rebuilt, with --delete-unknown: `tenantry project` says so",
        report.identity.incarnation, report.backup.tail.value);
  }

  std::string directory_;
  CircumstanceOptions circumstances_{"system:restore"};
  bool dry_run_ = false;
};

}  // namespace

std::unique_ptr<Command> make_restore_command() { return std::make_unique<RestoreCommand>(); }

}  // namespace tenantry::tools
