#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "projections/postgres/connection.h"
#include "projections/postgres/schema.h"

// What writing transactions do beside the rows. Each works in the caller's transaction.
namespace tenantry::projections::postgres {

[[nodiscard]] Catalogue read_catalogue(Connection& connection, const std::string& schema);
// Makes what is missing and gives its names, schema and records of migrations included. Sessions
// that do so at once take turns. Throws UnavailableError when somebody else made the same thing
// meanwhile, and UsageError `read_model_conflict` when the rows that there are break a rule.
std::vector<std::string> create_missing(Connection& connection, const std::string& schema);
// The same without foreign keys, for tables whose rows are not all there yet.
void create_missing_tables(Connection& connection, const std::string& schema);
void create_schema(Connection& connection, const std::string& schema);
// Where Django's own migrations stand on record, and ours do not yet.
std::vector<std::string> record_migrations(Connection& connection, const std::string& schema,
                                           const Catalogue& catalogue);

// The next id that the table's sequence gives is larger than `id`. Sequences are outside of
// transactions: after a roll-back ids are left out, which harms nobody. Nothing for a table without
// one.
void raise_sequence(Connection& connection, const std::string& schema,
                    const events::TableInfo& table, std::int64_t id);

// Throws UsageError `read_model_referenced` for a foreign key that refused a statement, naming
// table, column and number of rows. `gone` is a query of the ids that rows may no longer refer to;
// without it they are those that the table does not have.
[[noreturn]] void raise_referenced(Connection& connection, const ServerError& error,
                                   const std::optional<std::string>& gone);

// Throws UsageError `read_model_conflict`, naming rows as raise_referenced() does, when rows do not
// keep to the key.
void make_foreign_key(Connection& connection, const std::string& sql);

// Carries out the deferred checks now. Throws as raise_referenced() does.
void check_references(Connection& connection);

}  // namespace tenantry::projections::postgres
