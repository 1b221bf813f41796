#pragma once

#include <memory>
#include <string>

#include "projections/postgres/connection.h"
#include "projections/read_model.h"

namespace tenantry::projections::postgres {

// One transaction each, from the first row to publish(): destroyed before, or killed, nothing of it
// is left. The connection outlives the load.

// Fills tables in a schema of their own, gives them their indexes and keys, and moves them to
// `schema`, where none of them is. `before` is the mark that must still stand, in both.
[[nodiscard]] std::unique_ptr<Load> load_fresh(Connection& connection, const std::string& schema,
                                               const LoadOptions& options,
                                               const std::optional<Mark>& before);

// Stages the rows in temporary tables and merges what differs into the tables of `schema`; makes
// those that are missing.
[[nodiscard]] std::unique_ptr<Load> load_in_place(Connection& connection, const std::string& schema,
                                                  const LoadOptions& options,
                                                  const std::optional<Mark>& before);

}  // namespace tenantry::projections::postgres
