#pragma once

#include <string>
#include <vector>

#include "events/commands.h"

namespace tenantry::tools {

// Reads `actor=…,channel=…,reason=…,correlation_id=…`, once or repeated. A comma belongs to the
// value unless one of these names and `=` follow it. UsageError for other names.
[[nodiscard]] events::CommandDefaults parse_defaults(const std::vector<std::string>& texts);

}  // namespace tenantry::tools
