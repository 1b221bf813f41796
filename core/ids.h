#pragma once

#include <compare>
#include <cstdint>

namespace tenantry {

// The place of an event in the log: 1, 2, 3, … without gaps. 0 is before the first.
struct Position {
  std::uint64_t value = 0;
  auto operator<=>(const Position&) const = default;
};

// The place of an event in its stream: 1, 2, 3, … 0: the stream has no event.
struct Version {
  std::uint64_t value = 0;
  auto operator<=>(const Version&) const = default;
};

}  // namespace tenantry
