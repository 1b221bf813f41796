#include <memory>
#include <string>

#include <CLI/CLI.hpp>

#include "core/backup.h"
#include "tools/command.h"

namespace tenantry::tools {
namespace {

class BackupCommand final : public Command {
 public:
  [[nodiscard]] std::string_view name() const override { return "backup"; }
  [[nodiscard]] std::string_view help() const override {
    return "Copy the store while writing goes on, and check the copy.";
  }
  [[nodiscard]] std::string_view examples() const override {
    return "tenantry backup /srv/backups/2026-11-27\n"
           "tenantry backup --store /var/lib/tenantry /srv/backups/monday\n"
           "tenantry backup --dry-run /srv/backups/monday";
  }
  void declare(CLI::App& app) override {
    app.add_option("DIR", directory_, "a directory that does not exist or is empty")->required();
    app.add_flag("--dry-run", dry_run_, "say what would be copied; copy nothing");
  }
  [[nodiscard]] Opens opens() const override { return Opens::kToWrite; }

  [[nodiscard]] ExitCode run(Session& session) override {
    const BackupReport report = dry_run_ ? plan(session) : back_up(session);
    print_record(
        session.out(), session.printing(),
        {{"backup"},
         {"store_id"},
         {"incarnation"},
         {"tail"},
         {"log_digest"},
         {"taken_at"},
         {"files"},
         {"bytes"},
         {"dry_run"}},
        {report.directory.string(), report.identity.store, number_cell(report.identity.incarnation),
         number_cell(report.tail.value), hex(report.head_digest), report.taken_at,
         number_cell(report.files), number_cell(report.bytes), dry_run_});
    session.remark(dry_run_ ? "dry run: nothing was copied"
                            : "copied and checked; `tenantry restore` makes a store of it");
    return ExitCode::kDone;
  }

 private:
  [[nodiscard]] BackupReport back_up(Session& session) const {
    TenancyStore& store = session.store();
    ProgressMeter meter(session.progress_mode(true), "backup", "events");
    return store.back_up(directory_, session.progress_of(meter));
  }

  // Of the store as it is now.
  [[nodiscard]] BackupReport plan(Session& session) const {
    const StoreStatus status = session.store().status();
    BackupReport report;
    report.directory = check_backup_place(directory_, status.directory);
    report.identity = status.identity;
    report.tail = status.tail.tail;
    report.head_digest = status.tail.digest;
    report.taken_at = session.now();
    report.bytes = status.bytes;
    return report;
  }

  std::string directory_;
  bool dry_run_ = false;
};

}  // namespace

std::unique_ptr<Command> make_backup_command() { return std::make_unique<BackupCommand>(); }

}  // namespace tenantry::tools
