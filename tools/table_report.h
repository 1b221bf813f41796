#pragma once

#include <string>
#include <vector>

#include "projections/verify.h"
#include "tools/session.h"

// What people are told of the tables of a read model.
namespace tenantry::tools {

// What differs in one table, a line for each row, and how many more there are. Empty for none.
[[nodiscard]] std::vector<std::string> row_differences(const projections::TableVerification& table);

// Whole, or its beginning in a table for people.
[[nodiscard]] std::string shown_digest(const Session& session, const std::string& digest);

}  // namespace tenantry::tools
