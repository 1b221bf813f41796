#pragma once

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "projections/contract.h"
#include "projections/migrations.h"
#include "projections/read_model.h"
#include "projections/sql_text.h"

// The tables as Django lays them out in PostgreSQL. Pure: statements come out, what there is comes
// in as the rows of one query, so that whoever holds a transaction can run both.
namespace tenantry::projections::postgres {

// `schema`.`table`, both quoted.
[[nodiscard]] std::string qualified(const std::string& schema, std::string_view table);
// As format_type() prints it: `character varying(150)`.
[[nodiscard]] std::string type_sql(const events::ColumnInfo& column);

// Where the marks of all schemas of a database stand.
inline constexpr std::string_view kMarkSchema = "tenantry";
inline constexpr std::string_view kMarkTable = "tenantry.mark";

// A statement and the name of what it makes, as people are told.
struct SchemaStatement {
  std::string sql;
  std::string made;          // `table auth_user`; empty for what goes without saying.
  bool foreign_key = false;  // The rows that there are must keep to it.
};

// Columns only: constraints and indexes come after the rows.
[[nodiscard]] std::string create_table_sql(const std::string& schema,
                                           const events::TableInfo& table);
// A table that holds staged rows: the columns without identity and NOT NULL, gone with the
// transaction.
[[nodiscard]] std::string create_staged_sql(const std::string& name,
                                            const events::TableInfo& table);
[[nodiscard]] std::string primary_key_sql(const std::string& schema,
                                          const events::TableInfo& table);
// Unique constraints and indexes, without the primary key.
[[nodiscard]] std::vector<SchemaStatement> index_statements(const std::string& schema,
                                                            const events::TableInfo& table);
// Without its name: `(status, email)`, `(slug varchar_pattern_ops)`, `(…) WHERE …`, as
// index_definition_sql() prints that of an index there is.
[[nodiscard]] std::string index_definition(const events::TableInfo& table, const IndexInfo& index);
// An expression over a row `i` of pg_index.
[[nodiscard]] const std::string& index_definition_sql();
[[nodiscard]] std::string index_sql(const std::string& schema, const events::TableInfo& table,
                                    const IndexInfo& index);
[[nodiscard]] std::string foreign_key_sql(const std::string& schema, const events::TableInfo& table,
                                          const ForeignKeyInfo& key);
// Adds a column that can_be_added().
[[nodiscard]] std::string add_column_sql(const std::string& schema, const events::TableInfo& table,
                                         std::size_t column);
// The tables that they refer to exist in the same schema.
[[nodiscard]] std::vector<SchemaStatement> foreign_key_statements(const std::string& schema,
                                                                  const events::TableInfo& table);
[[nodiscard]] std::vector<std::string> mark_table_statements();

// What a schema has of what could be ours.
struct Catalogue {
  using Pairs = std::set<std::pair<std::string, std::string>>;
  std::set<std::string, std::less<>> tables;   // Of ours, and `django_migrations`.
  std::set<std::string, std::less<>> indexes;  // Names of indexes in the schema.
  Pairs index_definitions;                     // (table, `UNIQUE` and index_definition()).
  Pairs columns;                               // (table, column).
  Pairs foreign_keys;                          // (table, column).
  bool has_mark_table = false;
  RecordedMigrations recorded;  // Where `django_migrations` is among the tables.
};
// Gives rows of (kind, first name, second name) for add_catalogue_row(): all but what is recorded.
// The schema is parameter 1.
extern const char* const kCatalogueQuery;
void add_catalogue_row(Catalogue& catalogue, std::string_view kind, std::string first,
                       std::string second);

// Throws UsageError `django_migrate_first` when Django has yet to make auth_user. Where its
// migration is on record it has been dropped, and Django would not make it again.
void refuse_half_django(const Catalogue& catalogue, const std::string& database);

// What is missing: tables, then columns that can be added, then keys and indexes, then foreign
// keys. What is there under another name is not missing. Calls refuse_half_django().
[[nodiscard]] std::vector<SchemaStatement> missing_statements(const Catalogue& catalogue,
                                                              const std::string& schema,
                                                              const std::string& database);

// What `django_migrations`, which exists, has: rows of (app, name).
[[nodiscard]] std::string recorded_migrations_sql(const std::string& schema);
// The records to add.
[[nodiscard]] std::vector<SchemaStatement> migration_statements(const RecordedMigrations& recorded,
                                                                const std::string& schema);

}  // namespace tenantry::projections::postgres
