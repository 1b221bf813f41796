#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "core/error.h"
#include "core/hash.h"
#include "projections/rebuild.h"
#include "tools/checkpoint_note.h"
#include "tools/command.h"
#include "tools/fenced.h"
#include "tools/points.h"
#include "tools/references.h"
#include "tools/row_progress.h"
#include "tools/table_report.h"
#include "tools/terminal.h"

namespace tenantry::tools {
namespace {

using projections::Certificate;
using projections::TableCertificate;

const std::vector<Column>& table_columns() {
  static const std::vector<Column> columns = {{"table"},           {"inserted"},    {"updated"},
                                              {"deleted"},         {"unchanged"},   {"unknown"},
                                              {"expected_rows"},   {"found_rows"},  {"equal"},
                                              {"expected_digest"}, {"found_digest"}};
  return columns;
}

std::vector<Cell> table_cells(const TableCertificate& table, bool dry_run) {
  const projections::TableChanges& changes = table.changes;
  return {changes.table->name,
          number_cell(changes.inserted),
          number_cell(changes.updated),
          number_cell(changes.deleted),
          number_cell(changes.unchanged),
          number_cell(changes.unknown),
          number_cell(table.expected_rows),
          dry_run ? Cell(events::Null{}) : number_cell(table.found_rows),
          dry_run ? Cell(events::Null{}) : Cell(table.equal() && changes.unknown == 0),
          text_cell(table.expected_digest),
          text_cell(table.found_digest)};
}

// What a table shows: digests by their beginning, and what was expected only where it was not
// found.
const std::vector<Column>& short_columns() {
  static const std::vector<Column> columns = {{"table"},      {"inserted"},  {"updated"},
                                              {"deleted"},    {"unchanged"}, {"unknown"},
                                              {"found_rows"}, {"equal"},     {"found_digest"}};
  return columns;
}

void print_short_rows(Session& session, const Certificate& certificate) {
  Printer printer(session.out(), session.printing(), short_columns());
  for (const TableCertificate& table : certificate.tables) {
    const std::vector<Cell> all = table_cells(table, certificate.dry_run);
    std::vector<Cell> cells(all.begin(), all.begin() + 6);
    cells.insert(cells.end(),
                 {all[7], all[8], text_cell(shown_digest(session, table.found_digest))});
    std::vector<std::string> notes;
    if (!certificate.dry_run && !table.equal()) {
      notes.push_back(fmt::format("expected: {} rows, digest {}", table.expected_rows,
                                  shown_digest(session, table.expected_digest)));
    }
    printer.row(cells, notes);
  }
  printer.finish();
}

std::string verdict_of(const Certificate& certificate) {
  if (certificate.dry_run) return "dry run";
  return certificate.correct() ? "equal" : "different";
}

JsonText tables_json(const Certificate& certificate) {
  JsonBuilder json;
  json.begin_array();
  for (const TableCertificate& table : certificate.tables) {
    const std::vector<Cell> cells = table_cells(table, certificate.dry_run);
    json.begin_object();
    for (std::size_t i = 0; i < cells.size(); ++i) {
      json.member(table_columns()[i].name, cells[i]);
    }
    json.end_object();
  }
  json.end_array();
  return json.document();
}

void print_certificate(Session& session, const Certificate& certificate,
                       const std::string& read_model) {
  PrintOptions printing = session.printing();
  const std::vector<Column> head_columns = {{"read_model"}, {"store_id"}, {"incarnation"},
                                            {"epoch"},      {"position"}, {"log_digest"},
                                            {"mode"},       {"verdict"}};
  const std::vector<Cell> head = {
      read_model,
      certificate.mark.store_id,
      number_cell(certificate.mark.incarnation),
      number_cell(certificate.mark.epoch),
      number_cell(certificate.mark.position.value),
      hex(certificate.log_digest),
      std::string(certificate.mode == projections::LoadMode::kFresh ? "fresh" : "in-place"),
      verdict_of(certificate)};
  const bool rows = printing.format == Format::kTable || printing.format == Format::kCsv;
  if (!rows) {
    auto columns = head_columns;
    auto cells = head;
    columns.push_back({"tables"});
    cells.emplace_back(tables_json(certificate));
    print_record(session.out(), printing, columns, cells);
    return;
  }
  if (printing.format == Format::kTable && printing.fields.empty()) {
    print_record(session.out(), printing, head_columns, head);
    session.out().write("\n");
    print_short_rows(session, certificate);
    return;
  }
  Printer printer(session.out(), printing, table_columns());
  for (const TableCertificate& table : certificate.tables) {
    printer.row(table_cells(table, certificate.dry_run));
  }
  printer.finish();
}

class RebuildCommand final : public Command {
 public:
  [[nodiscard]] std::string_view name() const override { return "rebuild"; }
  [[nodiscard]] Opens opens() const override { return Opens::kToReadForLong; }
  [[nodiscard]] std::string_view help() const override {
    return "Bring the read model to the state of the log, whatever it holds, and prove it.";
  }
  [[nodiscard]] std::string_view examples() const override {
    return "tenantry rebuild\n"
           "tenantry rebuild --dry-run\n"
           "tenantry rebuild --delete-unknown --yes\n"
           "tenantry rebuild --as-of 2026-01-31 --schema audit\n"
           "tenantry rebuild --as-of 1000 --read-model sqlite:/tmp/then.sqlite3\n"
           "tenantry rebuild --from-events --read-model sqlite:/tmp/proof.sqlite3\n"
           "tenantry rebuild --take-over --read-model sqlite:/srv/app/db.sqlite3";
  }
  void declare(CLI::App& app) override {
    auto* const fresh = app.add_flag("--fresh", fresh_, "the tables must be absent");
    app.add_flag("--in-place", in_place_, "the tables must be there: only differences are written")
        ->excludes(fresh);
    app.add_flag("--from-events", options_.from_events,
                 "fold the history instead of reading the state; the same result");
    app.add_option("--as-of", as_of_,
                   "as the rows were then: a position, a time or an age; in a place of its own")
        ->type_name("POINT");
    app.add_option("--tenant", tenant_, "only this tenant's rows")
        ->type_name("TENANT")
        ->excludes("--as-of");
    app.add_option("--schema", schema_, "where the tables are in PostgreSQL, instead of public")
        ->type_name("NAME");
    app.add_flag("--delete-unknown", options_.delete_unknown,
                 "delete rows that the log does not know; else they stay and are reported");
    app.add_flag("--restore-app-columns", options_.restore_application_columns,
                 "write columns too that the application owns (password, last_login)");
    app.add_option("--name", name_, "what `tenantry project --name` calls the read model")
        ->type_name("NAME");
    app.add_flag("--take-over", options_.take_over,
                 "of a read model of another store or of none; deletes rows the log does not know");
    app.add_flag("--dry-run", options_.dry_run, "count what would change and write nothing");
  }

  [[nodiscard]] ExitCode run(Session& session) override {
    const TenancyStore& store = session.store();
    if (fresh_) options_.mode = projections::LoadMode::kFresh;
    if (in_place_) options_.mode = projections::LoadMode::kInPlace;
    if (!tenant_.empty()) options_.tenant = find_tenant(store, tenant_);
    options_.stop = session.interrupt().token();
    const auto target = session.open_read_model(/*read_only=*/false, schema_);
    if (!as_of_.empty()) {
      require_place_of_its_own(session);
      options_.as_of = parse_reached_point(store, as_of_, session.now());
      if (!confirm_going_back(session, *target)) {
        session.remark("nothing was changed");
        return ExitCode::kDone;
      }
    }
    if (!options_.dry_run && !confirm(session, *target)) {
      session.remark("nothing was changed");
      return ExitCode::kDone;
    }
    const Certificate certificate = rebuild(session, *target, options_);
    print_certificate(session, certificate, target->name());
    note_checkpoint(session, certificate, name_.empty() ? target->name() : name_);
    if (may_be_for_django(session, certificate)) remark_on_django(session, *target, "rebuild");
    if (certificate.dry_run || certificate.correct()) return ExitCode::kDone;
    session.remark(
        "the read model differs from the log; rows that the log does not know stay "
        "without --delete-unknown");
    return ExitCode::kDiffers;
  }

 private:
  // Of a read model that follows the log, and is known to.
  void note_checkpoint(Session& session, const Certificate& certificate,
                       const std::string& name) const {
    if (certificate.dry_run || !certificate.correct() || options_.tenant || options_.as_of) return;
    const std::vector<Consumer> known = session.store().status().consumers;
    if (std::ranges::find(known, name, &Consumer::name) == known.end()) return;
    CheckpointNote(session).note(name, certificate.mark.position, /*filled_anew=*/true);
  }

  // New tables where an application of Django's would have its own.
  [[nodiscard]] bool may_be_for_django(const Session& session,
                                       const Certificate& certificate) const {
    const bool file = std::holds_alternative<SqliteLocation>(session.read_model_target().location);
    const bool fresh = certificate.mode == projections::LoadMode::kFresh && !certificate.dry_run;
    return fresh && !file && !options_.as_of && (schema_.empty() || schema_ == "public");
  }

  // What an application reads is not taken back in time by mistake.
  void require_place_of_its_own(const Session& session) const {
    const bool file = std::holds_alternative<SqliteLocation>(session.read_model_target().location);
    const bool own =
        file ? !session.options().read_model.empty() : !schema_.empty() && schema_ != "public";
    if (own) return;
    throw UsageError("as_of_needs_place", "--as-of makes a copy beside the present read model",
                     file ? "name a file for it with --read-model sqlite:PATH"
                          : "name a schema for it with --schema NAME");
  }

  // A file may be the one that an application reads.
  [[nodiscard]] bool confirm_going_back(Session& session, projections::ReadModel& target) const {
    if (!schema_.empty() || options_.dry_run || session.options().yes) return true;
    const auto mark = target.probe().mark;
    if (!mark || mark->position <= *options_.as_of) return true;
    return session.confirm(fmt::format("{} is to go back from position {} to {}", target.name(),
                                       mark->position.value, options_.as_of->value),
                           session.read_model_target().short_name());
  }

  static Certificate rebuild(Session& session, projections::ReadModel& target,
                             projections::RebuildOptions options) {
    ProgressMeter meter(session.progress_mode(false), "rebuild",
                        options.from_events ? "events and rows" : "rows");
    options.progress = row_progress(meter);
    auto outcome = projections::rebuild(session.store(), target, options);
    if (const auto* fenced = std::get_if<projections::Fenced>(&outcome)) throw_fenced(*fenced);
    if (std::holds_alternative<projections::RebuildStopped>(outcome)) throw Interrupted{};
    return std::get<Certificate>(std::move(outcome));
  }

  // Whether to go on, when rows may be deleted that the log does not know.
  [[nodiscard]] bool confirm(Session& session, projections::ReadModel& target) const {
    if (!options_.delete_unknown && !options_.take_over) return true;
    const projections::Probe probe = target.probe();
    if (session.options().yes || !probe.has_rows) return true;
    projections::RebuildOptions dry = options_;
    dry.dry_run = true;
    std::uint64_t deleted = 0;
    for (const TableCertificate& table : rebuild(session, target, dry).tables) {
      if (table.changes.deleted == 0) continue;
      session.remark(fmt::format("{}: rows to be deleted: {}", table.changes.table->name,
                                 table.changes.deleted));
      deleted += table.changes.deleted;
    }
    const std::string name = session.read_model_target().short_name();
    if (deleted == 0 && !options_.take_over) return true;
    return session.confirm(fmt::format("rows of {1} to be deleted: {0}", deleted, target.name()),
                           name);
  }

  projections::RebuildOptions options_;
  std::string tenant_;
  std::string as_of_;
  std::string schema_;
  std::string name_;
  bool fresh_ = false;
  bool in_place_ = false;
};

}  // namespace

std::unique_ptr<Command> make_rebuild_command() { return std::make_unique<RebuildCommand>(); }

}  // namespace tenantry::tools
