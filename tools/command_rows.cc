#include <map>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "events/encoding.h"
#include "tools/command.h"
#include "tools/references.h"
#include "tools/row_filter.h"

namespace tenantry::tools {
namespace {

// A column that tells the name of what another column refers to.
struct NameColumn {
  std::string name;        // `tenant_slug`, `created_by_username`
  std::size_t source = 0;  // Place of the id.
  const events::TableInfo* target = nullptr;
  std::size_t target_column = 0;
};

std::vector<NameColumn> name_columns(const events::TableInfo& table) {
  constexpr std::string_view kSuffix = "_id";
  std::vector<NameColumn> columns;
  for (std::size_t place = 0; place < table.columns.size(); ++place) {
    const events::ColumnInfo& column = table.columns[place];
    const events::TableInfo* const target = events::find_table(column.references);
    if (target == nullptr || target->key_columns.empty()) continue;
    const std::size_t key = target->key_columns.front();
    std::string name = column.name;
    if (name.ends_with(kSuffix)) name.resize(name.size() - kSuffix.size());
    columns.push_back({name + "_" + target->columns[key].name, place, target, key});
  }
  return columns;
}

class RowPrinter {
 public:
  RowPrinter(Session& session, const events::TableInfo& table, bool names)
      : session_(session),
        table_(table),
        names_(names ? name_columns(table) : std::vector<NameColumn>{}),
        printer_(session.out(), session.printing(), columns()) {}

  void print(const StateView& state, const RowFilter& filter,
             const std::optional<events::Uuid>& tenant) {
    state.scan_rows(table_, tenant, [&](const StoredRow& stored) {
      const events::RowValues row = events::decode_row(table_, stored.bytes);
      if (filter.matches(row)) print_row(state, row);
      return !session_.interrupt().requested();
    });
    printer_.finish();
  }

 private:
  [[nodiscard]] std::vector<Column> columns() const {
    std::vector<Column> columns;
    for (const events::ColumnInfo& column : table_.columns) columns.push_back({column.name});
    for (const NameColumn& column : names_) columns.push_back({column.name});
    return columns;
  }

  void print_row(const StateView& state, const events::RowValues& row) {
    std::vector<Cell> cells;
    for (std::size_t place = 0; place < row.size(); ++place) {
      cells.push_back(column_cell(table_.columns[place], row[place], session_.reveal()));
    }
    for (const NameColumn& column : names_) cells.push_back(name_of(state, column, row));
    printer_.row(cells);
  }

  Cell name_of(const StateView& state, const NameColumn& column, const events::RowValues& row) {
    const events::Value& id = row[column.source];
    if (std::holds_alternative<events::Null>(id)) return events::Null{};
    const auto stored = state.row_by_id(*column.target, events::entity_key(id));
    if (!stored) return events::Null{};
    const events::RowValues found = events::decode_row(*column.target, stored->bytes);
    return column_cell(column.target->columns[column.target_column], found[column.target_column],
                       session_.reveal());
  }

  Session& session_;
  const events::TableInfo& table_;
  std::vector<NameColumn> names_;
  Printer printer_;
};

class RowsCommand final : public Command {
 public:
  [[nodiscard]] std::string_view name() const override { return "rows"; }
  [[nodiscard]] std::string_view help() const override {
    return "Rows of a table as the store knows them, now or at a point in history.";
  }
  [[nodiscard]] std::string_view examples() const override {
    return "tenantry rows tenants_tenant\n"
           "tenantry rows tenants_tenant_user --tenant acme --names\n"
           "tenantry rows tenants_tenant_user --where role=owner --where is_active=true\n"
           "tenantry rows auth_user --as-of 2026-01-31 -o csv";
  }
  void declare(CLI::App& app) override {
    app.add_option("TABLE", table_, "auth_user, tenants_tenant, …")->required();
    app.add_option("--tenant", tenant_, "rows of this tenant: a slug or a UUID")
        ->type_name("TENANT");
    app.add_option("--where", where_, "rows with this value; null for NULL")
        ->type_name("COLUMN=VALUE")
        ->take_all();
    app.add_flag("--names", names_, "add slugs and usernames beside ids");
    app.add_option("--as-of", as_of_, "at a position, time or age")->type_name("POINT");
  }

  [[nodiscard]] ExitCode run(Session& session) override {
    const events::TableInfo& table = named_table(table_);
    const RowFilter filter(table, where_, session.now());
    std::optional<events::Uuid> tenant;
    if (!tenant_.empty()) {
      require_tenants(table);
      tenant = find_tenant(session.store(), tenant_);
    }
    RowPrinter printer(session, table, names_);
    printer.print(*session.rows_at(as_of_, tenant).rows, filter, tenant);
    session.interrupt().check();
    return ExitCode::kDone;
  }

 private:
  std::string table_;
  std::string tenant_;
  std::vector<std::string> where_;
  std::string as_of_;
  bool names_ = false;
};

}  // namespace

std::unique_ptr<Command> make_rows_command() { return std::make_unique<RowsCommand>(); }

}  // namespace tenantry::tools
