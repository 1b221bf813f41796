#pragma once

#include <cstdint>
#include <random>

namespace tenantry::sim {

class Random {
 public:
  explicit Random(std::uint64_t seed) : random_(seed) {}
  [[nodiscard]] std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
  [[nodiscard]] bool one_in(std::uint64_t bound) { return below(bound) == 0; }

 private:
  std::mt19937_64 random_;
};

}  // namespace tenantry::sim
