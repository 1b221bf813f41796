#include <cstddef>
#include <memory>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "core/backup.h"
#include "core/error.h"
#include "core/store_files.h"
#include "events/text.h"
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
    app.add_option("--actor", actor_, "who restores; stands in the event that says so")
        ->type_name("NAME")
        ->capture_default_str();
    app.add_option("--reason", reason_, "why")->type_name("TEXT");
    app.add_flag("--dry-run", dry_run_, "copy and check, but make no store");
  }

  [[nodiscard]] ExitCode run(Session& session) override {
    RestoreOptions options;
    options.backup = directory_;
    options.directory = session.options().store;
    options.circumstances.actor = checked("--actor", actor_, kActorMax);
    options.circumstances.channel = "restore";
    options.circumstances.reason = checked("--reason", reason_, kReasonMax);
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
  // As of every command.
  static constexpr std::size_t kActorMax = 200;
  static constexpr std::size_t kReasonMax = 500;

  [[nodiscard]] static RestoreReport restore(Session& session, const RestoreOptions& options) {
    ProgressMeter meter(session.progress_mode(true), "restore", "events");
    return restore_store(options, session.clock(), session.ids(), session.progress_of(meter));
  }

  static const std::string& checked(const char* option, const std::string& text, std::size_t max) {
    if (!events::is_storable_text(text)) {
      throw UsageError("invalid_text", fmt::format("{} must be valid UTF-8", option));
    }
    if (events::count_characters(text) > max) {
      throw UsageError("too_long", fmt::format("{} has more than {} characters", option, max));
    }
    return text;
  }

  [[nodiscard]] std::string closing_words(const RestoreReport& report) const {
    if (dry_run_) return "dry run: the backup is sound; no store was made";
    return fmt::format(
        "restored as incarnation {}; a read model that shows more than position {} must be "
        "rebuilt, with --delete-unknown: `tenantry project` says so",
        report.identity.incarnation, report.backup.tail.value);
  }

  std::string directory_;
  std::string actor_ = "system:restore";
  std::string reason_;
  bool dry_run_ = false;
};

}  // namespace

std::unique_ptr<Command> make_restore_command() { return std::make_unique<RestoreCommand>(); }

}  // namespace tenantry::tools
