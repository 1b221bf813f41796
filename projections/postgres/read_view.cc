#include "projections/postgres/read_view.h"

#include <algorithm>
#include <set>
#include <utility>

#include "projections/contract.h"
#include "projections/postgres/mark.h"
#include "projections/postgres/schema.h"
#include "projections/postgres/values.h"

namespace tenantry::projections::postgres {
namespace {

using events::TableInfo;

std::string_view view_of(const pqxx::field& field) { return {field.c_str(), field.size()}; }

events::RowValues row_of(const TableInfo& table, const pqxx::row& found) {
  events::RowValues row;
  row.reserve(table.columns.size());
  for (std::size_t place = 0; place < table.columns.size(); ++place) {
    const pqxx::field field = found[static_cast<pqxx::row::size_type>(place)];
    if (field.is_null()) {
      row.emplace_back(events::Null{});
    } else {
      row.push_back(parse_text(table.columns[place], view_of(field)));
    }
  }
  return row;
}

constexpr const char* kColumns =
    "SELECT c.relname, a.attname FROM pg_catalog.pg_class c"
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid"
    " WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attnum > 0"
    " AND NOT a.attisdropped";

class PostgresReadView final : public ReadView {
 public:
  PostgresReadView(Session& session, const std::string& schema)
      : session_(session), schema_(schema) {
    session_.translated([&] {
      transaction_ = std::make_unique<ReadTransaction>(session_.connection());
      mark_ = read_mark(*transaction_, schema_);
      for (const pqxx::row& row : transaction_->exec_params(kColumns, schema_)) {
        columns_.emplace(row[0].as<std::string>(), row[1].as<std::string>());
      }
    });
  }

  [[nodiscard]] const std::optional<Mark>& mark() const override { return mark_; }

  void scan_rows(const TableInfo& table,
                 const std::function<bool(const events::RowValues&)>& visit) override {
    execute("DECLARE tenantry_rows NO SCROLL CURSOR FOR " + select(table) + " ORDER BY " +
            id_of(table));
    for (bool more = true; more;) {
      const pqxx::result rows = execute("FETCH FORWARD 2000 FROM tenantry_rows");
      more = !rows.empty() && std::ranges::all_of(rows, [&](const pqxx::row& row) {
        return visit(row_of(table, row));
      });
    }
    execute("CLOSE tenantry_rows");
  }

  [[nodiscard]] std::optional<events::RowValues> row(const TableInfo& table,
                                                     const events::Uuid& id) override {
    const pqxx::result rows = execute(select(table) + " WHERE " + id_of(table) + " = " +
                                      text_literal(events::format_entity_id(table, id)));
    if (rows.empty()) return std::nullopt;
    return row_of(table, rows.front());
  }

  [[nodiscard]] std::int64_t largest_id(const TableInfo& table) override {
    const std::string name = text_literal(qualified(schema_, table.name));
    const std::string id = text_literal(table.columns[table.id_column].name);
    return execute("SELECT greatest(0, (SELECT max(" + id_of(table) + ") FROM " + source(table) +
                   "), pg_catalog.pg_sequence_last_value(pg_catalog.pg_get_serial_sequence(" +
                   name + ", " + id + ")::regclass))")[0][0]
        .as<std::int64_t>();
  }

  [[nodiscard]] TableFingerprint fingerprint(const TableInfo& table,
                                             const std::optional<events::Uuid>& tenant) override {
    std::string condition;
    if (tenant) {
      condition = identifier(table.columns[table.owner_column.value()].name) + " = " +
                  text_literal(events::format_uuid(*tenant)) + "::uuid";
    }
    const pqxx::result sums = execute(fingerprint_sql(source(table), table, condition));
    TableFingerprint fingerprint;
    fingerprint.rows = std::stoull(sums[0][0].c_str());
    for (std::size_t lane = 0; lane < fingerprint.lanes.size(); ++lane) {
      fingerprint.lanes[lane] =
          std::stoull(sums[0][static_cast<pqxx::row::size_type>(lane + 1)].c_str());
    }
    return fingerprint;
  }

 private:
  [[nodiscard]] std::string select(const TableInfo& table) const {
    return "SELECT " + column_list(table) + " FROM " + source(table);
  }
  // The table, and what a column that it lacks would be filled with.
  [[nodiscard]] std::string source(const TableInfo& table) const {
    const std::string name = qualified(schema_, table.name);
    std::string filled;
    for (std::size_t place = 0; place < table.columns.size(); ++place) {
      const events::ColumnInfo& column = table.columns[place];
      if (!can_be_added(table, place) || columns_.contains({table.name, column.name})) continue;
      filled += (defaults_to_true(table, place) ? ", true" : ", NULL::" + type_sql(column)) +
                " AS " + identifier(column.name);
    }
    return filled.empty() ? name : "(SELECT t.*" + filled + " FROM " + name + " AS t) AS filled";
  }
  static std::string id_of(const TableInfo& table) {
    return identifier(table.columns[table.id_column].name);
  }
  pqxx::result execute(const std::string& sql) {
    pqxx::result result;
    session_.translated([&] { result = transaction_->exec(sql); });
    return result;
  }

  Session& session_;
  std::string schema_;
  std::unique_ptr<ReadTransaction> transaction_;
  std::optional<Mark> mark_;
  std::set<std::pair<std::string, std::string>> columns_;  // Of any table: table and column.
};

}  // namespace

std::optional<Mark> read_mark(pqxx::transaction_base& transaction, const std::string& schema) {
  if (!transaction.exec1(kHasMarkTable)[0].as<bool>()) return std::nullopt;
  const pqxx::result found = transaction.exec_params(kSelectMark, schema);
  if (found.empty()) return std::nullopt;
  const pqxx::row row = found.front();
  return parse_mark([&](int column) { return view_of(row[column]); });
}

std::unique_ptr<ReadView> open_read_view(Session& session, const std::string& schema) {
  return std::make_unique<PostgresReadView>(session, schema);
}

}  // namespace tenantry::projections::postgres
