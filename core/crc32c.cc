#include "core/crc32c.h"

#include <cstddef>

#include <isa-l/crc.h>

namespace tenantry {

std::uint32_t crc32c(std::string_view bytes) { return crc32c_extend(0, bytes); }

std::uint32_t crc32c_extend(std::uint32_t crc, std::string_view bytes) {
  constexpr std::size_t kPiece = std::size_t{1} << 30;  // The library counts in int.
  crc = ~crc;  // It also leaves the inversion at both ends to its caller.
  while (!bytes.empty()) {
    const std::string_view piece = bytes.substr(0, kPiece);
    // It only reads; its buffer is not const for reasons of age.
    auto* data = reinterpret_cast<unsigned char*>(const_cast<char*>(piece.data()));
    crc = crc32_iscsi(data, static_cast<int>(piece.size()), crc);
    bytes.remove_prefix(piece.size());
  }
  return ~crc;
}

}  // namespace tenantry
