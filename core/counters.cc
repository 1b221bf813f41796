#include "core/counters.h"

#include <algorithm>

#include "core/bytes.h"

namespace tenantry {
namespace {

// The place of a counter among `sums`, or where it belongs.
template <class Sums>
auto place_of(Sums& sums, const CounterKey& key) {
  return std::ranges::lower_bound(sums, key, {}, &Counters::Sums::value_type::first);
}

}  // namespace

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
  const auto found = place_of(sums_, key);
  return found == sums_.end() || found->first != key ? RowSum{} : found->second;
}

RowSum& Counters::at(const CounterKey& key) {
  const auto found = place_of(sums_, key);
  if (found != sums_.end() && found->first == key) return found->second;
  return sums_.emplace(found, key, RowSum{})->second;
}

}  // namespace tenantry
