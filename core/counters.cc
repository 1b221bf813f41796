#include "core/counters.h"

#include "core/bytes.h"

namespace tenantry {

CounterKey counter_key(Family family, std::string_view key) {
  switch (family) {
    case Family::kState:
      return {family, read_be<std::uint16_t>(key, 0), static_cast<std::uint8_t>(key[2]), 0};
    case Family::kIndex: {
      const auto kind = static_cast<std::uint8_t>(key[0]);
      if (key[0] == 'M') return {family, 0, kind, 0};
      return {family, read_be<std::uint16_t>(key, 1), kind, read_be<std::uint32_t>(key, 3)};
    }
    default:
      return {family, 0, 0, 0};
  }
}

RowSum Counters::sum(const CounterKey& key) const {
  const auto found = sums_.find(key);
  return found == sums_.end() ? RowSum{} : found->second;
}

}  // namespace tenantry
