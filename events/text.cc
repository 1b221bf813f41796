#include "events/text.h"

#include <algorithm>
#include <cstdint>
#include <iterator>

#include <fmt/format.h>
#include <simdjson.h>
#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include "events/values.h"

namespace tenantry::events {
namespace {

constexpr bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
constexpr bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_hex_digit(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
constexpr bool is_visible_ascii(char c) { return c > ' ' && c <= '~'; }

constexpr bool is_slug_character(char c) {
  return is_lower(c) || is_digit(c) || c == '-' || c == '_';
}

// RFC 5322's atext.
constexpr bool is_atom_character(char c) {
  constexpr std::string_view kSigns = "!#$%&'*+-/=?^_`{|}~";
  return is_lower(c) || is_upper(c) || is_digit(c) || kSigns.find(c) != std::string_view::npos;
}

bool is_host_label(std::string_view label) {
  const auto allowed = [](char c) { return is_lower(c) || is_digit(c) || c == '-'; };
  return !label.empty() && label.size() <= 63 && !label.starts_with('-') && !label.ends_with('-') &&
         std::ranges::all_of(label, allowed);
}

bool is_atom(std::string_view part) {
  return !part.empty() && std::ranges::all_of(part, is_atom_character);
}

// Whether `holds` is true of every part of `text` between dots.
template <typename Predicate>
bool all_dotted_parts(std::string_view text, Predicate holds) {
  for (;;) {
    const std::size_t dot = text.find('.');
    if (!holds(text.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    text.remove_prefix(dot + 1);
  }
}

// One step through a text that may be invalid UTF-8.
struct Character {
  UChar32 code_point = 0;  // Negative where the bytes are not UTF-8.
  std::string_view bytes;
};

Character take_character(std::string_view& text) {
  Character character;
  std::size_t length = 0;
// ICU's macro computes its bytes in int.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
  U8_NEXT(text.data(), length, text.size(), character.code_point);
#pragma GCC diagnostic pop
  character.bytes = text.substr(0, length);
  text.remove_prefix(length);
  return character;
}

// What Python's str.isalnum() takes: category L, or a numeric value of any kind.
bool is_letter_or_number(UChar32 c) {
  return u_isalpha(c) != 0 || u_getIntPropertyValue(c, UCHAR_NUMERIC_TYPE) != U_NT_NONE;
}

bool is_username_character(UChar32 c) {
  switch (c) {
    case '@':
    case '.':
    case '+':
    case '-':
    case '_':
      return true;
    default:
      return c >= 0 && is_letter_or_number(c);
  }
}

// Control characters, and those that reorder what stands around them.
bool is_hazardous(UChar32 c) {
  return c < 0x20 || (c >= 0x7f && c <= 0x9f) || (c >= 0x202a && c <= 0x202e) ||
         (c >= 0x2066 && c <= 0x2069);
}

}  // namespace

bool is_storable_text(std::string_view text) {
  return text.find('\0') == std::string_view::npos && simdjson::validate_utf8(text);
}

std::size_t count_characters(std::string_view text) {
  const auto starts_character = [](char c) {
    return (static_cast<std::uint8_t>(c) & 0xc0) != 0x80;
  };
  return static_cast<std::size_t>(std::ranges::count_if(text, starts_character));
}

std::string to_ascii_lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (is_upper(c)) c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

bool is_username(std::string_view text) {
  if (text.empty()) return false;
  while (!text.empty()) {
    if (!is_username_character(take_character(text).code_point)) return false;
  }
  return true;
}

bool is_slug(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, is_slug_character) && !parse_uuid(text);
}

bool is_host_name(std::string_view text) { return all_dotted_parts(text, is_host_label); }

bool is_email(std::string_view text) {
  const std::size_t at = text.find('@');
  if (at > 64) return false;  // npos too.
  const std::string host = to_ascii_lower(text.substr(at + 1));
  return all_dotted_parts(text.substr(0, at), is_atom) && is_host_name(host) &&
         (host == "localhost" || host.find('.') != std::string::npos);
}

bool is_hex_color(std::string_view text) {
  return text.size() == 7 && text.front() == '#' &&
         std::ranges::all_of(text.substr(1), is_hex_digit);
}

bool is_password_hash(std::string_view text) {
  if (!std::ranges::all_of(text, is_visible_ascii)) return false;
  if (text.starts_with('!')) return true;
  const std::size_t end = text.find('$');
  if (end == 0 || end == std::string_view::npos || end + 1 == text.size()) return false;
  return std::ranges::all_of(text.substr(0, end), is_slug_character);
}

std::string printable(std::string_view text) {
  std::string shown;
  shown.reserve(text.size());
  while (!text.empty()) {
    const Character character = take_character(text);
    if (character.code_point < 0) {
      for (const char byte : character.bytes) {
        fmt::format_to(std::back_inserter(shown), "\\u{{{:02X}}}", static_cast<std::uint8_t>(byte));
      }
    } else if (is_hazardous(character.code_point)) {
      fmt::format_to(std::back_inserter(shown), "\\u{{{:02X}}}", character.code_point);
    } else {
      shown += character.bytes;
    }
  }
  return shown;
}

}  // namespace tenantry::events
