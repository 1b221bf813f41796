#include "core/crc32c.h"

#include <string>

#include <gtest/gtest.h>

namespace tenantry {
namespace {

TEST(Crc32cTest, MatchesThePublishedValues) {
  EXPECT_EQ(crc32c(""), 0U);
  EXPECT_EQ(crc32c("123456789"), 0xE3069283U);
  // RFC 3720, B.4.
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAU);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62A8AB43U);
}

TEST(Crc32cTest, PartsGiveTheChecksumOfTheWhole) {
  const std::string_view text = "the quick brown fox jumps over the lazy dog, and then again";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    EXPECT_EQ(crc32c_extend(crc32c(text.substr(0, cut)), text.substr(cut)), crc32c(text));
  }
}

TEST(Crc32cTest, DoesNotDependOnAlignment) {
  const std::string text(1000, 'x');
  for (std::size_t shift = 0; shift < 64; ++shift) {
    const std::string shifted = std::string(shift, '-') + text;
    EXPECT_EQ(crc32c(std::string_view(shifted).substr(shift)), crc32c(text));
  }
}

}  // namespace
}  // namespace tenantry
