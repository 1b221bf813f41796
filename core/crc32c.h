#pragma once

#include <cstdint>
#include <string_view>

namespace tenantry {

// CRC-32C (Castagnoli) as in iSCSI and RFC 3720: "123456789" gives 0xE3069283.
[[nodiscard]] std::uint32_t crc32c(std::string_view bytes);

// The checksum of `before + bytes`, given that of `before`; that of nothing is 0.
[[nodiscard]] std::uint32_t crc32c_extend(std::uint32_t crc, std::string_view bytes);

}  // namespace tenantry
