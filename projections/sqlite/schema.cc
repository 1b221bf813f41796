#include "projections/sqlite/schema.h"

#include <algorithm>

#include "core/error.h"
#include "projections/sql_text.h"
#include "projections/sqlite/values.h"

namespace tenantry::projections::sqlite {
namespace {

using events::ColumnInfo;
using events::SqlType;
using events::TableInfo;

constexpr std::string_view kMarkTable = "tenantry_mark";

// Django remade these tables in a later migration, which put the altered column last. It matters to
// nobody who names columns; it is followed so that the layout is the same to the letter.
constexpr std::pair<std::string_view, std::string_view> kMovedLast[] = {
    {"auth_user", "first_name"}};

bool is_last(const TableInfo& table, const ColumnInfo& column) {
  return std::ranges::any_of(kMovedLast, [&](const auto& moved) {
    return moved.first == table.name && moved.second == column.name;
  });
}

std::string type_sql(const ColumnInfo& column) {
  switch (column.type) {
    case SqlType::INTEGER:
      return "integer";
    case SqlType::BIGINT:
      return "bigint";
    case SqlType::BOOLEAN:
      return "bool";
    case SqlType::VARCHAR:
      return "varchar(" + std::to_string(column.length) + ")";
    case SqlType::TEXT:
    case SqlType::JSONB:
      return "text";
    case SqlType::TIMESTAMPTZ:
      return "datetime";
    case SqlType::UUID:
      return "char(32)";
  }
  return {};
}

bool is_unique_column(const TableInfo& table, std::size_t place) {
  return std::ranges::any_of(contract_of(table).indexes, [&](const IndexInfo& index) {
    return index.use == IndexUse::kUniqueColumn && index.columns.front() == place;
  });
}

std::string column_sql(const TableInfo& table, std::size_t place) {
  const ColumnInfo& column = table.columns[place];
  const std::string name = identifier(column.name);
  if (place == table.id_column) {
    return name + (table.integer_ids ? " integer NOT NULL PRIMARY KEY AUTOINCREMENT"
                                     : " " + type_sql(column) + " NOT NULL PRIMARY KEY");
  }
  std::string sql = name + " " + type_sql(column) + (column.nullable ? " NULL" : " NOT NULL");
  if (is_unique_column(table, place)) sql += " UNIQUE";
  if (column.type == SqlType::JSONB) {
    sql += " CHECK ((JSON_VALID(" + name + ") OR " + name + " IS NULL))";
  }
  if (!column.references.empty()) {
    sql +=
        " REFERENCES " + identifier(column.references) + " (\"id\") DEFERRABLE INITIALLY DEFERRED";
  }
  return sql;
}

// Of a table that has rows. SQLite cannot add a column that is unique.
bool is_addable(const TableInfo& table, std::size_t place) {
  return can_be_added(table, place) && !is_unique_column(table, place);
}

std::string add_column_sql(const TableInfo& table, std::size_t place) {
  return "ALTER TABLE " + identifier(table.name) + " ADD COLUMN " + column_sql(table, place) +
         (defaults_to_true(table, place) ? " DEFAULT 1" : "");
}

std::string names_sql(const TableInfo& table, const std::vector<std::size_t>& columns) {
  std::string list;
  for (const std::size_t place : columns) {
    list += (list.empty() ? "" : ", ") + identifier(table.columns[place].name);
  }
  return list;
}

std::string index_sql(const TableInfo& table, const IndexInfo& index) {
  std::string sql = index.unique() ? "CREATE UNIQUE INDEX " : "CREATE INDEX ";
  sql += identifier(index.name) + " ON " + identifier(table.name) + " (" +
         names_sql(table, index.columns) + ")";
  if (index.where_column) {
    sql += " WHERE " + identifier(table.columns[*index.where_column].name) + " = " +
           text_literal(index.where_value);
  }
  return sql;
}

bool is_separate(const IndexInfo& index) {
  return !index.inline_in_table() && index.use != IndexUse::kPattern;
}

std::string lowered(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) {
    return static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  });
  return text;
}

struct LiveColumn {
  std::string name;
  std::string type;
  bool nullable = true;
  bool has_default = false;
  bool key = false;
};

std::vector<LiveColumn> live_columns(Connection& connection, const TableInfo& table) {
  std::vector<LiveColumn> found;
  Statement statement = connection.prepare(
      "SELECT name, type, \"notnull\", dflt_value IS NOT NULL, pk FROM pragma_table_info(?)");
  statement.bind(1, std::string_view(table.name));
  while (statement.step()) {
    found.push_back({statement.text(0), lowered(statement.text(1)), statement.integer(2) == 0,
                     statement.integer(3) != 0, statement.integer(4) != 0});
  }
  return found;
}

// An index as the catalogue has it: its columns, whether unique, and for a partial one its
// condition.
struct LiveIndex {
  std::string name;
  bool unique = false;
  bool partial = false;
  std::string columns;
  std::string sql;
};

std::vector<LiveIndex> live_indexes(Connection& connection, const TableInfo& table) {
  std::vector<LiveIndex> found;
  Statement statement = connection.prepare(
      "SELECT l.name, l.\"unique\", l.partial,"
      " (SELECT group_concat(coalesce(i.name, '(expression)')) FROM pragma_index_info(l.name) i),"
      " coalesce((SELECT m.sql FROM main.sqlite_master m WHERE m.name = l.name), '')"
      " FROM pragma_index_list(?) l");
  statement.bind(1, std::string_view(table.name));
  while (statement.step()) {
    found.push_back({statement.text(0), statement.integer(1) != 0, statement.integer(2) != 0,
                     statement.text(3), statement.text(4)});
  }
  return found;
}

std::string joined_names(const TableInfo& table, const std::vector<std::size_t>& columns) {
  std::string names;
  for (const std::size_t place : columns)
    names += (names.empty() ? "" : ",") + table.columns[place].name;
  return names;
}

std::string condition_of(const std::string& sql) {
  const auto where = lowered(sql).find(" where ");
  return where == std::string::npos ? std::string() : sql.substr(where + 7);
}

bool is_same_index(const TableInfo& table, const IndexInfo& wanted, const LiveIndex& live) {
  return live.unique == wanted.unique() && live.partial == wanted.where_column.has_value() &&
         live.columns == joined_names(table, wanted.columns) &&
         (!live.partial || condition_of(live.sql) == condition_of(index_sql(table, wanted)));
}

void compare_column(std::vector<ShapeFinding>& findings, const TableInfo& table, std::size_t place,
                    const LiveColumn* live) {
  const ColumnInfo& column = table.columns[place];
  const bool key = place == table.id_column;
  const auto add = [&](std::string message, std::string remedy = {}) {
    findings.push_back({Severity::kFatal, table.name, std::move(message), std::move(remedy)});
  };
  if (live == nullptr) {
    const bool addable = is_addable(table, place);
    add("column " + column.name + " is missing", addable ? add_column_sql(table, place) : "");
    findings.back().unreadable = !addable;
    return;
  }
  const std::string type = key && table.integer_ids ? "integer" : type_sql(column);
  if (live->type != type) {
    add("column " + column.name + " is " + live->type + " instead of " + type);
  }
  if (live->nullable != (column.nullable && !key)) {
    add("column " + column.name + (live->nullable ? " may be NULL" : " may not be NULL"));
  }
  if (live->key != key) {
    add("column " + column.name + (key ? " is not the primary key" : " is in the primary key"));
  }
}

void compare_columns(std::vector<ShapeFinding>& findings, Connection& connection,
                     const TableInfo& table) {
  const auto live = live_columns(connection, table);
  for (std::size_t place = 0; place < table.columns.size(); ++place) {
    const auto found = std::ranges::find(live, table.columns[place].name, &LiveColumn::name);
    compare_column(findings, table, place, found == live.end() ? nullptr : &*found);
  }
  for (const LiveColumn& column : live) {
    if (table.find_column(column.name)) continue;
    const bool fillable = column.nullable || column.has_default;
    findings.push_back({fillable ? Severity::kWarning : Severity::kFatal,
                        table.name,
                        "column " + column.name + " is not part of the read model",
                        {}});
  }
}

ShapeFinding foreign_index(const TableInfo& table, const LiveIndex& index) {
  return {index.unique ? Severity::kFatal : Severity::kWarning, table.name,
          (index.unique ? "unique index " : "index ") + index.name + " (" + index.columns +
              ") is not part of the read model",
          index.sql.empty() ? "" : "DROP INDEX " + identifier(index.name)};
}

void compare_indexes(std::vector<ShapeFinding>& findings, Connection& connection,
                     const TableInfo& table) {
  auto live = live_indexes(connection, table);
  for (const IndexInfo& wanted : contract_of(table).indexes) {
    if (wanted.use == IndexUse::kPattern) continue;
    if (wanted.use == IndexUse::kPrimaryKey && table.integer_ids) continue;  // It is the row id.
    const auto found = std::ranges::find_if(
        live, [&](const LiveIndex& index) { return is_same_index(table, wanted, index); });
    if (found != live.end()) {
      live.erase(found);
      continue;
    }
    findings.push_back({wanted.unique() ? Severity::kFatal : Severity::kWarning, table.name,
                        (wanted.unique() ? "unique index on (" : "index on (") +
                            joined_names(table, wanted.columns) + ") is missing",
                        is_separate(wanted) ? index_sql(table, wanted) : ""});
  }
  for (const LiveIndex& index : live) findings.push_back(foreign_index(table, index));
}

void compare_references(std::vector<ShapeFinding>& findings, Connection& connection,
                        const TableInfo& table) {
  Statement statement = connection.prepare(
      "SELECT count(*) FROM pragma_foreign_key_list(?) WHERE \"from\" = ? AND \"table\" = ? AND "
      "on_delete = 'NO ACTION' AND on_update = 'NO ACTION'");
  for (const ColumnInfo& column : table.columns) {
    if (column.references.empty()) continue;
    statement.reset();
    statement.bind(1, std::string_view(table.name));
    statement.bind(2, std::string_view(column.name));
    statement.bind(3, std::string_view(column.references));
    if (statement.step() && statement.integer(0) == 1) continue;
    findings.push_back(
        {Severity::kWarning,
         table.name,
         "column " + column.name + " does not refer to " + column.references + " without actions",
         {}});
  }
}

void compare_triggers(std::vector<ShapeFinding>& findings, Connection& connection,
                      const TableInfo& table) {
  Statement statement = connection.prepare(
      "SELECT name FROM main.sqlite_master WHERE type = 'trigger' AND tbl_name = ?");
  statement.bind(1, std::string_view(table.name));
  while (statement.step()) {
    findings.push_back({Severity::kFatal, table.name,
                        "trigger " + statement.text(0) + " may change what is written",
                        "DROP TRIGGER " + identifier(statement.text(0))});
  }
}

void record_migrations(Connection& connection, std::vector<std::string>& made) {
  for (const std::string& application :
       unrecorded_applications(read_recorded_migrations(connection))) {
    connection.execute(record_migration_sql(identifier(kDjangoMigrations), application));
    made.push_back("migration " + application + " " + std::string(kMigrationName));
  }
}

bool has_column(const std::vector<LiveColumn>& live, const ColumnInfo& column) {
  return std::ranges::find(live, column.name, &LiveColumn::name) != live.end();
}

void add_columns(Connection& connection, const TableInfo& table, std::vector<std::string>& made) {
  const auto live = live_columns(connection, table);
  for (std::size_t place = 0; place < table.columns.size(); ++place) {
    const ColumnInfo& column = table.columns[place];
    if (has_column(live, column) || !is_addable(table, place)) continue;
    connection.execute(add_column_sql(table, place));
    made.push_back("column " + table.name + "." + column.name);
  }
}

std::string table_label(const TableInfo& table) { return "table " + table.name; }
std::string index_label(const IndexInfo& index) { return "index " + index.name; }

bool has_index(Connection& connection, std::string_view name) {
  Statement statement =
      connection.prepare("SELECT 1 FROM main.sqlite_master WHERE type='index' AND name=?");
  statement.bind(1, name);
  return statement.step();
}

}  // namespace

std::string create_table_sql(const TableInfo& table) {
  std::string columns;
  std::string last;
  for (std::size_t place = 0; place < table.columns.size(); ++place) {
    std::string& part = is_last(table, table.columns[place]) ? last : columns;
    part += (place == 0 ? "" : ", ") + column_sql(table, place);
  }
  return "CREATE TABLE " + identifier(table.name) + " (" + columns + last + ")";
}

std::vector<std::string> create_index_sql(const TableInfo& table) {
  std::vector<std::string> statements;
  for (const IndexInfo& index : contract_of(table).indexes) {
    if (is_separate(index)) statements.push_back(index_sql(table, index));
  }
  return statements;
}

std::string readable_sql(Connection& connection, const TableInfo& table) {
  const auto live = live_columns(connection, table);
  std::string filled;
  for (std::size_t place = 0; place < table.columns.size(); ++place) {
    const ColumnInfo& column = table.columns[place];
    if (!is_addable(table, place) || has_column(live, column)) continue;
    filled += (defaults_to_true(table, place) ? ", 1 AS " : ", NULL AS ") + identifier(column.name);
  }
  const std::string name = "main." + identifier(table.name);
  return filled.empty() ? name : "(SELECT *" + filled + " FROM " + name + ")";
}

std::string create_mark_table_sql() {
  return "CREATE TABLE " + identifier(kMarkTable) +
         " (\"only\" integer NOT NULL PRIMARY KEY CHECK (\"only\" = 1), \"store_id\" char(32) NOT "
         "NULL, \"incarnation\" integer NOT NULL, \"epoch\" integer NOT NULL, \"position\" integer "
         "NOT NULL, \"log_digest\" blob NOT NULL)";
}

std::vector<ShapeFinding> compare_shape(Connection& connection, const TableInfo& table) {
  std::vector<ShapeFinding> findings;
  compare_columns(findings, connection, table);
  compare_indexes(findings, connection, table);
  compare_references(findings, connection, table);
  compare_triggers(findings, connection, table);
  return findings;
}

std::optional<Mark> read_mark(Connection& connection) {
  if (!connection.has_table(kMarkTable)) return std::nullopt;
  Statement statement = connection.prepare(
      "SELECT store_id, incarnation, epoch, position, log_digest FROM tenantry_mark");
  if (!statement.step()) return std::nullopt;
  ColumnInfo uuid;
  uuid.type = SqlType::UUID;
  const events::Value store = read_value(statement, 0, uuid);
  if (!std::holds_alternative<events::Uuid>(store)) {
    throw CorruptionError("tenantry_mark in " + connection.path().string() +
                          " does not hold a store id");
  }
  const auto counter = [&](int column) {
    return static_cast<std::uint64_t>(statement.integer(column));
  };
  return Mark{std::get<events::Uuid>(store), counter(1), counter(2), Position{counter(3)},
              statement.text(4)};
}

void write_mark(Connection& connection, const Mark& mark) {
  if (!connection.has_table(kMarkTable)) connection.execute(create_mark_table_sql());
  Statement statement =
      connection.prepare("INSERT OR REPLACE INTO tenantry_mark VALUES (1, ?, ?, ?, ?, ?)");
  statement.bind(1, std::string_view(to_django_uuid(mark.store_id)));
  statement.bind(2, static_cast<std::int64_t>(mark.incarnation));
  statement.bind(3, static_cast<std::int64_t>(mark.epoch));
  statement.bind(4, static_cast<std::int64_t>(mark.position.value));
  statement.bind_blob(5, mark.log_digest);
  statement.run();
}

std::vector<std::string> create_tables(Connection& connection) {
  // Where the migration is on record the table was dropped, and Django would not make it again.
  if (connection.has_table(kDjangoMigrations) && !connection.has_table("auth_user") &&
      !has_migrated_users(read_recorded_migrations(connection))) {
    throw UsageError("django_migrate_first",
                     connection.path().string() + " belongs to Django and has no auth_user yet",
                     "run `python manage.py migrate auth` first");
  }
  std::vector<std::string> made;
  for (const TableInfo& table : events::tables()) {
    if (connection.has_table(table.name)) {
      add_columns(connection, table, made);
      continue;
    }
    connection.execute(create_table_sql(table));
    made.push_back(table_label(table));
  }
  return made;
}

std::vector<std::string> create_indexes(Connection& connection) {
  std::vector<std::string> made;
  for (const TableInfo& table : events::tables()) {
    const auto live = live_columns(connection, table);
    for (const IndexInfo& index : contract_of(table).indexes) {
      const bool possible = std::ranges::all_of(
          index.columns, [&](std::size_t place) { return has_column(live, table.columns[place]); });
      if (!is_separate(index) || !possible || has_index(connection, index.name)) continue;
      connection.execute(index_sql(table, index));
      made.push_back(index_label(index));
    }
  }
  record_migrations(connection, made);
  return made;
}

void raise_sequence(Connection& connection, const TableInfo& table, std::int64_t id) {
  Statement raise =
      connection.prepare("UPDATE main.sqlite_sequence SET seq = max(seq, ?) WHERE name = ?");
  raise.bind(1, id);
  raise.bind(2, std::string_view(table.name));
  raise.run();
  if (connection.changes() != 0 || id == 0) return;
  Statement insert =
      connection.prepare("INSERT INTO main.sqlite_sequence (name, seq) VALUES (?, ?)");
  insert.bind(1, std::string_view(table.name));
  insert.bind(2, id);
  insert.run();
}

std::vector<std::string> labels_of_everything() {
  std::vector<std::string> labels;
  for (const TableInfo& table : events::tables()) labels.push_back(table_label(table));
  for (const TableInfo& table : events::tables()) {
    for (const IndexInfo& index : contract_of(table).indexes) {
      if (is_separate(index)) labels.push_back(index_label(index));
    }
  }
  return labels;
}

RecordedMigrations read_recorded_migrations(Connection& connection) {
  RecordedMigrations recorded;
  if (!connection.has_table(kDjangoMigrations)) return recorded;
  Statement statement = connection.prepare("SELECT app, name FROM django_migrations");
  while (statement.step()) recorded.emplace(statement.text(0), statement.text(1));
  return recorded;
}

}  // namespace tenantry::projections::sqlite
