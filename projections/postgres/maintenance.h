#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "projections/postgres/connection.h"
#include "projections/postgres/schema.h"

// What writing transactions do beside the rows. Each works in the caller's transaction.
namespace tenantry::projections::postgres {

[[nodiscard]] Catalogue read_catalogue(Connection& connection, const std::string& schema);
// Makes what is missing and gives its names, schema and records of migrations included.
std::vector<std::string> create_missing(Connection& connection, const std::string& schema);
void create_schema(Connection& connection, const std::string& schema);
// Where Django's own migrations stand on record, and ours do not yet.
std::vector<std::string> record_migrations(Connection& connection, const std::string& schema,
                                           const Catalogue& catalogue);

// The next id that the table's sequence gives is larger than `id`. Sequences are outside of
// transactions: after a roll-back ids are left out, which harms nobody. Nothing for a table without
// one.
void raise_sequence(Connection& connection, const std::string& schema,
                    const events::TableInfo& table, std::int64_t id);

// Carries out the deferred checks now. Throws UsageError `read_model_referenced` when rows refer to
// rows that are gone, naming table, column and number of rows.
void check_references(Connection& connection);

}  // namespace tenantry::projections::postgres
