#include "core/log_fragments.h"

#include "core/bytes.h"
#include "core/crc32c.h"

namespace tenantry::log_fragments {
namespace {

constexpr std::size_t kLengthAt = 4;
constexpr std::size_t kTypeAt = 6;

std::uint32_t masked(std::uint32_t crc) { return ((crc >> 15) | (crc << 17)) + 0xa282ead8U; }

}  // namespace

std::optional<Fragment> fragment_at(std::string_view block, std::size_t at) {
  if (at + kHeaderBytes > block.size()) return std::nullopt;
  const auto type = static_cast<std::uint8_t>(block[at + kTypeAt]);
  if (type < kFull || type > kLast) return std::nullopt;
  const auto length = read_le<std::uint16_t>(block, at + kLengthAt);
  if (at + kHeaderBytes + length > block.size()) return std::nullopt;
  const std::string_view covered = block.substr(at + kTypeAt, std::size_t{1} + length);
  if (masked(crc32c(covered)) != read_le<std::uint32_t>(block, at)) return std::nullopt;
  return Fragment{type, kHeaderBytes + length, covered.substr(1)};
}

}  // namespace tenantry::log_fragments
