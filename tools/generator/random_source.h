#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>

#include "events/values.h"

namespace tenantry::generator {

// Draws that depend on the seed alone: integers only, and no distribution of the standard library,
// whose results differ between its implementations.
class RandomSource {
 public:
  explicit RandomSource(std::uint64_t seed) : engine_(seed) {}

  [[nodiscard]] std::uint64_t bits() { return engine_(); }
  // 0 to `bound` - 1; `bound` is at least 1.
  [[nodiscard]] std::uint32_t below(std::size_t bound) {
    return static_cast<std::uint32_t>(((bits() >> 32) * bound) >> 32);
  }
  [[nodiscard]] bool percent(std::uint32_t chance) { return below(100) < chance; }
  // Both included.
  [[nodiscard]] std::int64_t between(std::int64_t low, std::int64_t high) {
    const auto width = static_cast<std::uint64_t>(high - low) + 1;
    return low + static_cast<std::int64_t>(bits() % width);
  }
  // 0 to `bound` - 1, place r about as often as 1 / (r + 1): the law of Zipf in steps of two.
  [[nodiscard]] std::uint32_t zipf_below(std::uint32_t bound);
  // How long to wait for what comes every `mean` on average: mostly less, seldom much more.
  [[nodiscard]] std::int64_t waiting(std::int64_t mean);

  [[nodiscard]] events::Uuid uuid();  // Version 4.
  // Appends `count` of the 64 characters that a URL takes as they are.
  void append_url_safe(std::string& out, std::size_t count);
  void append_hex(std::string& out, std::size_t count);

 private:
  std::mt19937_64 engine_;  // The standard says what it draws.
};

// Spreads the bits of a number over all 64: neighbours come to look unlike each other.
[[nodiscard]] std::uint64_t spread(std::uint64_t number);

}  // namespace tenantry::generator
