#pragma once

#include <string>
#include <vector>

#include "projections/migrations.h"
#include "projections/read_model.h"

namespace pqxx {
class transaction_base;
}

// Where a schema of a live database differs from the contract. Everything here looks and changes
// nothing; errors are those of libpqxx.
namespace tenantry::projections::postgres {

// What differs between the catalogue and the contract of one table, which exists. Looks at columns,
// types, nullability, identity, indexes and constraints by definition rather than by name,
// triggers, row security, persistence and foreign tables that refer to it. A default is no
// difference, unless ids come from it. Fatal is what may refuse, change or hide rows, or change
// those of others; a warning is what only slows reads down or is no longer checked.
[[nodiscard]] std::vector<ShapeFinding> compare_shape(pqxx::transaction_base& transaction,
                                                      const std::string& schema,
                                                      const events::TableInfo& table);

// Empty where there is no django_migrations.
[[nodiscard]] RecordedMigrations read_recorded_migrations(pqxx::transaction_base& transaction,
                                                          const std::string& schema);

// Between django_migrations and the tables; `missing_tables` are those of ours that are not there.
[[nodiscard]] std::vector<ShapeFinding> compare_recorded_migrations(
    pqxx::transaction_base& transaction, const std::string& schema,
    const std::vector<std::string>& missing_tables);

}  // namespace tenantry::projections::postgres
