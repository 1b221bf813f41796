#pragma once

#include <string>
#include <vector>

#include <pqxx/pqxx>

#include "projections/read_model.h"

namespace tenantry::projections::postgres {

// What differs between the catalogue and the contract of one table, which exists. Looks at columns,
// types, nullability, identity, indexes and constraints by definition rather than by name,
// triggers, row security, persistence and foreign tables that refer to it. Changes nothing.
[[nodiscard]] std::vector<ShapeFinding> compare_shape(pqxx::transaction_base& transaction,
                                                      const std::string& schema,
                                                      const events::TableInfo& table);

}  // namespace tenantry::projections::postgres
