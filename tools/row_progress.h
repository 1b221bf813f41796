#pragma once

#include <functional>

#include "projections/rebuild.h"
#include "tools/progress.h"

namespace tenantry::tools {

// Counts the rows of all tables into `meter`, which is borrowed.
[[nodiscard]] std::function<void(const projections::RebuildProgress&)> row_progress(
    ProgressMeter& meter);

}  // namespace tenantry::tools
