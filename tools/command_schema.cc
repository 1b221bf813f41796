#include <algorithm>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "core/error.h"
#include "core/store_files.h"
#include "events/tables.h"
#include "projections/adopt.h"
#include "tools/command.h"
#include "tools/fenced.h"
#include "tools/table_report.h"

namespace tenantry::tools {
namespace {

using projections::Migration;
using projections::Presence;
using projections::Probe;
using projections::ReadModel;
using projections::Severity;
using projections::ShapeFinding;
using projections::TableVerification;

// All that differs: tables that are missing, then what is different about those that are there.
std::vector<ShapeFinding> findings_of(const Probe& probe) {
  std::vector<std::string> missing = probe.missing_tables;
  if (probe.presence == Presence::kAbsent) {
    missing.clear();
    for (const events::TableInfo& table : events::tables()) missing.push_back(table.name);
  }
  std::vector<ShapeFinding> findings;
  for (const std::string& table : missing) {
    findings.push_back({Severity::kFatal, table, "is missing", {}});
  }
  findings.insert(findings.end(), probe.findings.begin(), probe.findings.end());
  return findings;
}

std::string statement(const std::string& sql) { return sql.empty() ? "" : sql + ";"; }

class SchemaCommand final : public Command {
 public:
  [[nodiscard]] std::string_view name() const override { return "schema"; }
  [[nodiscard]] std::string_view help() const override {
    return "The tables of the read model: print, create, compare; only adopt needs a store.";
  }
  [[nodiscard]] std::string_view examples() const override {
    return "tenantry schema sql --read-model postgresql: > schema.sql\n"
           "tenantry schema apply --read-model sqlite:/srv/app/db.sqlite3 --dry-run\n"
           "tenantry schema status\n"
           "tenantry schema check -o json\n"
           "tenantry schema adopt --read-model postgresql://app@db.example/app";
  }

  void declare(CLI::App& app) override {
    CLI::App& sql = declare_action(
        app, Action::kSql, "sql", "Print the statements that make the tables.",
        "tenantry schema sql\n"
        "tenantry schema sql --read-model postgresql: | psql app\n"
        "tenantry schema sql --roles --read-model postgresql: | psql -1 -v ON_ERROR_STOP=1 app");
    sql.add_flag("--roles", roles_,
                 "instead: the statements that make tenantry_owner (makes tables), "
                 "tenantry_projector (writes rows) and tenantry_reader, with no more rights than "
                 "that takes");
    CLI::App& apply = declare_action(
        app, Action::kApply, "apply",
        "Create the tables, columns and indexes that are missing; what is there stays as it is.",
        "tenantry schema apply\n"
        "tenantry schema apply --dry-run");
    apply.add_flag("--dry-run", dry_run_, "say what would be made");
    declare_action(app, Action::kStatus, "status",
                   "List Django's migrations that stand for the tables, and which are on record.",
                   "tenantry schema status");
    declare_action(app, Action::kCheck, "check",
                   "Compare the tables with the contract; exit 1 if anything differs.",
                   "tenantry schema check\n"
                   "tenantry schema check -o json --fields remedy");
    CLI::App& adopt = declare_action(app, Action::kAdopt, "adopt",
                                     "Make tables that somebody else filled this store's read "
                                     "model, if the rows are the store's.",
                                     "tenantry schema adopt\n"
                                     "tenantry schema adopt --dry-run");
    adopt.add_flag("--dry-run", dry_run_, "only compare");
    app.require_subcommand(1);
  }

  [[nodiscard]] ExitCode run(Session& session) override {
    if (action_ == Action::kSql) return print_sql(session);
    require_place(session);
    const bool writes = action_ == Action::kApply || action_ == Action::kAdopt;
    const auto target = session.open_read_model(/*read_only=*/!writes);
    switch (action_) {
      case Action::kApply:
        return apply(session, *target);
      case Action::kStatus:
        return print_status(session, *target);
      case Action::kAdopt:
        return adopt(session, *target);
      default:
        return check(session, *target);
    }
  }

 private:
  enum class Action { kSql, kApply, kStatus, kCheck, kAdopt };

  CLI::App& declare_action(CLI::App& app, Action action, const std::string& name,
                           const std::string& help, const std::string& examples) {
    CLI::App* const sub = app.add_subcommand(name, help);
    sub->footer(examples);
    sub->callback([this, action] { action_ = action; });
    return *sub;
  }

  // The read model that nobody named lies in the store.
  static void require_place(const Session& session) {
    if (session.read_model_target().named || is_store(session.options().store)) return;
    throw UsageError("store_not_found",
                     "no read model is named, and there is no store in " + session.options().store,
                     "name the database with --read-model, or the store with --store",
                     static_cast<int>(ExitCode::kUnavailable));
  }

  // SQL is what it is for, so a pipe gets SQL too unless another format is asked for.
  [[nodiscard]] ExitCode print_sql(Session& session) const {
    const auto target = session.open_read_model(/*read_only=*/true);
    const auto statements = roles_ ? target->role_sql() : target->schema_sql();
    if (statements.empty()) {
      throw UsageError("no_roles", target->name() + " has no roles",
                       "a file's rights are those of the file; `--read-model postgresql:` has");
    }
    const auto format = requested_format(session.options());
    if (!format || *format == Format::kTable) {
      for (const std::string& sql : statements) session.out().write(statement(sql) + "\n");
      return ExitCode::kDone;
    }
    Printer printer(session.out(), session.printing(), {{"statement"}});
    for (const std::string& sql : statements) printer.row({statement(sql)});
    printer.finish();
    return ExitCode::kDone;
  }

  [[nodiscard]] ExitCode apply(Session& session, ReadModel& target) const {
    const std::vector<std::string> made = dry_run_ ? target.missing() : target.create_missing();
    Printer printer(session.out(), session.printing(), {{"made"}, {"dry_run"}});
    for (const std::string& name : made) printer.row({name, dry_run_});
    printer.finish();
    if (made.empty()) session.remark("nothing is missing");
    if (dry_run_) {
      session.remark("dry run: nothing was changed");
      return ExitCode::kDone;
    }
    if (const std::size_t left = findings_of(target.probe()).size(); left != 0) {
      session.remark(
          fmt::format("differences that are left: {}; `tenantry schema check` lists them", left));
    }
    remark_on_django(session, target, "schema apply");
    return ExitCode::kDone;
  }

  static ExitCode print_status(Session& session, ReadModel& target) {
    const PrintOptions printing = session.printing();
    const auto migrations = target.migrations();
    if (printing.format == Format::kTable && printing.fields.empty()) {
      for (const Migration& migration : migrations) {
        session.out().write(fmt::format("[{}] {} {}\n", migration.applied ? 'X' : ' ',
                                        migration.application, migration.name));
      }
      return ExitCode::kDone;
    }
    Printer printer(session.out(), printing, {{"application"}, {"name"}, {"applied"}});
    for (const Migration& migration : migrations) {
      printer.row({migration.application, migration.name, migration.applied});
    }
    printer.finish();
    return ExitCode::kDone;
  }

  [[nodiscard]] ExitCode adopt(Session& session, ReadModel& target) const {
    projections::VerifyOptions options;
    options.stop = session.interrupt().token();
    options.reveal = session.reveal();
    const auto outcome = projections::adopt(session.store(), target, options, dry_run_);
    if (const auto* fenced = std::get_if<projections::Fenced>(&outcome)) throw_fenced(*fenced);
    session.interrupt().check();
    const auto& adoption = std::get<projections::Adoption>(outcome);
    Printer printer(session.out(), session.printing(),
                    {{"table"}, {"rows"}, {"equal"}, {"digest"}, {"differences", true}});
    bool equal = true;
    for (const TableVerification& table : adoption.tables) {
      equal = equal && table.equal();
      const std::vector<std::string> lines = row_differences(table);
      printer.row({table.table->name, number_cell(table.found_rows), table.equal(),
                   text_cell(shown_digest(session, table.found_digest)), texts_json(lines)},
                  lines);
    }
    printer.finish();
    const std::string at = fmt::format("position {}", adoption.mark.position.value);
    if (!equal) {
      session.remark("the rows are not the store's at " + at + ": nothing was changed");
      return ExitCode::kDiffers;
    }
    session.remark(adoption.adopted ? target.name() + " is the store's read model now, at " + at
                                    : "dry run: nothing was changed");
    return ExitCode::kDone;
  }

  static ExitCode check(Session& session, ReadModel& target) {
    const Probe probe = target.probe();
    const std::vector<ShapeFinding> findings = findings_of(probe);
    Printer printer(session.out(), session.printing(),
                    {{"class"}, {"table"}, {"message"}, {"remedy", true}});
    for (const ShapeFinding& finding : findings) {
      const std::string remedy = statement(finding.remedy);
      const std::string severity = finding.severity == Severity::kFatal ? "fatal" : "warning";
      const std::vector<std::string> notes =
          remedy.empty() ? std::vector<std::string>{} : std::vector{remedy};
      printer.row({severity, finding.table, finding.message, text_cell(remedy)}, notes);
    }
    printer.finish();
    if (findings.empty()) {
      session.remark("no difference");
      return ExitCode::kDone;
    }
    const auto fatal = std::ranges::count(findings, Severity::kFatal, &ShapeFinding::severity);
    session.remark(
        fmt::format("{}: differences: {}, fatal: {}", target.name(), findings.size(), fatal));
    if (findings.size() > probe.findings.size()) {
      session.remark("`tenantry schema apply` makes the tables that are missing");
    }
    return ExitCode::kDiffers;
  }

  Action action_ = Action::kCheck;
  bool dry_run_ = false;
  bool roles_ = false;
};

}  // namespace

std::unique_ptr<Command> make_schema_command() { return std::make_unique<SchemaCommand>(); }

}  // namespace tenantry::tools
