#pragma once

#include <cstdint>

#include "events/commands.h"
#include "tools/json_builder.h"

// Commands as lines of `apply`.
namespace tenantry::tools {

struct CommandOutput {
  bool reveal = false;         // Secrets whole; else they are left out.
  bool with_causation = true;  // Positions mean something only beside the log that they are of.
  std::uint64_t number = 0;    // Of the line; what stands for a secret that must be given.
};

// Adds the command as one JSON object, without a line end: the inverse of
// events::parse_command_line(). A required secret that is left out is replaced: a password by an
// unusable hash of its own, `!left-out-N`.
void build_command(JsonBuilder& json, const events::CommandRequest& request,
                   const CommandOutput& options);

}  // namespace tenantry::tools
