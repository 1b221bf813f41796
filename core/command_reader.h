#pragma once

#include <filesystem>

#include "core/log_reader.h"

namespace tenantry {

// Reads a log as the commands that make it again: see TenancyStore::read_commands(). `log` reaches
// `tail`; the rows before each command are folded under `scratch`.
void read_commands(const LogReader& log, Position tail, const std::filesystem::path& scratch,
                   const LogFilter& filter, const Progress& progress, const VisitCommand& visit);

}  // namespace tenantry
