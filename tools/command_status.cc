#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "core/hash.h"
#include "projections/target_check.h"
#include "tools/command.h"
#include "tools/json_builder.h"
#include "tools/visibility.h"

namespace tenantry::tools {
namespace {

const std::vector<Column>& scope_columns() {
  static const std::vector<Column> columns = {{"scope"},       {"events"},     {"last_position"},
                                              {"base"},        {"live"},       {"live_bytes"},
                                              {"archived"},    {"discarded"},  {"archive_bytes"},
                                              {"last_squash"}, {"squashed_at"}};
  return columns;
}

std::vector<std::vector<Cell>> scope_records(const StoreStatus& status) {
  std::vector<std::vector<Cell>> records;
  for (const ScopeStatus& scope : status.scopes) {
    const bool squashed = scope.squash.value > 0;
    records.push_back({std::string(events::scope_name(scope.scope)), number_cell(scope.events),
                       number_cell(scope.last.value), number_cell(scope.base.value),
                       number_cell(scope.events - scope.archived - scope.discarded),
                       number_cell(scope.live_bytes), number_cell(scope.archived),
                       number_cell(scope.discarded), number_cell(scope.archive_bytes),
                       squashed ? number_cell(scope.squash.value) : Cell(events::Null{}),
                       squashed ? Cell(scope.squashed_at) : Cell(events::Null{})});
  }
  return records;
}

JsonText rows_json(const StoreStatus& status) {
  JsonBuilder json;
  json.begin_object();
  for (const auto& [table, rows] : status.rows) json.member(table, number_cell(rows));
  json.end_object();
  return json.document();
}

// Empty for almost every store.
JsonText repairs_json(const StoreStatus& status) {
  JsonBuilder json;
  json.begin_array();
  for (const StoreRepair& repair : status.repairs) {
    json.begin_object();
    json.key("at").string(events::format_timestamp(repair.at));
    json.member("tail", number_cell(repair.tail.value));
    json.key("file").string(repair.file);
    json.member("cut_at", number_cell(repair.cut_at));
    json.member("cut_bytes", number_cell(repair.cut_bytes));
    json.end_object();
  }
  json.end_array();
  return json.document();
}

std::vector<std::vector<Cell>> consumer_records(const StoreStatus& status) {
  std::vector<std::vector<Cell>> records;
  const std::uint64_t tail = status.tail.tail.value;
  for (const Consumer& consumer : status.consumers) {
    const std::uint64_t at = consumer.checkpoint.value;
    records.push_back({consumer.name, number_cell(at), number_cell(tail > at ? tail - at : 0),
                       consumer.noted_at,
                       consumer.schema_version > 0 ? number_cell(consumer.schema_version)
                                                   : Cell(events::Null{})});
  }
  return records;
}

const std::vector<Column>& consumer_columns() {
  static const std::vector<Column> columns = {
      {"consumer"}, {"checkpoint"}, {"lag"}, {"noted_at"}, {"schema_version"}};
  return columns;
}

JsonText records_json(const std::vector<Column>& columns,
                      const std::vector<std::vector<Cell>>& records) {
  JsonBuilder json;
  json.begin_array();
  for (const std::vector<Cell>& cells : records) {
    json.begin_object();
    for (std::size_t i = 0; i < cells.size(); ++i) json.member(columns[i].name, cells[i]);
    json.end_object();
  }
  json.end_array();
  return json.document();
}

const char* health_of(const projections::Probe& probe, const StoreStatus& status,
                      const TenancyStore& store) {
  if (probe.presence == projections::Presence::kAbsent) return "absent";
  if (!probe.mark) return "not_ours";
  if (probe.mark->store_id != status.identity.store) return "of_another_store";
  if (probe.mark->position < status.discarded) return "behind_discarded_history";
  const bool goes_on = projections::continues(store, *probe.mark);
  const bool restored = probe.mark->incarnation != status.identity.incarnation;
  if (restored && !goes_on) return "of_another_incarnation";
  if (probe.mark->position > status.tail.tail) return "ahead_of_the_log";
  if (!goes_on) return "of_another_history";
  if (!probe.fits()) return "shape_differs";
  return probe.mark->position == status.tail.tail ? "up_to_date" : "behind";
}

const std::vector<Column>& read_model_columns() {
  static const std::vector<Column> columns = {{"name"},  {"state"}, {"checkpoint"},
                                              {"epoch"}, {"lag"},   {"why"}};
  return columns;
}

// The read model as far as it can be seen: status never fails because of it.
std::vector<Cell> read_model_cells(Session& session, const StoreStatus& status) {
  std::vector<Cell> cells(read_model_columns().size());
  try {
    const auto read_model = session.open_read_model(true);
    cells[0] = read_model->name();
    if (!session.read_model_target().absent_file().empty()) {
      cells[1] = std::string("absent");
      return cells;
    }
    const projections::Probe probe = read_model->probe();
    cells[1] = std::string(health_of(probe, status, session.store()));
    if (probe.mark) {
      const std::uint64_t at = probe.mark->position.value;
      const std::uint64_t tail = status.tail.tail.value;
      cells[2] = number_cell(at);
      cells[3] = number_cell(probe.mark->epoch);
      cells[4] = number_cell(tail > at ? tail - at : 0);
    }
  } catch (const std::runtime_error& error) {
    cells[1] = std::string("unreadable");
    cells[5] = std::string(error.what());
  }
  return cells;
}

JsonText read_model_json(const std::vector<Cell>& cells) {
  JsonBuilder json;
  json.begin_object();
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (std::holds_alternative<events::Null>(cells[i])) continue;
    json.member(read_model_columns()[i].name, cells[i]);
  }
  json.end_object();
  return json.document();
}

class StatusCommand final : public Command {
 public:
  [[nodiscard]] std::string_view name() const override { return "status"; }
  [[nodiscard]] std::string_view help() const override {
    return "What the store holds, and how far the read model is.";
  }
  [[nodiscard]] std::string_view examples() const override {
    return "tenantry status\n"
           "tenantry status -o json --fields tail,read_model\n"
           "tenantry status -o json --fields scopes\n"
           "tenantry status --wait-for 1200 --wait-max 5";
  }
  void declare(CLI::App& app) override {
    add_count(app, "--wait-for", wait_for_,
              "wait until the read model shows that position; exit code 6 if it does not");
    declare_wait_max(app, wait_seconds_);
  }
  [[nodiscard]] Opens opens() const override {
    return wait_for_ > 0 ? Opens::kToReadForLong : Opens::kToRead;
  }

  [[nodiscard]] ExitCode run(Session& session) override {
    if (wait_for_ > 0) {
      Visibility(session, "default", wait_seconds_).await(Position{wait_for_});
      session.interrupt().check();
    }
    const StoreStatus status = session.store().status();
    // Who does not ask for it does not wait for a database that is away.
    const std::vector<std::string>& fields = session.printing().fields;
    const bool asked = fields.empty() || std::ranges::find(fields, "read_model") != fields.end();
    const std::vector<Cell> read_model =
        asked ? read_model_cells(session, status) : std::vector<Cell>(read_model_columns().size());
    const bool empty = status.tail.tail.value == 0;
    std::vector<Column> columns = {
        {"store_id"},         {"incarnation"}, {"directory"}, {"created_at"}, {"tail"},
        {"last_recorded_at"}, {"log_digest"},  {"bytes"},     {"term"},       {"batches"}};
    std::vector<Cell> cells = {status.identity.store,
                               number_cell(status.identity.incarnation),
                               status.directory,
                               status.created_at,
                               number_cell(status.tail.tail.value),
                               empty ? Cell(events::Null{}) : Cell(status.tail.last_recorded),
                               hex(status.tail.digest),
                               number_cell(status.bytes),
                               number_cell(status.term),
                               number_cell(status.batches)};
    const bool tables = session.prints_table() && session.printing().fields.empty();
    if (!tables) {
      columns.insert(columns.end(),
                     {{"scopes"}, {"rows"}, {"repairs"}, {"consumers"}, {"read_model"}});
      cells.insert(cells.end(), {records_json(scope_columns(), scope_records(status)),
                                 rows_json(status), repairs_json(status),
                                 records_json(consumer_columns(), consumer_records(status)),
                                 read_model_json(read_model)});
    }
    print_record(session.out(), session.printing(), columns, cells);
    if (tables) print_tables(session, status, read_model);
    return ExitCode::kDone;
  }

 private:
  std::uint64_t wait_for_ = 0;  // A position; 0: for none.
  std::uint64_t wait_seconds_ = kWaitSeconds;

  static void print_table(Session& session, const std::vector<Column>& columns,
                          const std::vector<std::vector<Cell>>& records) {
    session.out().write("\n");
    Printer printer(session.out(), session.printing(), columns);
    for (const std::vector<Cell>& cells : records) printer.row(cells);
    printer.finish();
  }

  static void print_tables(Session& session, const StoreStatus& status,
                           const std::vector<Cell>& read_model) {
    print_table(session, scope_columns(), scope_records(status));
    std::vector<std::vector<Cell>> rows;
    for (const auto& [table, count] : status.rows) rows.push_back({table, number_cell(count)});
    print_table(session, {{"table"}, {"rows"}}, rows);
    if (!status.repairs.empty()) {
      print_record(session.out(), session.printing(), {{"repairs"}}, {repairs_json(status)});
    }
    if (!status.consumers.empty()) {
      print_table(session, consumer_columns(), consumer_records(status));
    }
    session.out().write("\n");
    std::vector<Column> named = read_model_columns();
    named.front().name = "read_model";
    print_record(session.out(), session.printing(), named, read_model);
  }
};

}  // namespace

std::unique_ptr<Command> make_status_command() { return std::make_unique<StatusCommand>(); }

}  // namespace tenantry::tools
