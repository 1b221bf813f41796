#include "core/block_codec.h"

#include <random>

#include <gtest/gtest.h>

namespace tenantry {
namespace {

// Like what is stored: words that come again, numbers that do not.
std::string compressible(std::size_t bytes, unsigned seed) {
  std::mt19937 random(seed);
  std::string text;
  while (text.size() < bytes) {
    text += "tenant ";
    text += std::to_string(random() % 100'000);
  }
  text.resize(bytes);
  return text;
}

std::string compressed(const std::string& raw) {
  return std::string(BlockCompressor().compress(raw));
}

bool decompresses(const std::string& stored, std::size_t bytes) {
  std::string raw(bytes, '\0');
  return decompress_block(stored, raw);
}

TEST(BlockCodecTest, GivesBackWhatWasCompressed) {
  for (const std::size_t bytes : {100U, 5'000U, 65'536U, 1'000'000U}) {
    const std::string raw = compressible(bytes, 1);
    const std::string stored = compressed(raw);
    ASSERT_LT(stored.size(), raw.size());
    std::string back(raw.size(), '\0');
    EXPECT_TRUE(decompress_block(stored, back));
    EXPECT_EQ(back, raw);
  }
}

TEST(BlockCodecTest, GivesNothingWhereNothingIsSaved) {
  std::mt19937 random(1);
  std::string raw(1000, '\0');
  for (char& c : raw) c = static_cast<char>(random());
  EXPECT_EQ(compressed(raw), "");
  EXPECT_EQ(compressed("a"), "");
  EXPECT_EQ(compressed(""), "");
}

// What a compressor has seen before must not show in what it gives.
TEST(BlockCodecTest, EqualBytesGiveEqualBytes) {
  BlockCompressor compressor;
  std::mt19937 random(7);
  for (unsigned n = 0; n < 300; ++n) {
    const std::string raw = compressible(random() % 100'000, n % 50);
    EXPECT_EQ(std::string(compressor.compress(raw)), compressed(raw)) << n;
  }
}

TEST(BlockCodecTest, RefusesAnotherLength) {
  const std::string stored = compressed(compressible(5000, 1));
  EXPECT_TRUE(decompresses(stored, 5000));
  EXPECT_FALSE(decompresses(stored, 4999));
  EXPECT_FALSE(decompresses(stored, 5001));
  EXPECT_FALSE(decompresses(stored, 0));
  EXPECT_FALSE(decompresses("", 0));
}

TEST(BlockCodecTest, RefusesWhatIsNotOneFrame) {
  const std::string stored = compressed(compressible(5000, 1));
  const std::string skipped("\x50\x2a\x4d\x18\x04\0\0\0abcd", 12);
  EXPECT_FALSE(decompresses(stored + "x", 5000));
  EXPECT_FALSE(decompresses(stored + skipped, 5000));
  EXPECT_FALSE(decompresses(skipped + stored, 5000));
  EXPECT_FALSE(decompresses(stored + stored, 5000));
  EXPECT_FALSE(decompresses(stored + stored, 10'000));
  EXPECT_FALSE(decompresses(stored.substr(0, stored.size() - 1), 5000));
  EXPECT_FALSE(decompresses(std::string(100, 'x'), 5000));
}

}  // namespace
}  // namespace tenantry
