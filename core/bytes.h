#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "events/values.h"

// Fixed-width integers in keys (big-endian, so that bytes sort as numbers do) and records
// (little-endian). Readers trust their offsets: whoever calls has checked the length.
namespace tenantry {

template <class Integer>
void append_be(std::string& out, Integer value) {
  std::array<char, sizeof(Integer)> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const std::size_t shift = 8 * (bytes.size() - 1 - i);
    bytes[i] = static_cast<char>((static_cast<std::uint64_t>(value) >> shift) & 0xffU);
  }
  out.append(bytes.data(), bytes.size());
}

template <class Integer>
void append_le(std::string& out, Integer value) {
  std::array<char, sizeof(Integer)> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = static_cast<char>((static_cast<std::uint64_t>(value) >> (8 * i)) & 0xffU);
  out.append(bytes.data(), bytes.size());
}

template <class Integer>
[[nodiscard]] Integer read_be(std::string_view bytes, std::size_t at) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < sizeof(Integer); ++i) {
    value = (value << 8U) | static_cast<std::uint8_t>(bytes[at + i]);
  }
  return static_cast<Integer>(value);
}

template <class Integer>
[[nodiscard]] Integer read_le(std::string_view bytes, std::size_t at) {
  if constexpr (std::endian::native == std::endian::little) {  // Records are read by the million.
    Integer whole;
    std::memcpy(&whole, bytes.data() + at, sizeof(whole));
    return whole;
  }
  std::uint64_t value = 0;
  for (std::size_t i = sizeof(Integer); i > 0; --i) {
    value = (value << 8U) | static_cast<std::uint8_t>(bytes[at + i - 1]);
  }
  return static_cast<Integer>(value);
}

template <class Integer>
void write_le(std::string& out, std::size_t at, Integer value) {
  for (std::size_t i = 0; i < sizeof(Integer); ++i) {
    out[at + i] = static_cast<char>((static_cast<std::uint64_t>(value) >> (8 * i)) & 0xffU);
  }
}

inline void append_uuid(std::string& out, const events::Uuid& uuid) {
  out.append(reinterpret_cast<const char*>(uuid.bytes.data()), uuid.bytes.size());
}

[[nodiscard]] inline events::Uuid read_uuid(std::string_view bytes, std::size_t at) {
  events::Uuid uuid;
  std::copy_n(bytes.begin() + at, uuid.bytes.size(), uuid.bytes.begin());
  return uuid;
}

}  // namespace tenantry
