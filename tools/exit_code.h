#pragma once

#include "events/commands.h"

namespace tenantry::tools {

// What a process ends with; the numbers are the contract of the command line.
enum class ExitCode {
  kDone = 0,
  kDiffers = 1,   // A check found differences.
  kUsage = 2,     // Also a command that is invalid.
  kRejected = 3,  // By a rule.
  kConflict = 4,  // Of versions or ids, or with what a read model holds.
  kNotFound = 5,
  kUnavailable = 6,  // Store or database not reachable, or locked.
  kCorrupt = 7,
  kInterrupted = 130,
};

[[nodiscard]] ExitCode exit_code_of(const events::Refusal& refusal);

// The worse of two, in the order 7, 6, 130, 2, 4, 5, 3, 1, 0.
[[nodiscard]] ExitCode worse_of(ExitCode left, ExitCode right);

}  // namespace tenantry::tools
