#include "projections/postgres/schema.h"

#include <algorithm>

#include "core/error.h"

namespace tenantry::projections::postgres {
namespace {

using events::ColumnInfo;
using events::SqlType;
using events::TableInfo;

std::string names_sql(const TableInfo& table, const IndexInfo& index) {
  std::string list;
  for (const std::size_t place : index.columns) {
    list += (list.empty() ? "" : ", ") + identifier(table.columns[place].name);
    if (index.use == IndexUse::kPattern) list += " varchar_pattern_ops";
  }
  return list;
}

std::string condition_sql(const TableInfo& table, const IndexInfo& index) {
  return identifier(table.columns[*index.where_column].name) + " = " +
         text_literal(index.where_value);
}

std::string rule_of(bool unique, const std::string& definition) {
  return (unique ? "UNIQUE " : "") + definition;
}

std::string column_sql(const TableInfo& table, std::size_t place) {
  const ColumnInfo& column = table.columns[place];
  return identifier(column.name) + " " + type_sql(column) +
         (column.nullable ? " NULL" : " NOT NULL") +
         (defaults_to_true(table, place) ? " DEFAULT true" : "");
}

bool has_column(const Catalogue& catalogue, const TableInfo& table, std::size_t place) {
  return !catalogue.tables.contains(table.name) || can_be_added(table, place) ||
         catalogue.columns.contains({table.name, table.columns[place].name});
}

bool lacks_index(const Catalogue& catalogue, const TableInfo& table, const IndexInfo& index) {
  const std::string rule = rule_of(index.unique(), index_definition(table, index));
  return index.use != IndexUse::kPrimaryKey && !catalogue.indexes.contains(index.name) &&
         !catalogue.index_definitions.contains({table.name, rule}) &&
         std::ranges::all_of(
             index.columns, [&](std::size_t place) { return has_column(catalogue, table, place); });
}

bool lacks_foreign_key(const Catalogue& catalogue, const TableInfo& table,
                       const ForeignKeyInfo& key) {
  return !catalogue.foreign_keys.contains({table.name, table.columns[key.column].name}) &&
         has_column(catalogue, table, key.column);
}

void add_missing_columns(std::vector<SchemaStatement>& statements, const Catalogue& catalogue,
                         const std::string& schema, const TableInfo& table) {
  for (std::size_t place = 0; place < table.columns.size(); ++place) {
    const std::string& name = table.columns[place].name;
    if (!can_be_added(table, place) || catalogue.columns.contains({table.name, name})) continue;
    statements.push_back(
        {add_column_sql(schema, table, place), "column " + table.name + "." + name});
  }
}

// A row of what describes an index: the columns with what is not their default, then the condition.
// varchar_ops and text_ops are one family, and so are the two pattern classes.
std::string make_index_definition_sql() {
  return "((SELECT CASE m.amname WHEN 'btree' THEN '' ELSE 'USING ' || m.amname || ' ' END"
         " FROM pg_catalog.pg_class x JOIN pg_catalog.pg_am m ON m.oid = x.relam"
         " WHERE x.oid = i.indexrelid) || '(' ||"
         " (SELECT string_agg(pg_catalog.pg_get_indexdef(i.indexrelid, k, false)"
         " || CASE WHEN a.attcollation <> i.indcollation[k - 1]"
         " THEN ' COLLATE ' || i.indcollation[k - 1]::regcollation ELSE '' END"
         " || CASE WHEN f.opfname = 'text_pattern_ops' THEN ' varchar_pattern_ops'"
         " WHEN o.opcdefault OR o.opcname = 'varchar_ops' THEN '' ELSE ' ' || o.opcname END"
         " || CASE i.indoption[k - 1] WHEN 1 THEN ' DESC NULLS LAST' WHEN 2 THEN ' NULLS FIRST'"
         " WHEN 3 THEN ' DESC' ELSE '' END, ', ' ORDER BY k)"
         " FROM generate_series(1, i.indnkeyatts) k"
         " JOIN pg_catalog.pg_opclass o ON o.oid = i.indclass[k - 1]"
         " JOIN pg_catalog.pg_opfamily f ON f.oid = o.opcfamily"
         " LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid"
         " AND a.attnum = i.indkey[k - 1] AND a.attnum > 0) || ')'"
         " || coalesce(' INCLUDE (' || (SELECT string_agg("
         "pg_catalog.pg_get_indexdef(i.indexrelid, k, false), ', ' ORDER BY k)"
         " FROM generate_series(i.indnkeyatts + 1, i.indnatts) k) || ')', '')"
         // Since PostgreSQL 15.
         " || CASE to_jsonb(i)->>'indnullsnotdistinct' WHEN 'true' THEN ' NULLS NOT DISTINCT'"
         " ELSE '' END"
         " || coalesce(' WHERE ' || pg_catalog.pg_get_expr(i.indpred, i.indrelid), ''))";
}

std::string our_tables() {
  std::string list;
  for (const TableInfo& table : events::tables()) {
    list += (list.empty() ? "" : ", ") + text_literal(table.name);
  }
  return list;
}

const std::string& catalogue_query() {
  static const std::string text =
      "WITH c AS (SELECT c.oid, c.relname::text AS relname, c.relkind FROM pg_catalog.pg_class c"
      " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1),"
      " ours AS (SELECT * FROM c WHERE relname IN (" +
      our_tables() +
      ") AND relkind IN ('r', 'p', 'v', 'm', 'f'))"
      " SELECT 'table', relname, ''::text FROM c WHERE relkind IN ('r', 'p', 'v', 'm', 'f')"
      " UNION ALL SELECT 'column', relname, a.attname::text FROM ours"
      " JOIN pg_catalog.pg_attribute a ON a.attrelid = ours.oid"
      " WHERE a.attnum > 0 AND NOT a.attisdropped"
      " UNION ALL SELECT 'index name', relname, '' FROM c WHERE relkind IN ('i', 'I')"
      " UNION ALL SELECT CASE WHEN i.indisunique THEN 'unique index' ELSE 'index' END, relname, " +
      index_definition_sql() +
      " FROM ours JOIN pg_catalog.pg_index i ON i.indrelid = ours.oid"
      " UNION ALL SELECT 'foreign key', relname, a.attname::text"
      " FROM ours JOIN pg_catalog.pg_constraint k ON k.conrelid = ours.oid"
      " JOIN pg_catalog.pg_attribute a ON a.attrelid = ours.oid AND a.attnum = k.conkey[1]"
      " WHERE k.contype = 'f'"
      " UNION ALL SELECT 'mark', '', '' FROM pg_catalog.pg_class c"
      " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
      " WHERE n.nspname = 'tenantry' AND c.relname = 'mark'";
  return text;
}

}  // namespace

std::string index_definition(const TableInfo& table, const IndexInfo& index) {
  std::string names;
  for (const std::size_t place : index.columns) {
    names += (names.empty() ? "" : ", ") + table.columns[place].name;
    if (index.use == IndexUse::kPattern) names += " varchar_pattern_ops";
  }
  if (!index.where_column) return "(" + names + ")";
  // As the server prints a comparison of a varchar column.
  const ColumnInfo& column = table.columns[*index.where_column];
  TENANTRY_ASSERT(column.type == SqlType::VARCHAR);
  return "(" + names + ") WHERE ((" + column.name + ")::text = " + text_literal(index.where_value) +
         "::text)";
}

const std::string& index_definition_sql() {
  static const std::string sql = make_index_definition_sql();
  return sql;
}

std::string index_sql(const std::string& schema, const TableInfo& table, const IndexInfo& index) {
  const std::string on = qualified(schema, table.name);
  if (index.is_constraint()) {
    return "ALTER TABLE " + on + " ADD CONSTRAINT " + identifier(index.name) + " UNIQUE (" +
           names_sql(table, index) + ")";
  }
  std::string sql = index.unique() ? "CREATE UNIQUE INDEX " : "CREATE INDEX ";
  sql += identifier(index.name) + " ON " + on + " (" + names_sql(table, index) + ")";
  if (index.where_column) sql += " WHERE " + condition_sql(table, index);
  return sql;
}

std::string foreign_key_sql(const std::string& schema, const TableInfo& table,
                            const ForeignKeyInfo& key) {
  const TableInfo& target = *key.references;
  return "ALTER TABLE " + qualified(schema, table.name) + " ADD CONSTRAINT " +
         identifier(key.name) + " FOREIGN KEY (" + identifier(table.columns[key.column].name) +
         ") REFERENCES " + qualified(schema, target.name) + " (" +
         identifier(target.columns[target.id_column].name) + ") DEFERRABLE INITIALLY DEFERRED";
}

std::string add_column_sql(const std::string& schema, const TableInfo& table, std::size_t column) {
  TENANTRY_ASSERT(can_be_added(table, column));
  return "ALTER TABLE " + qualified(schema, table.name) + " ADD COLUMN " +
         column_sql(table, column);
}

std::string qualified(const std::string& schema, std::string_view table) {
  return identifier(schema) + "." + identifier(table);
}

std::string type_sql(const ColumnInfo& column) {
  switch (column.type) {
    case SqlType::INTEGER:
      return "integer";
    case SqlType::BIGINT:
      return "bigint";
    case SqlType::BOOLEAN:
      return "boolean";
    case SqlType::VARCHAR:
      return "character varying(" + std::to_string(column.length) + ")";
    case SqlType::TEXT:
      return "text";
    case SqlType::JSONB:
      return "jsonb";
    case SqlType::TIMESTAMPTZ:
      return "timestamp with time zone";
    case SqlType::UUID:
      return "uuid";
  }
  return {};
}

std::string create_table_sql(const std::string& schema, const TableInfo& table) {
  std::string columns;
  for (std::size_t place = 0; place < table.columns.size(); ++place) {
    columns += (place == 0 ? "" : ", ") + column_sql(table, place);
    if (place == table.id_column && table.integer_ids) {
      columns += " GENERATED BY DEFAULT AS IDENTITY";
    }
  }
  return "CREATE TABLE " + qualified(schema, table.name) + " (" + columns + ")";
}

std::string create_staged_sql(const std::string& name, const TableInfo& table) {
  std::string columns;
  for (const ColumnInfo& column : table.columns) {
    columns += (columns.empty() ? "" : ", ") + identifier(column.name) + " " + type_sql(column);
  }
  return "CREATE TEMPORARY TABLE " + identifier(name) + " (" + columns + ") ON COMMIT DROP";
}

std::string primary_key_sql(const std::string& schema, const TableInfo& table) {
  return "ALTER TABLE " + qualified(schema, table.name) + " ADD CONSTRAINT " +
         identifier(table.name + "_pkey") + " PRIMARY KEY (" +
         identifier(table.columns[table.id_column].name) + ")";
}

std::vector<SchemaStatement> index_statements(const std::string& schema, const TableInfo& table) {
  std::vector<SchemaStatement> statements;
  for (const IndexInfo& index : contract_of(table).indexes) {
    if (index.use == IndexUse::kPrimaryKey) continue;
    statements.push_back({index_sql(schema, table, index), "index " + index.name});
  }
  return statements;
}

std::vector<SchemaStatement> foreign_key_statements(const std::string& schema,
                                                    const TableInfo& table) {
  std::vector<SchemaStatement> statements;
  for (const ForeignKeyInfo& key : contract_of(table).foreign_keys) {
    statements.push_back({foreign_key_sql(schema, table, key), "foreign key " + key.name, true});
  }
  return statements;
}

std::vector<std::string> mark_table_statements() {
  return {"CREATE SCHEMA IF NOT EXISTS " + identifier(kMarkSchema),
          "CREATE TABLE IF NOT EXISTS " + std::string(kMarkTable) +
              " (schema_name text NOT NULL PRIMARY KEY, store_id uuid NOT NULL,"
              " incarnation bigint NOT NULL, epoch bigint NOT NULL, \"position\" bigint NOT NULL,"
              " log_digest bytea NOT NULL)"};
}

const char* const kCatalogueQuery = catalogue_query().c_str();

void add_catalogue_row(Catalogue& catalogue, std::string_view kind, std::string first,
                       std::string second) {
  if (kind == "table") {
    catalogue.tables.insert(std::move(first));
  } else if (kind == "column") {
    catalogue.columns.emplace(std::move(first), std::move(second));
  } else if (kind == "index name") {
    catalogue.indexes.insert(std::move(first));
  } else if (kind == "index" || kind == "unique index") {
    catalogue.index_definitions.emplace(std::move(first), rule_of(kind != "index", second));
  } else if (kind == "foreign key") {
    catalogue.foreign_keys.emplace(std::move(first), std::move(second));
  } else {
    catalogue.has_mark_table = true;
  }
}

void refuse_half_django(const Catalogue& catalogue, const std::string& database) {
  if (catalogue.tables.contains(kDjangoMigrations) && !catalogue.tables.contains("auth_user") &&
      !has_migrated_users(catalogue.recorded)) {
    throw UsageError("django_migrate_first",
                     database + " belongs to Django and has no auth_user yet",
                     "run `python manage.py migrate auth` first");
  }
}

std::vector<SchemaStatement> missing_statements(const Catalogue& catalogue,
                                                const std::string& schema,
                                                const std::string& database) {
  refuse_half_django(catalogue, database);
  std::vector<SchemaStatement> statements;
  for (const TableInfo& table : events::tables()) {
    if (catalogue.tables.contains(table.name)) {
      add_missing_columns(statements, catalogue, schema, table);
      continue;
    }
    statements.push_back({create_table_sql(schema, table), "table " + table.name});
    statements.push_back({primary_key_sql(schema, table), {}});
  }
  for (const TableContract& wanted : contract()) {
    for (const IndexInfo& index : wanted.indexes) {
      if (!lacks_index(catalogue, *wanted.table, index)) continue;
      statements.push_back({index_sql(schema, *wanted.table, index), "index " + index.name});
    }
  }
  for (const TableContract& wanted : contract()) {
    for (const ForeignKeyInfo& key : wanted.foreign_keys) {
      if (!lacks_foreign_key(catalogue, *wanted.table, key)) continue;
      statements.push_back(
          {foreign_key_sql(schema, *wanted.table, key), "foreign key " + key.name, true});
    }
  }
  return statements;
}

std::string recorded_migrations_sql(const std::string& schema) {
  return "SELECT app, name FROM " + qualified(schema, kDjangoMigrations);
}

std::vector<SchemaStatement> migration_statements(const RecordedMigrations& recorded,
                                                  const std::string& schema) {
  std::vector<SchemaStatement> statements;
  for (const std::string& application : unrecorded_applications(recorded)) {
    statements.push_back({record_migration_sql(qualified(schema, kDjangoMigrations), application),
                          "migration " + application + " " + std::string(kMigrationName)});
  }
  return statements;
}

}  // namespace tenantry::projections::postgres
