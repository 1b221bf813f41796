#include "tools/command_fields.h"

#include <algorithm>

#include <fmt/format.h>

#include "events/json.h"
#include "events/text.h"

namespace tenantry::tools {
namespace {

using events::FieldType;
using events::Json;
using events::Refusal;

constexpr std::string_view kIdPrefix = "id:";

bool is_integer(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  const bool leading_zero = text.size() > 1 && text.starts_with('0');
  return !text.empty() && !leading_zero &&
         text.find_first_not_of("0123456789") == std::string_view::npos;
}

Json integer_or_text(std::string_view text) {
  if (is_integer(text)) return Json(events::JsonNumber{std::string(text)});
  return Json(std::string(text));
}

// A name, or `id:N`.
Json reference(const std::string& text) {
  if (!text.starts_with(kIdPrefix)) return Json(text);
  const std::string_view id = std::string_view(text).substr(kIdPrefix.size());
  return is_integer(id) ? integer_or_text(id) : Json(text);
}

Json time(const std::string& text, events::Timestamp now) {
  const auto parsed = events::parse_time_argument(text, now);
  return Json(parsed ? events::format_timestamp(*parsed) : text);
}

Json boolean(const std::string& text) {
  if (text == "true" || text == "yes") return Json(true);
  if (text == "false" || text == "no") return Json(false);
  return Json(text);
}

std::string_view example_value(const events::CommandField& field) {
  switch (field.type) {
    case FieldType::kUser:
    case FieldType::kNullableUser:
      return field.name == "into" ? "bob" : "ann";
    case FieldType::kTenant:
      return field.name == "to_tenant" ? "globex" : "acme";
    case FieldType::kDomain:
      return "www.acme.example";
    case FieldType::kInvitation:
      return "6f1e9b1c-0c5e-4a8e-9d53-2f6f6c3a1b77";
    case FieldType::kProtein:
      return "Beef";
    case FieldType::kTime:
    case FieldType::kNullableTime:
      return "2030-01-31";
    default:
      break;
  }
  switch (field.syntax) {
    case events::Syntax::USERNAME:
      return "ann";
    case events::Syntax::EMAIL:
      return "ann@acme.example";
    case events::Syntax::HOST:
      return "www.acme.example";
    case events::Syntax::ROLE:
      return "admin";
    case events::Syntax::PASSWORD_HASH:
      return "'pbkdf2_sha256$…'";
    default:
      return field.name == "slug" || field.name == "confirm" ? "acme" : "Acme";
  }
}

std::variant<Json, Refusal> document(const events::CommandField& field, const std::string& text) {
  auto parsed = events::parse_json(text);
  if (auto* json = std::get_if<Json>(&parsed)) return std::move(*json);
  const auto& error = std::get<events::JsonError>(parsed);
  return Refusal{.invalid = true,
                 .code = "invalid_json",
                 .field = field.name,
                 .message = fmt::format("{} must be JSON: {} (at byte {})", field.name,
                                        error.message, error.offset)};
}

}  // namespace

std::string option_name(std::string_view field) {
  std::string name = "--" + std::string(field);
  std::ranges::replace(name, '_', '-');
  return name;
}

std::string example_of(const events::CommandInfo& info) {
  std::string line = "tenantry do " + info.name;
  for (const events::CommandField& field : info.fields) {
    if (!field.required) continue;
    line += fmt::format(" {} {}", option_name(field.name), example_value(field));
  }
  return line;
}

std::string field_help(const events::CommandField& field) {
  std::string text = field.required ? "required" : "";
  const auto add = [&text](const std::string& part) {
    if (!part.empty()) text += (text.empty() ? "" : "; ") + part;
  };
  add(field.help);
  const bool is_text = field.type == FieldType::kText || field.type == FieldType::kNullableText;
  if (is_text && field.column != nullptr && field.column->length > 0) {
    add(fmt::format("at most {} characters", field.column->length));
  }
  const bool nullable = field.type == FieldType::kNullableText ||
                        field.type == FieldType::kNullableTime ||
                        field.type == FieldType::kNullableUser;
  if (nullable) add(fmt::format("--null {} for none", field.name));
  return text;
}

std::variant<Json, Refusal> field_value(const events::CommandField& field, const std::string& text,
                                        events::Timestamp now) {
  if (!events::is_storable_text(text)) {
    return Refusal{.invalid = true,
                   .code = "invalid_text",
                   .field = field.name,
                   .message = fmt::format("{} must be valid UTF-8", field.name)};
  }
  switch (field.type) {
    case FieldType::kText:
    case FieldType::kNullableText:
    case FieldType::kUuid:
    case FieldType::kTenant:
    case FieldType::kDomain:
    case FieldType::kInvitation:
      return Json(text);
    case FieldType::kBoolean:
      return boolean(text);
    case FieldType::kInteger:
      return integer_or_text(text.starts_with(kIdPrefix) ? text.substr(kIdPrefix.size()) : text);
    case FieldType::kTime:
    case FieldType::kNullableTime:
      return time(text, now);
    case FieldType::kUser:
    case FieldType::kNullableUser:
    case FieldType::kProtein:
      return reference(text);
    case FieldType::kJsonObject:
    case FieldType::kJsonArray:
    case FieldType::kNewUser:
      return document(field, text);
  }
  return Json(text);
}

}  // namespace tenantry::tools
