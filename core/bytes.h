#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "events/values.h"

// Fixed-width integers in keys (big-endian, so that bytes sort as numbers do) and records
// (little-endian). Readers trust their offsets: whoever calls has checked the length.
namespace tenantry {

template <class Integer>
void append_be(std::string& out, Integer value) {
  for (std::size_t shift = sizeof(Integer) * 8; shift > 0; shift -= 8) {
    out += static_cast<char>((static_cast<std::uint64_t>(value) >> (shift - 8)) & 0xffU);
  }
}

template <class Integer>
void append_le(std::string& out, Integer value) {
  for (std::size_t shift = 0; shift < sizeof(Integer) * 8; shift += 8) {
    out += static_cast<char>((static_cast<std::uint64_t>(value) >> shift) & 0xffU);
  }
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
  for (const std::uint8_t byte : uuid.bytes) out += static_cast<char>(byte);
}

[[nodiscard]] inline events::Uuid read_uuid(std::string_view bytes, std::size_t at) {
  events::Uuid uuid;
  for (std::size_t i = 0; i < uuid.bytes.size(); ++i)
    uuid.bytes[i] = static_cast<std::uint8_t>(bytes[at + i]);
  return uuid;
}

}  // namespace tenantry
