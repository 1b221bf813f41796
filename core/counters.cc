#include "core/counters.h"

#include <algorithm>

#include "core/bytes.h"
#include "core/keys.h"

namespace tenantry {
namespace {

// The place of a counter among `sums`, or where it belongs.
template <class Sums>
auto place_of(Sums& sums, const CounterKey& key) {
  return std::ranges::lower_bound(sums, key, {}, &Counters::Sums::value_type::first);
}

// Visits the entry, or each of the entries that it counts as.
template <class Visit>
void each_counted(const CounterKey& key, std::string_view value, Visit&& visit) {
  const bool is_claim =
      key.family == Family::kState && key.kind > keys::kClaimBit && key.kind < keys::kLookupBit;
  while (is_claim && value.size() > keys::kHolderBytes) {
    visit(value.substr(0, keys::kHolderBytes));
    value.remove_prefix(keys::kHolderBytes);
  }
  visit(value);
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

void Counters::add(Family family, std::string_view key, std::string_view value) {
  const CounterKey counter = counter_key(family, key);
  RowSum& sum = at(counter);
  each_counted(counter, value, [&](std::string_view counted) { sum.add(key, counted); });
}

void Counters::subtract(Family family, std::string_view key, std::string_view value) {
  const CounterKey counter = counter_key(family, key);
  RowSum& sum = at(counter);
  each_counted(counter, value, [&](std::string_view counted) { sum.subtract(key, counted); });
}

void Counters::add(const Counters& others) {
  for (const auto& [key, sum] : others.sums_) at(key).add(sum);
}

void Counters::forget_epochs(std::uint16_t scope, std::uint32_t first) {
  std::erase_if(sums_, [&](const Sums::value_type& counter) {
    const CounterKey& key = counter.first;
    // Time marks are of no scope and have no epoch.
    return key.family == Family::kIndex && key.epoch > 0 && key.scope == scope && key.epoch < first;
  });
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
