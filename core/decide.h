#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/clock.h"
#include "core/state_view.h"
#include "events/commands.h"

namespace tenantry {

// What a command spoke of, for its answer.
struct EntityName {
  events::EntityKind kind = events::EntityKind::NONE;
  events::Uuid id;
  std::string key;  // What people know it by: username, slug, host name, e-mail, `slug/username` of
                    // a member.
  bool operator==(const EntityName&) const = default;
};

struct Decision {
  std::vector<events::EncodedEvent> events;  // In order; empty when nothing would change.
  std::optional<EntityName> entity;          // None for commands that speak of no single entity.
};

using DecideOutcome = std::variant<Decision, events::Refusal>;

// The most that the encoded events of one command may amount to; more is refused as `too_large`.
inline constexpr std::size_t kCommandBytesMax = std::size_t{64} << 20;

// What the decision may know besides the state. Everything that is not a function of the state is
// here.
struct DecisionInput {
  const events::Circumstances& circumstances;
  events::Timestamp now;  // The time that the events will carry.
  IdSource& ids;          // Drawn from only for what the command leaves open.
};

// The rules: what `command` means for `state`, or why it is refused. A pure function of its
// arguments: no clock, no I/O beyond reading `state`. `command` is canonical and passed
// parse_command(). Checks in the order of the contract: references (in field order),
// expected_version, a given id, then the command's rules.
[[nodiscard]] DecideOutcome decide(std::string_view command, const StateView& state,
                                   const DecisionInput& input);

}  // namespace tenantry
