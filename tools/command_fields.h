#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "events/commands.h"

// Options of `do`, made out of the fields of a command.
namespace tenantry::tools {

// `contact_email` -> `--contact-email`
[[nodiscard]] std::string option_name(std::string_view field);

// What the help says of a field: that it is required, its limits, its own text.
[[nodiscard]] std::string field_help(const events::CommandField& field);

// A line that gives the fields that the command requires.
[[nodiscard]] std::string example_of(const events::CommandInfo& info);

// The JSON that `text` stands for as a value of the field. Texts that do not have the form of the
// field's type stay texts, for parse_command() to refuse. Refused here: what is no storable text,
// and JSON fields that are no JSON.
[[nodiscard]] std::variant<events::Json, events::Refusal> field_value(
    const events::CommandField& field, const std::string& text, events::Timestamp now);

}  // namespace tenantry::tools
