#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "events/commands.h"
#include "events/refusal.h"
#include "events/text.h"

// A line of NDJSON: a command's name, its data and its circumstances.
namespace tenantry::events {
namespace {

// --- Escapes that no text can hold --------------------------------------------------------------
// A document of kJsonDepthMax levels stands in `data`, which stands in the line.
constexpr std::size_t kLineDepthMax = kJsonDepthMax + 2;

// parse_json() refuses a line with \u0000 or half of a surrogate pair as a whole. Which field held
// it is found by reading the line again with a harmless escape of the same length in its place.

constexpr std::size_t kEscapeSize = 6;  // \uXXXX

std::optional<unsigned> unicode_escape_at(std::string_view line, std::size_t at) {
  if (line.substr(at, 2) != "\\u" || line.size() < at + kEscapeSize) return std::nullopt;
  unsigned unit = 0;
  const char* const end = line.data() + at + kEscapeSize;
  const auto [rest, error] = std::from_chars(line.data() + at + 2, end, unit, 16);
  if (error != std::errc() || rest != end) return std::nullopt;
  return unit;
}

bool is_high_surrogate(unsigned unit) { return unit >= 0xd800 && unit <= 0xdbff; }
bool is_low_surrogate(unsigned unit) { return unit >= 0xdc00 && unit <= 0xdfff; }

std::vector<std::size_t> find_bad_escapes(std::string_view line) {
  std::vector<std::size_t> found;
  std::size_t at = line.find('\\');
  while (at != std::string_view::npos) {
    const auto unit = unicode_escape_at(line, at);
    std::size_t size = unit ? kEscapeSize : 2;
    if (unit && is_high_surrogate(*unit)) {
      const auto next = unicode_escape_at(line, at + kEscapeSize);
      if (next && is_low_surrogate(*next)) {
        size += kEscapeSize;
      } else {
        found.push_back(at);
      }
    } else if (unit && (*unit == 0 || is_low_surrogate(*unit))) {
      found.push_back(at);
    }
    at = line.find('\\', at + size);
  }
  return found;
}

// A control character that the line does not contain: it could only do so by its escape.
std::optional<char> unused_control(std::string_view line) {
  constexpr std::string_view kHaveShortEscapes = "\b\t\n\f\r";
  for (char c = 1; c < ' '; ++c) {
    if (kHaveShortEscapes.find(c) != std::string_view::npos) continue;
    const auto code = static_cast<unsigned char>(c);
    if (line.find(fmt::format("\\u{:04x}", code)) == std::string_view::npos &&
        line.find(fmt::format("\\u{:04X}", code)) == std::string_view::npos) {
      return c;
    }
  }
  return std::nullopt;
}

// `value` with U+0000 in place of each `stand_in`, for the checks of its fields to find.
Json with_zeros(const Json& value, char stand_in) {
  const auto with_zero = [stand_in](std::string text) {
    std::ranges::replace(text, stand_in, '\0');
    return text;
  };
  if (const std::string* text = value.string()) return Json(with_zero(*text));
  if (const JsonArray* elements = value.array()) {
    JsonArray all;
    for (const Json& element : *elements) all.push_back(with_zeros(element, stand_in));
    return Json(std::move(all));
  }
  if (const JsonObject* members = value.object()) {
    JsonObject all;
    for (const auto& [key, member] : *members) {
      all.emplace_back(with_zero(key), with_zeros(member, stand_in));
    }
    return Json(std::move(all));
  }
  return value;
}

std::variant<Json, JsonError> parse_with_bad_escapes(std::string_view line, JsonError error) {
  const std::vector<std::size_t> bad = find_bad_escapes(line);
  const auto stand_in = bad.empty() ? std::nullopt : unused_control(line);
  if (!stand_in) return error;
  std::string repaired(line);
  const auto code = static_cast<unsigned char>(*stand_in);
  for (const std::size_t at : bad) {
    repaired.replace(at, kEscapeSize, fmt::format("\\u{:04x}", code));
  }
  auto parsed = parse_json(repaired, kLineDepthMax);
  if (const Json* value = std::get_if<Json>(&parsed)) return with_zeros(*value, *stand_in);
  return parsed;
}

// --- The line's own keys ------------------------------------------------------------------------

struct TextKey {
  std::string_view name;
  std::size_t length_max;  // Characters.
  std::string Circumstances::*value;
  std::string CommandDefaults::*fallback;
};

constexpr std::array<TextKey, 4> kTextKeys = {{
    {"actor", 200, &Circumstances::actor, &CommandDefaults::actor},
    {"channel", 50, &Circumstances::channel, &CommandDefaults::channel},
    {"reason", 500, &Circumstances::reason, &CommandDefaults::reason},
    {"correlation_id", 200, &Circumstances::correlation_id, &CommandDefaults::correlation_id},
}};

constexpr std::array<std::string_view, 10> kKeys = {"command",
                                                    "data",
                                                    "id",
                                                    "actor",
                                                    "channel",
                                                    "reason",
                                                    "correlation_id",
                                                    "causation_position",
                                                    "expected_version",
                                                    "at"};

Refusal wrong_type(std::string_view key, std::string_view allowed) {
  return refuse("invalid_type", key, fmt::format("{} must be {}", key, allowed));
}

std::optional<std::uint64_t> positive_integer(const Json& value) {
  const JsonNumber* const number = value.number();
  if (number == nullptr) return std::nullopt;
  const char* const end = number->text.data() + number->text.size();
  std::int64_t integer = 0;
  const auto [rest, error] = std::from_chars(number->text.data(), end, integer);
  if (error != std::errc() || rest != end || integer < 1) return std::nullopt;
  return static_cast<std::uint64_t>(integer);
}

Fault read_id(const Json& line, Circumstances& circumstances) {
  const Json* const given = line.find("id");
  if (given == nullptr) return std::nullopt;
  if (given->string() != nullptr) circumstances.id = parse_uuid(*given->string());
  // Records say with zeros that there is none.
  if (circumstances.id && *circumstances.id != Uuid{}) return std::nullopt;
  return wrong_type("id", "a UUID of 32 hexadecimal digits in the form 8-4-4-4-12, not all zero");
}

Fault read_text(const TextKey& key, const Json& line, const CommandDefaults& defaults,
                Circumstances& circumstances) {
  const Json* const given = line.find(key.name);
  if (given != nullptr && given->string() == nullptr) return wrong_type(key.name, "a text");
  const std::string& text = given != nullptr ? *given->string() : defaults.*key.fallback;
  if (!is_storable_text(text)) return refuse_unstorable(key.name);
  if (is_longer(text, key.length_max)) {
    return refuse("too_long", key.name,
                  fmt::format("{} must have at most {} characters", key.name, key.length_max));
  }
  circumstances.*key.value = text;
  return std::nullopt;
}

Fault read_causation(const Json& line, Circumstances& circumstances) {
  const Json* const given = line.find("causation_position");
  if (given == nullptr) return std::nullopt;
  circumstances.causation_position = positive_integer(*given);
  if (circumstances.causation_position) return std::nullopt;
  return wrong_type("causation_position", "the position of an event, a whole number from 1");
}

Fault read_expected_version(const Json& line, Circumstances& circumstances) {
  const Json* const given = line.find("expected_version");
  if (given == nullptr) return std::nullopt;
  if (given->string() != nullptr && *given->string() == "none") {
    circumstances.expected_version = {.kind = ExpectedVersion::Kind::kNone, .version = 0};
    return std::nullopt;
  }
  const auto version = positive_integer(*given);
  if (!version) return wrong_type("expected_version", "a whole number from 1, or \"none\"");
  circumstances.expected_version = {.kind = ExpectedVersion::Kind::kExact, .version = *version};
  return std::nullopt;
}

Fault read_at(const Json& line, bool historic, Circumstances& circumstances) {
  const Json* const given = line.find("at");
  if (given == nullptr) return std::nullopt;
  if (!historic) {
    return refuse("unknown_field", "at", "at is allowed only where history is being recorded");
  }
  if (given->string() != nullptr) circumstances.at = parse_timestamp(*given->string());
  if (circumstances.at) return std::nullopt;
  return wrong_type("at", kTimeForm);
}

Fault check_keys(const JsonObject& line) {
  for (const auto& [key, value] : line) {
    if (std::ranges::find(kKeys, key) != kKeys.end()) continue;
    return refuse(
        "unknown_field", excerpt(key),
        fmt::format("a line has no key \"{}\"; it has {}", excerpt(key), fmt::join(kKeys, ", ")));
  }
  return std::nullopt;
}

Fault check_data(const CommandInfo& info, const Json& line) {
  const Json* const data = line.find("data");
  if (data == nullptr) {
    return refuse("missing_field", "data",
                  fmt::format("data is missing: a JSON object of {}'s fields", info.name));
  }
  if (data->object() != nullptr) return std::nullopt;
  return wrong_type("data", fmt::format("a JSON object of {}'s fields", info.name));
}

Fault read_own_keys(const CommandInfo& info, const Json& line, const CommandDefaults& defaults,
                    bool historic, Circumstances& circumstances) {
  if (auto fault = check_data(info, line)) return fault;
  if (auto fault = read_id(line, circumstances)) return fault;
  for (const TextKey& key : kTextKeys) {
    if (auto fault = read_text(key, line, defaults, circumstances)) return fault;
  }
  if (auto fault = read_causation(line, circumstances)) return fault;
  if (auto fault = read_expected_version(line, circumstances)) return fault;
  if (auto fault = read_at(line, historic, circumstances)) return fault;
  return check_keys(*line.object());
}

// --- The command's name -------------------------------------------------------------------------

// Insertions, deletions and replacements of one byte that turn one name into the other.
std::size_t edit_distance(std::string_view left, std::string_view right) {
  std::vector<std::size_t> row(right.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= left.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= right.size(); ++j) {
      const std::size_t replaced = diagonal + (left[i - 1] == right[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({replaced, row[j] + 1, row[j - 1] + 1}));
    }
  }
  return row.back();
}

// Few, the nearest first.
std::vector<std::string_view> near_matches(std::string_view name) {
  constexpr std::size_t kDistanceMax = 4;
  constexpr std::size_t kShownMax = 3;
  constexpr std::size_t kNameMax = 60;  // The time grows with its size.
  std::vector<std::pair<std::size_t, std::string_view>> near;
  if (name.size() > kNameMax) return {};
  for (const CommandInfo& info : commands()) {
    const std::size_t distance = edit_distance(name, info.name);
    if (distance <= kDistanceMax && distance * 2 < info.name.size()) {
      near.emplace_back(distance, info.name);
    }
  }
  std::ranges::sort(near);
  std::vector<std::string_view> names;
  for (const auto& match : near) {
    if (names.size() < kShownMax) names.push_back(match.second);
  }
  return names;
}

Refusal unknown_command(std::string_view name) {
  const auto names = near_matches(name);
  std::string message = fmt::format("there is no command \"{}\"", excerpt(name));
  if (!names.empty()) message += fmt::format("; did you mean {}?", fmt::join(names, " or "));
  return refuse("unknown_command", "command", std::move(message));
}

std::variant<const CommandInfo*, Refusal> read_name(const Json& line) {
  const Json* const given = line.find("command");
  if (given == nullptr) {
    return refuse("missing_field", "command", "command is missing: the name of a command");
  }
  if (given->string() == nullptr) return wrong_type("command", "the name of a command, as a text");
  const CommandInfo* const info = find_command(*given->string());
  if (info == nullptr) return unknown_command(*given->string());
  return info;
}

std::variant<Json, Refusal> read_object(std::string_view line) {
  if (line.size() > kLineBytesMax) {
    return refuse("too_large", "", fmt::format("a line must have at most {} bytes", kLineBytesMax));
  }
  if (!is_storable_text(line)) {
    return refuse("invalid_text", "", "a line must be valid UTF-8 without zero bytes");
  }
  auto parsed = parse_json(line, kLineDepthMax);
  if (auto* error = std::get_if<JsonError>(&parsed)) {
    parsed = parse_with_bad_escapes(line, std::move(*error));
  }
  if (const auto* error = std::get_if<JsonError>(&parsed)) {
    return refuse("invalid_json", "",
                  fmt::format("no JSON: {} (at byte {})", error->message, error->offset));
  }
  if (std::get<Json>(parsed).object() == nullptr) {
    return refuse("invalid_type", "", "a line must be a JSON object with command and data");
  }
  return std::get<Json>(std::move(parsed));
}

}  // namespace

std::variant<CommandRequest, Refusal> parse_command_line(std::string_view line,
                                                         const CommandDefaults& defaults,
                                                         bool historic) {
  auto read = read_object(line);
  if (auto* refusal = std::get_if<Refusal>(&read)) return std::move(*refusal);
  const Json& object = std::get<Json>(read);
  auto name = read_name(object);
  if (auto* refusal = std::get_if<Refusal>(&name)) return std::move(*refusal);
  const CommandInfo& info = *std::get<const CommandInfo*>(name);
  CommandRequest request;
  if (auto fault = read_own_keys(info, object, defaults, historic, request.circumstances)) {
    return *std::move(fault);
  }
  auto command = parse_command(info, *object.find("data"));
  if (auto* refusal = std::get_if<Refusal>(&command)) return std::move(*refusal);
  request.command = std::get<EncodedCommand>(std::move(command));
  return request;
}

}  // namespace tenantry::events
