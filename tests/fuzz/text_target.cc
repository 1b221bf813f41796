#include <array>
#include <string>
#include <variant>

#include "core/error.h"
#include "events/commands.h"
#include "events/text.h"
#include "events/values.h"
#include "tests/fuzz/targets.h"
#include "tools/command_fields.h"
#include "tools/row_filter.h"

namespace tenantry::fuzz {
namespace {

void check_values(std::string_view text) {
  if (const auto time = events::parse_timestamp(text)) {
    const std::string written = events::format_timestamp(*time);
    require(written.size() == 27 && events::parse_timestamp(written) == time,
            "a time is written as it is read");
    require(events::parse_time_argument(text, kNow) == time, "people may type any time");
  }
  if (const auto time = events::parse_time_argument(text, kNow)) {
    require(events::parse_timestamp(events::format_timestamp(*time)) == time,
            "a typed time can be recorded");
  }
  if (const auto uuid = events::parse_uuid(text)) {
    require(events::format_uuid(*uuid) == events::to_ascii_lower(text),
            "a UUID is written in lower case");
  }
}

void check_names(std::string_view text) {
  constexpr std::array kRules = {events::is_username,  events::is_slug,
                                 events::is_host_name, events::is_email,
                                 events::is_hex_color, events::is_password_hash};
  const bool storable = events::is_storable_text(text);
  const bool lower = events::to_ascii_lower(text) == text;
  const bool shown = events::printable(text) == text;
  for (const auto rule : kRules) {
    const bool passes = rule(text);
    require(!passes || !text.empty(), "no name is empty");
    if (rule == events::is_password_hash) continue;
    require(!passes || (storable && shown), "a name is text, and a terminal can show it");
  }
  if (events::is_slug(text)) {
    require(lower && !events::parse_uuid(text), "a slug is in lower case and no UUID");
  }
  if (events::is_host_name(text)) {
    require(lower && text.find_first_of("@/:_ ") == std::string_view::npos && text.back() != '.',
            "a host name has letters, digits, hyphens and dots");
  }
  if (events::is_email(text)) {
    require(text.find('@') == text.rfind('@') && text.find('@') <= 64 &&
                events::is_host_name(events::to_ascii_lower(text.substr(text.find('@') + 1))),
            "an e-mail address ends in a host name");
  }
  if (storable) {
    require(events::count_characters(text) <= text.size(), "a character is a byte or more");
  }
  const std::string printable = events::printable(text);
  require(events::is_storable_text(printable) && events::printable(printable) == printable,
          "what is printable stays as it is");
}

// As an option of `do`: whatever is refused is refused by a code, and is no other text.
void check_field(const events::CommandInfo& info, const events::CommandField& field,
                 std::string_view text) {
  const auto value = tools::field_value(field, std::string(text), kNow);
  if (const auto* refusal = std::get_if<events::Refusal>(&value)) {
    require(refusal->invalid && !refusal->code.empty(), "an option is refused by a code");
    return;
  }
  const events::Json data(events::JsonObject{{field.name, std::get<events::Json>(value)}});
  const auto parsed = events::parse_command(info, data);
  if (const auto* command = std::get_if<events::EncodedCommand>(&parsed)) {
    events::MessageView view(*command);
    require(&events::command_info(view.root<events::Command>().which()) == &info,
            "a command reads as it was written");
  }
}

void check_condition(const events::TableInfo& table, std::string_view text) {
  try {
    const tools::RowFilter filter(table, {std::string(text)}, kNow);
    (void)filter.matches(events::RowValues(table.columns.size()));
  } catch (const UsageError& error) {
    require(!error.code().empty(), "a condition is refused by a code");
  }
}

}  // namespace

void run_text(std::string_view input) {
  if (input.size() < 2) return;
  const auto first = static_cast<unsigned char>(input[0]);
  const auto second = static_cast<unsigned char>(input[1]);
  const std::string_view text = input.substr(2);
  check_values(text);
  check_names(text);
  const events::CommandInfo& info = events::commands()[first % events::commands().size()];
  check_field(info, info.fields[second % info.fields.size()], text);
  check_condition(events::tables()[first % events::tables().size()], text);
}

}  // namespace tenantry::fuzz
