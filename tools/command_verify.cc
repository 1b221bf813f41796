#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "core/error.h"
#include "projections/verify.h"
#include "tools/command.h"
#include "tools/table_report.h"

namespace tenantry::tools {
namespace {

using projections::Presence;
using projections::Probe;
using projections::TableVerification;
using projections::Verification;

// Prints checks as they come and remembers the worst.
class Checks {
 public:
  explicit Checks(Session& session)
      : session_(session),
        printer_(session.out(), session.printing(),
                 {{"check"}, {"passed"}, {"examined"}, {"problems", true}}) {}

  void add(const std::string& name, bool passed, std::uint64_t examined,
           const std::vector<std::string>& problems, ExitCode when_failed) {
    printer_.row({name, passed, number_cell(examined), texts_json(problems)}, problems);
    if (!passed) worst_ = worse_of(worst_, when_failed);
  }
  void flush() { printer_.flush(); }
  ExitCode finish() {
    printer_.finish();
    session_.remark(worst_ == ExitCode::kDone      ? "all checks passed"
                    : worst_ == ExitCode::kDiffers ? "the read model differs from the log"
                                                   : "the store is damaged");
    return worst_;
  }
  [[nodiscard]] ExitCode worst() const { return worst_; }

 private:
  Session& session_;
  Printer printer_;
  ExitCode worst_ = ExitCode::kDone;
};

class VerifyCommand final : public Command {
 public:
  [[nodiscard]] std::string_view name() const override { return "verify"; }
  [[nodiscard]] std::string_view help() const override {
    return "Check the store, and the read model against it.";
  }
  [[nodiscard]] std::string_view examples() const override {
    return "tenantry verify\n"
           "tenantry verify --full\n"
           "tenantry verify --read-model sqlite:/srv/app/db.sqlite3 --all-columns";
  }
  void declare(CLI::App& app) override {
    auto* const quick = app.add_flag("--quick", quick_, "the cheap checks");
    app.add_flag("--full", full_, "every check (the default)")->excludes(quick);
    app.add_option("--schema", schema_, "where the tables are in PostgreSQL, instead of public")
        ->type_name("NAME");
    app.add_flag("--all-columns", all_columns_,
                 "compare columns too that the application owns (password, last_login)");
  }

  [[nodiscard]] ExitCode run(Session& session) override {
    TenancyStore& store = session.store();
    Checks checks(session);
    {
      ProgressMeter meter(session.progress_mode(true), "verify", "steps");
      const VerifyDepth depth = quick_ ? VerifyDepth::kQuick : VerifyDepth::kFull;
      for (const CheckResult& check : store.verify(depth, session.progress_of(meter))) {
        checks.add(check.name, check.passed, check.examined, check.problems, ExitCode::kCorrupt);
      }
    }
    session.interrupt().check();
    // What a damaged store says of a read model means nothing.
    if (checks.worst() == ExitCode::kDone) verify_read_model(session, checks);
    return checks.finish();
  }

 private:
  void verify_read_model(Session& session, Checks& checks) const {
    const ReadModelTarget target = session.read_model_target();
    const std::filesystem::path absent = target.absent_file();
    if (!target.named && !absent.empty()) return;
    checks.flush();
    if (!absent.empty()) {
      throw UsageError("read_model_absent", "there is no file " + absent.string(),
                       "tenantry rebuild", static_cast<int>(ExitCode::kNotFound));
    }
    // A first `project` or `rebuild` that failed leaves a file without tables.
    if (!target.named) {
      const Probe probe = session.open_read_model(true, schema_)->probe();
      if (probe.presence == Presence::kAbsent && !probe.mark) return;
    }
    const Verification verification = compare(session);
    if (verification.stopped) throw Interrupted{};
    add_shape(verification, checks);
    for (const TableVerification& table : verification.tables) {
      checks.add("read model: " + table.table->name, table.equal(), table.expected_rows,
                 row_differences(table), ExitCode::kDiffers);
    }
  }

  [[nodiscard]] Verification compare(Session& session) const {
    const TenancyStore& store = session.store();
    const auto target = session.open_read_model(true, schema_);
    projections::VerifyOptions options;
    options.all_columns = all_columns_;
    options.reveal = session.reveal();
    options.stop = session.interrupt().token();
    const auto mark = target->probe().mark;
    Position at = mark ? mark->position : store.tail().tail;
    const auto fold = [&] {
      RowsAt rows = store.rows_now();
      if (at >= rows.tail.tail) return rows;
      ProgressMeter meter(session.progress_mode(true), "fold", "events");
      rows = store.rows_at(at, session.progress_of(meter));
      require_all_known(rows);
      return rows;
    };
    RowsAt rows = fold();
    // A projector may have moved the read model since; what is compared stays where it is now.
    const auto state_at = [&](Position position) -> const StateView& {
      if (std::exchange(at, position) != position) rows = fold();
      return *rows.rows;
    };
    return projections::verify(store, state_at, *target, options);
  }

  static void add_shape(const Verification& verification, Checks& checks) {
    std::vector<std::string> problems;
    bool passed = true;
    for (const projections::ShapeFinding& finding : verification.findings) {
      const bool fatal = finding.severity == projections::Severity::kFatal;
      passed = passed && !fatal;
      problems.push_back(
          fmt::format("{}: {}: {}", fatal ? "fatal" : "warning", finding.table, finding.message));
    }
    checks.add("read model: shape", passed, verification.tables.size(), problems,
               ExitCode::kDiffers);
  }

  bool quick_ = false;
  bool full_ = false;
  bool all_columns_ = false;
  std::string schema_;
};

}  // namespace

std::unique_ptr<Command> make_verify_command() { return std::make_unique<VerifyCommand>(); }

}  // namespace tenantry::tools
