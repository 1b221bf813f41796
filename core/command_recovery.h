#pragma once

#include <optional>
#include <span>

#include "core/event_source.h"
#include "core/state_view.h"
#include "events/commands.h"

// From events back to commands: what an export is made of.
namespace tenantry {

// A command that makes exactly the events of one that was accepted: decided on `state`, the rows
// before it, with its circumstances, it gives their bytes again, ids, secrets and times included. A
// command is guessed from the kinds of the events and proved by deciding; nullopt when no command
// gives them. It need not be the one that was sent: references are ids, merged settings are whole
// ones, `force` and `any_email` are given where they are needed.
[[nodiscard]] std::optional<events::CommandRequest> recover_command(
    std::span<const StoredEvent> made, const StateView& state);

}  // namespace tenantry
