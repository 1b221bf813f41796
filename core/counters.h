#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <string_view>

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
  void add(Family family, std::string_view key, std::string_view value) {
    sums_[counter_key(family, key)].add(key, value);
  }
  void subtract(Family family, std::string_view key, std::string_view value) {
    sums_[counter_key(family, key)].subtract(key, value);
  }
  [[nodiscard]] RowSum sum(const CounterKey& key) const;
  [[nodiscard]] const std::map<CounterKey, RowSum>& sums() const { return sums_; }
  void set(const CounterKey& key, const RowSum& sum) { sums_[key] = sum; }

 private:
  std::map<CounterKey, RowSum> sums_;
};

}  // namespace tenantry
