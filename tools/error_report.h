#pragma once

#include <string>
#include <string_view>

#include "events/commands.h"
#include "tools/exit_code.h"

namespace tenantry::tools {

// An error as people and scripts read it.
struct ErrorReport {
  std::string code;
  std::string message;
  std::string field;  // Empty for none, as is `hint`.
  std::string hint;   // The next command to try.
  ExitCode exit = ExitCode::kUsage;
};

// A command was refused, where that is the end of the run.
struct CommandRefused {
  events::Refusal refusal;
};

[[nodiscard]] ErrorReport report_of(const events::Refusal& refusal);

// `error[code]: message` and `hint: …`, or one JSON object and a line end. Nothing in it can
// control a terminal.
[[nodiscard]] std::string format_error(const ErrorReport& report, bool json, bool color);

}  // namespace tenantry::tools
