#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "events/commands.h"

// Refusing what is no well-formed command. For the files of this folder.
namespace tenantry::events {

using Fault = std::optional<Refusal>;  // Nothing when all is well.

// `field` may be empty. `code` decides whether the command is invalid or refused by a rule.
[[nodiscard]] Refusal refuse(std::string_view code, std::string_view field, std::string message);

// For a text that is not valid UTF-8, or contains U+0000.
[[nodiscard]] Refusal refuse_unstorable(std::string_view field);

// The start of what somebody sent, at most 60 bytes, safe to print.
[[nodiscard]] std::string excerpt(std::string_view text);

// Whether valid UTF-8 has more characters than a column or key takes.
[[nodiscard]] bool is_longer(std::string_view text, std::size_t characters_max);

inline constexpr std::string_view kTimeForm =
    "a time with a zone and at most six decimals, such as 2026-01-31T09:30:00Z";

}  // namespace tenantry::events
