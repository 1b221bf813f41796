#pragma once

#include <string>
#include <vector>

#include "projections/contract.h"
#include "projections/migrations.h"
#include "projections/read_model.h"
#include "projections/sqlite/connection.h"

// The tables as Django lays them out in SQLite: made, compared, and the mark beside them.
namespace tenantry::projections::sqlite {

[[nodiscard]] std::string create_table_sql(const events::TableInfo& table);
// One statement for each index that is not part of its table.
[[nodiscard]] std::vector<std::string> create_index_sql(const events::TableInfo& table);
[[nodiscard]] std::string create_mark_table_sql();
// What stands behind FROM: the table, and what columns that it lacks would be filled with.
[[nodiscard]] std::string readable_sql(Connection& connection, const events::TableInfo& table);

// What differs between the table that there is and the one there should be. The table exists.
[[nodiscard]] std::vector<ShapeFinding> compare_shape(Connection& connection,
                                                      const events::TableInfo& table);

[[nodiscard]] std::optional<Mark> read_mark(Connection& connection);
// In the caller's transaction; makes the mark's table if there is none.
void write_mark(Connection& connection, const Mark& mark);

// In the caller's transaction: what is missing, first the tables and the columns that can be added,
// then the indexes and the records of migrations. Names of what was made.
std::vector<std::string> create_tables(Connection& connection);
std::vector<std::string> create_indexes(Connection& connection);
// Rows that were used and are gone must not lend their ids to new ones.
void raise_sequence(Connection& connection, const events::TableInfo& table, std::int64_t id);
// What the two would make in a new file.
[[nodiscard]] std::vector<std::string> labels_of_everything();
// Empty where there is no django_migrations.
[[nodiscard]] RecordedMigrations read_recorded_migrations(Connection& connection);

}  // namespace tenantry::projections::sqlite
