#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace tenantry::log_fragments {

// RocksDB's write-ahead log and its manifest are rows of blocks; a record is one fragment, or
// several that follow each other. No fragment crosses a block's end. A fragment: u32 masked CRC-32C
// of type and payload, u16 length of the payload, u8 type. What is left of a block and too short
// for a header is zeros.
inline constexpr std::size_t kBlockBytes = 32768;
inline constexpr std::size_t kHeaderBytes = 7;
enum Type : std::uint8_t { kFull = 1, kFirst = 2, kMiddle = 3, kLast = 4 };

struct Fragment {
  std::uint8_t type = 0;
  std::size_t bytes = 0;  // With its header.
  std::string_view payload;

  [[nodiscard]] bool begins_record() const { return type == kFull || type == kFirst; }
  [[nodiscard]] bool ends_record() const { return type == kFull || type == kLast; }
};

// The fragment that begins at `at`, if a whole one does. Points into `block`.
[[nodiscard]] std::optional<Fragment> fragment_at(std::string_view block, std::size_t at);

}  // namespace tenantry::log_fragments
