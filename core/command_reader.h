#pragma once

#include <filesystem>
#include <functional>
#include <optional>

#include "core/tenancy_store.h"

namespace tenantry {

// Reads a log as the commands that make it again: see TenancyStore::read_commands(). Visited is
// what has an event that `passes`, which is asked in the order of the log; nothing that begins
// after `through`. The rows before each command are folded under `scratch`.
void read_commands(const EventSource& log, const std::filesystem::path& scratch,
                   std::optional<Position> through,
                   const std::function<bool(const StoredEvent&)>& passes, const Progress& progress,
                   const VisitCommand& visit);

}  // namespace tenantry
