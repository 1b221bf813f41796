#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

// The values that columns, fields and identifiers are made of.
namespace tenantry::events {

// A moment: microseconds since 1970-01-01T00:00:00Z, UTC. What the log stores lies between the
// years 1 and 9999, the range that PostgreSQL and Python's datetime share.
struct Timestamp {
  std::int64_t micros = 0;
  auto operator<=>(const Timestamp&) const = default;
};

// 128 bits, in the order in which they are written.
struct Uuid {
  std::array<std::uint8_t, 16> bytes{};
  auto operator<=>(const Uuid&) const = default;
};

// SQL NULL.
struct Null {
  auto operator<=>(const Null&) const = default;
};

// The value of one column. Text and JSON documents are both strings: the column's type tells them
// apart.
using Value = std::variant<Null, bool, std::int64_t, Timestamp, Uuid, std::string>;

// ISO-8601 in UTC with six fractional digits: 2026-01-31T09:30:00.000000Z.
[[nodiscard]] std::string format_timestamp(Timestamp time);
void append_timestamp(std::string& out, Timestamp time);

// A date and time of ISO-8601 with a zone (`Z` or an offset such as +02:00), separated by `T` or
// one blank, with at most six fractional digits; years 1 to 9999, seconds 0 to 59. nullopt for all
// else, so that no target can round or shift what it is given.
[[nodiscard]] std::optional<Timestamp> parse_timestamp(std::string_view text);

// A point in time as people type it: what parse_timestamp() takes, a date alone (its start, UTC),
// or an age before `now`: a whole number with s, m, h, d or w (`90s`, `3h`, `7d`).
[[nodiscard]] std::optional<Timestamp> parse_time_argument(std::string_view text, Timestamp now);

// Lower case, 8-4-4-4-12.
[[nodiscard]] std::string format_uuid(const Uuid& uuid);

// 8-4-4-4-12 hexadecimal digits of either case and nothing else: no braces, no prefix.
[[nodiscard]] std::optional<Uuid> parse_uuid(std::string_view text);

// Two lower-case digits a byte.
[[nodiscard]] std::string hex(std::string_view bytes);

}  // namespace tenantry::events
