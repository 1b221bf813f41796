#include "tools/generator/random_source.h"

#include <algorithm>
#include <bit>
#include <string_view>

namespace tenantry::generator {
namespace {

constexpr std::string_view kUrlSafe =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::string_view kHexDigits = "0123456789abcdef";

template <int bits_each>
void append_drawn(RandomSource& random, std::string_view alphabet, std::string& out,
                  std::size_t count) {
  constexpr int kPerDraw = 64 / bits_each;
  std::uint64_t drawn = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (i % kPerDraw == 0) drawn = random.bits();
    out += alphabet[drawn & ((1U << bits_each) - 1)];
    drawn >>= bits_each;
  }
}

}  // namespace

std::uint32_t RandomSource::zipf_below(std::uint32_t bound) {
  // As many places in [2^k - 1, 2^(k+1) - 1) share one chance as there are in it.
  const auto groups = static_cast<std::size_t>(std::bit_width(bound));
  while (true) {
    const std::uint32_t group = below(groups);
    const std::uint32_t place = (1U << group) - 1 + below(std::size_t{1} << group);
    if (place < bound) return place;
  }
}

std::int64_t RandomSource::waiting(std::int64_t mean) {
  // The zeros before the first one of a row of coin throws, and a part: 1.5 on average.
  constexpr std::int64_t kPart = std::int64_t{1} << 16;
  const std::int64_t zeros = std::countl_zero(bits() | 1);
  const std::int64_t throws = zeros * kPart + below(kPart);
  return mean * throws / (kPart + kPart / 2);
}

events::Uuid RandomSource::uuid() {
  events::Uuid uuid;
  for (std::size_t half = 0; half < 2; ++half) {
    std::uint64_t drawn = bits();
    for (std::size_t i = 0; i < 8; ++i, drawn >>= 8) {
      uuid.bytes[half * 8 + i] = static_cast<std::uint8_t>(drawn);
    }
  }
  uuid.bytes[6] = static_cast<std::uint8_t>((uuid.bytes[6] & 0x0f) | 0x40);
  uuid.bytes[8] = static_cast<std::uint8_t>((uuid.bytes[8] & 0x3f) | 0x80);
  return uuid;
}

void RandomSource::append_url_safe(std::string& out, std::size_t count) {
  append_drawn<6>(*this, kUrlSafe, out, count);
}

void RandomSource::append_hex(std::string& out, std::size_t count) {
  append_drawn<4>(*this, kHexDigits, out, count);
}

std::uint64_t spread(std::uint64_t number) {  // The finalizer of SplitMix64.
  number += 0x9e3779b97f4a7c15;
  number = (number ^ (number >> 30)) * 0xbf58476d1ce4e5b9;
  number = (number ^ (number >> 27)) * 0x94d049bb133111eb;
  return number ^ (number >> 31);
}

}  // namespace tenantry::generator
