#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/event_source.h"

namespace tenantry {

// SHA-256, through a digest that is fetched once (half the cost of the one-shot call). One per
// thread.
class Sha256 {
 public:
  Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  ~Sha256();

  Sha256& add(std::string_view bytes);
  Sha256& add(const Hash& hash);
  [[nodiscard]] Hash finish();  // And begins anew.

 private:
  void* context_;  // EVP_MD_CTX.
};

[[nodiscard]] Hash sha256(std::string_view bytes);
[[nodiscard]] std::string hex(const Hash& hash);

// The first 16 bytes of HMAC-SHA-256: names personal data (an actor, a request) in keys without
// telling it.
[[nodiscard]] events::Uuid keyed_hash(std::string_view key, std::string_view bytes);

// XXH3-64: spreads keys; anybody can make two texts that share one.
[[nodiscard]] std::uint64_t quick_hash(std::string_view bytes);

// A count and a digest of a set of rows that does not depend on their order: the sum modulo 2^128
// of XXH3-128 of each (key, value). Finds lost and changed rows; forgery is the hash chain's
// business.
struct RowSum {
  std::uint64_t rows = 0;
  std::uint64_t low = 0;
  std::uint64_t high = 0;

  void add(std::string_view key, std::string_view value);
  void subtract(std::string_view key, std::string_view value);
  void add(const RowSum& others);
  bool operator==(const RowSum&) const = default;
};

}  // namespace tenantry
