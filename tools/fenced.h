#pragma once

#include "projections/read_model.h"

namespace tenantry::tools {

// Throws UsageError `fenced` (exit 4): somebody else moved the read model's checkpoint.
[[noreturn]] void throw_fenced(const projections::Fenced& fenced);

}  // namespace tenantry::tools
