#include "events/refusal.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "events/text.h"

namespace tenantry::events {

Refusal refuse(std::string_view code, std::string_view field, std::string message) {
  static constexpr std::array<std::string_view, 8> kInvalid = {
      "unknown_command", "unknown_field", "missing_field", "invalid_type",
      "too_long",        "too_large",     "invalid_text",  "invalid_json"};
  return {.invalid = std::ranges::find(kInvalid, code) != kInvalid.end(),
          .code = std::string(code),
          .field = std::string(field),
          .message = std::move(message)};
}

Refusal refuse_unstorable(std::string_view field) {
  return refuse("invalid_text", field,
                fmt::format("{} must be valid Unicode text without U+0000", field));
}

std::string excerpt(std::string_view text) {
  constexpr std::size_t kShownMax = 60;
  if (text.size() <= kShownMax) return printable(text);
  std::size_t end = kShownMax;  // Not inside a character.
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80U) --end;
  return printable(text.substr(0, end)) + "…";
}

bool is_longer(std::string_view text, std::size_t characters_max) {
  return text.size() > characters_max && count_characters(text) > characters_max;
}

}  // namespace tenantry::events
