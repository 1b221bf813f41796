#include "core/id_filter.h"

#include <gtest/gtest.h>

#include "core/bytes.h"

namespace tenantry {
namespace {

events::Uuid filtered_id(std::uint64_t number) {
  events::Uuid id;
  for (std::size_t n = 0; n < sizeof(number); ++n) {
    id.bytes[n] = static_cast<std::uint8_t>(number >> (8 * n));
  }
  return id;
}

std::string filter_of(std::uint64_t ids) {
  IdFilterWriter writer;
  for (std::uint64_t n = 1; n <= ids; ++n) writer.add(filtered_id(n));
  return writer.finish();
}

TEST(IdFilterTest, HoldsEveryIdOfIt) {
  for (std::uint64_t ids = 1; ids < 600; ids += 7) {
    const std::string filter = filter_of(ids);
    for (std::uint64_t n = 1; n <= ids; ++n) {
      EXPECT_TRUE(id_filter_may_hold(filter, filtered_id(n))) << n << " of " << ids;
    }
  }
}

TEST(IdFilterTest, TenBitsOfAnIdKeepOutNearlyAllOthers) {
  std::uint64_t passed = 0;
  for (const std::uint64_t ids : {6U, 50U, 400U, 1600U}) {
    const std::string filter = filter_of(ids);
    EXPECT_EQ(filter.size(), (ids * 10 + 63) / 64 * 8);
    for (std::uint64_t n = 0; n < 10'000; ++n) {
      passed += id_filter_may_hold(filter, filtered_id(1'000'000 + n)) ? 1 : 0;
    }
  }
  EXPECT_LT(passed, 600U);  // Of 40,000.
}

TEST(IdFilterTest, OrderAndRepetitionDoNotMatter) {
  IdFilterWriter writer;
  for (const std::uint64_t n : {3U, 1U, 2U, 1U, 0U, 3U}) writer.add(filtered_id(n));
  EXPECT_EQ(writer.finish(), filter_of(3));
}

TEST(IdFilterTest, AWriterBeginsAnew) {
  IdFilterWriter writer;
  writer.add(filtered_id(9));
  (void)writer.finish();
  writer.add(filtered_id(1));
  EXPECT_EQ(writer.finish(), filter_of(1));
}

TEST(IdFilterTest, OfNothingItIsEmpty) {
  EXPECT_EQ(filter_of(0), "");
  EXPECT_FALSE(id_filter_may_hold("", filtered_id(1)));
}

// The bits are for ever.
TEST(IdFilterTest, BitsAreThoseOfTheFormat) {
  EXPECT_EQ(read_le<std::uint64_t>(filter_of(1), 0), 0xc00006000038000U);
  EXPECT_EQ(read_le<std::uint64_t>(filter_of(6), 0), 0x7c6e817748dbad1dU);
}

}  // namespace
}  // namespace tenantry
