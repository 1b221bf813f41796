#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "core/error.h"
#include "core/store.h"
#include "core/store_files.h"
#include "core/store_import.h"
#include "events/text.h"
#include "projections/import.h"
#include "tools/command.h"
#include "tools/table_report.h"

namespace tenantry::tools {
namespace {

using projections::ImportFinding;
using projections::ImportOutcome;
using projections::TableVerification;

// A directory of the system's temporary one, gone in the end.
class ScratchDirectory {
 public:
  explicit ScratchDirectory(IdSource& ids)
      : path_(std::filesystem::temp_directory_path() /
              ("tenantry-import-" + events::format_uuid(ids.new_uuid()))) {}
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  ~ScratchDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

std::uint64_t findings_of(const ImportOutcome& outcome, const TableVerification& table) {
  const auto found = outcome.findings.find(table.table);
  return found == outcome.findings.end() ? 0 : found->second;
}

std::uint64_t count_findings(const ImportOutcome& outcome) {
  std::uint64_t sum = 0;
  for (const auto& [table, count] : outcome.findings) sum += count;
  return sum;
}

// What the import itself would say of the place, which a dry run leaves alone.
void refuse_history(const std::string& directory) {
  if (!is_store(directory) || noted_tail(directory).value == 0) return;
  throw UsageError("store_has_events", "the store " + directory + " has events",
                   "an import makes the beginning of a history: name a new store",
                   static_cast<int>(ExitCode::kConflict));
}

class ImportCommand final : public Command {
 public:
  [[nodiscard]] std::string_view name() const override { return "import"; }
  [[nodiscard]] std::string_view help() const override {
    return "Begin a store with the rows of a live database, and prove that it has them.";
  }
  [[nodiscard]] std::string_view examples() const override {
    return "tenantry import --from postgresql://app@db.example/app --dry-run\n"
           "tenantry import --from postgresql://app@db.example/app --store /var/lib/tenantry\n"
           "tenantry import --from sqlite:/srv/app/db.sqlite3 --strict";
  }
  void declare(CLI::App& app) override {
    app.add_option("--from", from_,
                   "the database, as --read-model takes it; TENANTRY_READ_MODEL or DATABASE_URL "
                   "otherwise")
        ->type_name("URL");
    app.add_flag("--strict", strict_, "import nothing if a row breaks a rule");
    app.add_flag("--dry-run", dry_run_, "read, check and compare; make no store");
  }

  [[nodiscard]] ExitCode run(Session& session) override {
    const auto source = session.open_source(from_);
    std::optional<ScratchDirectory> scratch;
    if (dry_run_) {
      refuse_history(session.options().store);
      scratch.emplace(session.ids());
    }
    StoreImport import(scratch ? scratch->path() : std::filesystem::path(session.options().store),
                       circumstances(source->name()), session.clock(), session.ids());
    const ImportOutcome outcome = read(session, *source, import);
    if (outcome.stopped) throw Interrupted{};
    print_tables(session, outcome);
    if (!outcome.equal()) {
      for (const TableVerification& table : outcome.tables) {
        for (const std::string& line : row_differences(table)) {
          session.remark(table.table->name + ": " + line);
        }
      }
      session.remark("the store would not hold what was read: nothing was imported");
      return ExitCode::kDiffers;
    }
    if (strict_ && count_findings(outcome) > 0) {
      session.remark(fmt::format("findings: {}; nothing was imported", count_findings(outcome)));
      return ExitCode::kRejected;
    }
    if (!dry_run_) import.publish();
    session.remark(closing_words(outcome));
    return ExitCode::kDone;
  }

 private:
  static events::Circumstances circumstances(const std::string& source) {
    constexpr std::size_t kReasonMax = 500;
    events::Circumstances circumstances;
    circumstances.actor = "system:import";
    circumstances.channel = "import";
    circumstances.reason = "as found in " + source;
    if (events::count_characters(circumstances.reason) > kReasonMax) circumstances.reason.clear();
    return circumstances;
  }

  static ImportOutcome read(Session& session, projections::ReadModel& source, StoreImport& import) {
    ProgressMeter meter(session.progress_mode(true), "import", "rows");
    projections::ImportOptions options;
    options.stop = session.interrupt().token();
    options.progress = [&](std::uint64_t rows) { meter.update(rows, 0); };
    options.found = [&](const ImportFinding& finding) {
      session.remark(fmt::format("{}: {} {} ({}): {}", finding.rule, finding.table, finding.id,
                                 finding.key, finding.message));
    };
    return projections::import_rows(source, import, options);
  }

  static void print_tables(Session& session, const ImportOutcome& outcome) {
    Printer printer(session.out(), session.printing(),
                    {{"table"}, {"rows"}, {"imported"}, {"findings"}, {"equal"}, {"digest"}});
    for (const TableVerification& table : outcome.tables) {
      printer.row({table.table->name, number_cell(table.found_rows),
                   number_cell(table.expected_rows), number_cell(findings_of(outcome, table)),
                   table.equal(), text_cell(shown_digest(session, table.found_digest))});
    }
    printer.finish();
  }

  [[nodiscard]] std::string closing_words(const ImportOutcome& outcome) const {
    std::string words = dry_run_ ? "dry run: no store was made" : "imported and compared: equal";
    if (count_findings(outcome) > 0)
      words += fmt::format("; findings: {}", count_findings(outcome));
    return words + "; what was before is not known";
  }

  std::string from_;
  bool strict_ = false;
  bool dry_run_ = false;
};

}  // namespace

std::unique_ptr<Command> make_import_command() { return std::make_unique<ImportCommand>(); }

}  // namespace tenantry::tools
