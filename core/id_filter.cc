#include "core/id_filter.h"

#include <algorithm>
#include <bit>

#include "core/hash.h"

namespace tenantry {
namespace {

constexpr std::uint64_t kBitsOfAnId = 10;
constexpr std::uint64_t kBitsOfAWord = 64;
constexpr int kProbes = 7;

std::uint64_t hash_of(const events::Uuid& id) {
  return quick_hash({reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size()});
}

// Calls `at` with the byte and the mask of each bit of an id, until it returns false.
template <class At>
void each_probe(std::uint64_t hash, std::uint64_t bits, const At& at) {
  const std::uint64_t step = std::rotr(hash, 32) | 1U;
  for (int n = 0; n < kProbes; ++n, hash += step) {
    const std::uint64_t bit = hash % bits;
    if (!at(bit / 8, static_cast<std::uint8_t>(1U << (bit % 8)))) return;
  }
}

}  // namespace

void IdFilterWriter::add(const events::Uuid& id) {
  if (id != events::Uuid{}) hashes_.push_back(hash_of(id));
}

std::string IdFilterWriter::finish() {
  std::ranges::sort(hashes_);
  hashes_.erase(std::unique(hashes_.begin(), hashes_.end()), hashes_.end());
  const std::uint64_t words = (hashes_.size() * kBitsOfAnId + kBitsOfAWord - 1) / kBitsOfAWord;
  std::string filter(words * sizeof(std::uint64_t), '\0');
  for (const std::uint64_t hash : hashes_) {
    each_probe(hash, words * kBitsOfAWord, [&](std::uint64_t byte, std::uint8_t mask) {
      filter[byte] = static_cast<char>(static_cast<std::uint8_t>(filter[byte]) | mask);
      return true;
    });
  }
  hashes_.clear();
  return filter;
}

bool id_filter_may_hold(std::string_view filter, const events::Uuid& id) {
  if (filter.empty()) return false;
  bool found = true;
  each_probe(hash_of(id), filter.size() * 8, [&](std::uint64_t byte, std::uint8_t mask) {
    found = (static_cast<std::uint8_t>(filter[byte]) & mask) != 0;
    return found;
  });
  return found;
}

}  // namespace tenantry
