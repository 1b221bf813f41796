#include "tools/points.h"

#include <charconv>
#include <limits>

#include <fmt/format.h>

#include "core/error.h"
#include "tools/exit_code.h"

namespace tenantry::tools {

std::optional<Position> parse_position(const std::string& text) {
  if (text.empty() || text.find_first_not_of("0123456789") != std::string::npos) {
    return std::nullopt;
  }
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return Position{static_cast<std::uint64_t>(value)};
}

Position parse_point(const TenancyStore& store, const std::string& text, events::Timestamp now) {
  if (const auto position = parse_position(text)) return *position;
  const auto time = events::parse_time_argument(text, now);
  if (!time) {
    throw UsageError(
        "usage", fmt::format("\"{}\" is no point in history", text),
        "a position (42), a time (2026-01-31, 2026-01-31T09:30:00Z) or an age (7d, 3h)");
  }
  return store.position_at(*time);
}

Position parse_reached_point(const TenancyStore& store, const std::string& text,
                             events::Timestamp now) {
  const Position position = parse_point(store, text, now);
  const Position tail = store.tail().tail;
  if (position > tail) {
    throw UsageError(
        "not_found",
        fmt::format("the log ends at position {}, before {}", tail.value, position.value),
        "tenantry status", static_cast<int>(ExitCode::kNotFound));
  }
  return position;
}

}  // namespace tenantry::tools
