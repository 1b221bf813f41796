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

// Django makes none of its tables beside an auth_user that it did not make. Tells the order, if
// Django has no tables there; `command` is what made those of ours.
void remark_on_django(const Session& session, projections::ReadModel& target,
                      const std::string& command);

}  // namespace tenantry::tools
