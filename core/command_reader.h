#pragma once

#include <filesystem>
#include <functional>

#include "core/tenancy_store.h"

namespace tenantry {

// Reads a log as the commands that make it again: see TenancyStore::read_commands(). Visited is
// what has an event that `passes`, which is asked in the order of the log, and says what the filter
// says; nothing that begins after its `through`. The rows before each command are folded under
// `scratch`. Where events were discarded or redacted, the filter must ask for what lies behind
// them.
void read_commands(const TenancyStore& log, const std::filesystem::path& scratch,
                   const LogFilter& filter, const std::function<bool(const StoredEvent&)>& passes,
                   const Progress& progress, const VisitCommand& visit);

}  // namespace tenantry
