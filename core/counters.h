#pragma once

#include <compare>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "core/hash.h"
#include "core/storage.h"

namespace tenantry {

// What a counter counts: the entries of one kind (LOG_FORMAT.md). For the state the kind is the
// third byte of the key, for the index the first; the idempotency family has kind 0.
struct CounterKey {
  Family family = Family::kState;
  std::uint16_t scope = 0;
  std::uint8_t kind = 0;
  std::uint32_t epoch = 0;
  auto operator<=>(const CounterKey&) const = default;
};

// The counter that an entry belongs to; `family` is state, index or idempotency.
[[nodiscard]] CounterKey counter_key(Family family, std::string_view key);

// Counts and digests of everything that has no sequence of its own, so that a scan that loses
// entries without an error (a hazard of the packaged RocksDB) is found out.
class Counters {
 public:
  using Sums = std::vector<std::pair<CounterKey, RowSum>>;

  // A claim with several holders counts as one entry for each: so what the rows add up to does not
  // depend on who else claims.
  void add(Family family, std::string_view key, std::string_view value);
  void subtract(Family family, std::string_view key, std::string_view value);
  void add(const Counters& others);
  [[nodiscard]] RowSum sum(const CounterKey& key) const;
  [[nodiscard]] const Sums& sums() const { return sums_; }  // Ascending by key.
  void set(const CounterKey& key, const RowSum& sum) { at(key) = sum; }
  // Forgets what the index of a scope holds under epochs before `first`.
  void forget_epochs(std::uint16_t scope, std::uint32_t first);

 private:
  RowSum& at(const CounterKey& key);

  Sums sums_;  // Some dozens, in one piece: every commit copies them.
};

}  // namespace tenantry
