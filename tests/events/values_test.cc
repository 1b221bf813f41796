#include "events/values.h"

#include <cstdint>
#include <random>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace tenantry::events {
namespace {

constexpr std::int64_t kSecond = 1'000'000;
constexpr std::int64_t kDay = 86'400 * kSecond;
constexpr Timestamp kYearOne{-62'135'596'800 * kSecond};
constexpr Timestamp kLastMoment{253'402'300'800 * kSecond - 1};

// What `text` is, printed again; empty when refused.
std::string reprinted(std::string_view text) {
  const auto time = parse_timestamp(text);
  return time ? format_timestamp(*time) : "";
}

TEST(FormatTimestamp, PrintsSixDigitsAndZ) {
  EXPECT_EQ(format_timestamp(Timestamp{0}), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(format_timestamp(Timestamp{1'769'851'800 * kSecond + 42}),
            "2026-01-31T09:30:00.000042Z");
}

TEST(FormatTimestamp, CountsBackwardsBefore1970) {
  EXPECT_EQ(format_timestamp(Timestamp{-1}), "1969-12-31T23:59:59.999999Z");
}

TEST(FormatTimestamp, ReachesFromYear1To9999) {
  EXPECT_EQ(format_timestamp(kYearOne), "0001-01-01T00:00:00.000000Z");
  EXPECT_EQ(format_timestamp(kLastMoment), "9999-12-31T23:59:59.999999Z");
}

// No event has such a time; a damaged row may, and whoever looks at it should see what is there.
TEST(FormatTimestamp, PrintsYearsBeyondThatAsTheyAre) {
  EXPECT_EQ(format_timestamp({kLastMoment.micros + 1}), "10000-01-01T00:00:00.000000Z");
  EXPECT_EQ(format_timestamp({kYearOne.micros - 1}), "0000-12-31T23:59:59.999999Z");
  EXPECT_EQ(format_timestamp({kYearOne.micros - 400 * 86'400 * kSecond}),
            "-001-11-28T00:00:00.000000Z");
}

TEST(ParseTimestamp, TakesUtcWithUpToSixFractionalDigits) {
  EXPECT_EQ(reprinted("2026-01-31T09:30:00Z"), "2026-01-31T09:30:00.000000Z");
  EXPECT_EQ(reprinted("2026-01-31T09:30:00.1Z"), "2026-01-31T09:30:00.100000Z");
  EXPECT_EQ(reprinted("2026-01-31T09:30:00.000120Z"), "2026-01-31T09:30:00.000120Z");
  EXPECT_EQ(reprinted("2026-01-31T09:30:00.123456Z"), "2026-01-31T09:30:00.123456Z");
}

TEST(ParseTimestamp, TakesABlankForTheT) {
  EXPECT_EQ(reprinted("2026-01-31 09:30:00Z"), "2026-01-31T09:30:00.000000Z");
}

TEST(ParseTimestamp, ShiftsOffsetsToUtc) {
  EXPECT_EQ(reprinted("2026-01-31 09:30:00+02:00"), "2026-01-31T07:30:00.000000Z");
  EXPECT_EQ(reprinted("2026-01-31T09:30:00.5-0530"), "2026-01-31T15:00:00.500000Z");
  EXPECT_EQ(reprinted("2026-01-01T00:30:00+01"), "2025-12-31T23:30:00.000000Z");
  EXPECT_EQ(reprinted("2026-01-31T09:30:00-00:00"), "2026-01-31T09:30:00.000000Z");
}

TEST(ParseTimestamp, KnowsLeapDays) {
  EXPECT_EQ(reprinted("2024-02-29T00:00:00Z"), "2024-02-29T00:00:00.000000Z");
  EXPECT_EQ(reprinted("2000-02-29T00:00:00Z"), "2000-02-29T00:00:00.000000Z");
  EXPECT_EQ(reprinted("2023-02-29T00:00:00Z"), "");
  EXPECT_EQ(reprinted("1900-02-29T00:00:00Z"), "");
}

TEST(ParseTimestamp, ShiftingKeepsWithinYears1To9999) {
  EXPECT_EQ(parse_timestamp("0001-01-01T02:00:00+02:00"), kYearOne);
  EXPECT_EQ(parse_timestamp("0001-01-01T01:59:59+02:00"), std::nullopt);
  EXPECT_EQ(parse_timestamp("9999-12-31T21:59:59.999999-02"), kLastMoment);
  EXPECT_EQ(parse_timestamp("9999-12-31T22:00:00-02"), std::nullopt);
}

class RefusedTimestampTest : public ::testing::TestWithParam<const char*> {};

TEST_P(RefusedTimestampTest, IsNoTimestamp) {
  EXPECT_EQ(parse_timestamp(GetParam()), std::nullopt);
}

INSTANTIATE_TEST_SUITE_P(
    Forms, RefusedTimestampTest,
    ::testing::Values("", "infinity", "-infinity", "now", "2026-01-31", "2026-01-31T09:30:00",
                      "2026-01-31T09:30Z", "2026-01-31T09:30:00.1234567Z", "2026-01-31T09:30:00.Z",
                      "2026-01-31T09:30:00,5Z", "2026-01-31T09:30:60Z", "2026-01-31T09:60:00Z",
                      "2026-01-31T24:00:00Z", "2026-01-32T00:00:00Z", "2026-04-31T00:00:00Z",
                      "2026-00-10T00:00:00Z", "2026-13-10T00:00:00Z", "2026-01-00T00:00:00Z",
                      "0000-01-01T00:00:00Z", "10000-01-01T00:00:00Z", "-2026-01-31T09:30:00Z",
                      "+2026-01-31T09:30:00Z", " 2026-01-31T09:30:00Z", "2026-01-31T09:30:00Z ",
                      "2026-01-31  09:30:00Z", "2026-01-31T09:30:00 Z", "2026-01-31t09:30:00Z",
                      "2026-01-31T09:30:00z", "2026-1-31T09:30:00Z", "2026-01-31T9:30:00Z",
                      "2026-01-31T09:30:00+2", "2026-01-31T09:30:00+02:",
                      "2026-01-31T09:30:00+02:0", "2026-01-31T09:30:00+02:60",
                      "2026-01-31T09:30:00+24:00", "2026-01-31T09:30:00+02:00:00",
                      "2026-01-31T09:30:00Z+02", "2026-01-31T09:30:00 Europe/Berlin",
                      "20260131T093000Z", "2026-01-31T+9:30:00Z", "2026-01-31 09:30:00 BC"));

TEST(ParseTimestamp, ReadsWhatFormatTimestampPrints) {
  constexpr std::uint64_t kSeed = 20260131;
  SCOPED_TRACE(::testing::Message() << "seed=" << kSeed);
  std::mt19937_64 random(kSeed);
  std::uniform_int_distribution<std::int64_t> any(kYearOne.micros, kLastMoment.micros);
  for (int i = 0; i < 20'000; ++i) {
    const Timestamp time{any(random)};
    ASSERT_EQ(parse_timestamp(format_timestamp(time)), time) << time.micros;
  }
}

// Every 17th day comes upon every day of the year.
TEST(ParseTimestamp, ReadsDaysBackInOrder) {
  std::string previous;
  for (std::int64_t at = kYearOne.micros; at <= kLastMoment.micros; at += 17 * kDay) {
    const std::string text = format_timestamp(Timestamp{at});
    ASSERT_LT(previous, text);
    ASSERT_EQ(parse_timestamp(text), Timestamp{at}) << text;
    previous = text;
  }
}

TEST(ParseTimestamp, SurvivesDamagedTimestamps) {
  constexpr std::uint64_t kSeed = 7;
  SCOPED_TRACE(::testing::Message() << "seed=" << kSeed);
  std::mt19937_64 random(kSeed);
  const std::string sound = "2026-01-31T09:30:00.123456+02:00";
  for (int i = 0; i < 20'000; ++i) {
    std::string text = sound.substr(0, random() % (sound.size() + 1));
    if (!text.empty()) text[random() % text.size()] = static_cast<char>(random());
    const auto time = parse_timestamp(text);
    if (time) {
      ASSERT_EQ(parse_timestamp(format_timestamp(*time)), time) << text;
    }
  }
}

constexpr Timestamp kNow{1'769'851'800 * kSecond};  // 2026-01-31T09:30:00Z

TEST(ParseTimeArgument, TakesATimestampOrADate) {
  EXPECT_EQ(parse_time_argument("2026-01-31T09:30:00Z", Timestamp{0}), kNow);
  EXPECT_EQ(parse_time_argument("1970-01-02", kNow), Timestamp{kDay});
}

TEST(ParseTimeArgument, TakesAnAgeBeforeNow) {
  EXPECT_EQ(parse_time_argument("0s", kNow), kNow);
  EXPECT_EQ(parse_time_argument("90s", kNow), Timestamp{kNow.micros - 90 * kSecond});
  EXPECT_EQ(parse_time_argument("5m", kNow), Timestamp{kNow.micros - 300 * kSecond});
  EXPECT_EQ(parse_time_argument("3h", kNow), Timestamp{kNow.micros - 10'800 * kSecond});
  EXPECT_EQ(parse_time_argument("7d", kNow), Timestamp{kNow.micros - 7 * kDay});
  EXPECT_EQ(parse_time_argument("2w", kNow), Timestamp{kNow.micros - 14 * kDay});
}

TEST(ParseTimeArgument, RefusesAnAgeBeforeYear1) {
  EXPECT_EQ(parse_time_argument("739646d", kNow), parse_timestamp("0001-01-01T09:30:00Z"));
  EXPECT_EQ(parse_time_argument("739647d", kNow), std::nullopt);
  EXPECT_EQ(parse_time_argument("9223372036854775807s", kNow), std::nullopt);
  EXPECT_EQ(parse_time_argument("18446744073709551615w", kNow), std::nullopt);
  EXPECT_EQ(parse_time_argument("18446744073709551616s", kNow), std::nullopt);
}

TEST(ParseTimeArgument, RefusesOtherForms) {
  for (const char* text :
       {"", "s", "7", "7 d", "-7d", "+7d", "1.5h", "7D", "7y", " 7d", "7d ", "d7", "7dd", "2026-01",
        "2026-02-30", "0000-01-01", "2026-01-31T09:30", "2026-01-31 ", "yesterday"}) {
    EXPECT_EQ(parse_time_argument(text, kNow), std::nullopt) << text;
  }
}

constexpr const char* kUuidText = "00112233-4455-6677-8899-aabbccddeeff";
constexpr Uuid kUuid{{0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc,
                      0xdd, 0xee, 0xff}};

TEST(FormatUuid, GroupsLowerCaseDigits) { EXPECT_EQ(format_uuid(kUuid), kUuidText); }

TEST(ParseUuid, TakesEitherCase) {
  EXPECT_EQ(parse_uuid(kUuidText), kUuid);
  EXPECT_EQ(parse_uuid("00112233-4455-6677-8899-AABBCCDDEEFF"), kUuid);
}

TEST(ParseUuid, RefusesOtherSpellings) {
  for (const char* text :
       {"", "{00112233-4455-6677-8899-aabbccddeeff}", "00112233445566778899aabbccddeeff",
        "urn:uuid:00112233-4455-6677-8899-aabbccddeeff", "00112233-4455-6677-8899-aabbccddeef",
        "00112233-4455-6677-8899-aabbccddeeff0", "00112233-4455-6677-8899-aabbccddeefg",
        "0011223-34455-6677-8899-aabbccddeeff", " 0112233-4455-6677-8899-aabbccddeeff",
        "00112233-4455-6677-8899_aabbccddeeff"}) {
    EXPECT_EQ(parse_uuid(text), std::nullopt) << text;
  }
}

TEST(ParseUuid, ReadsWhatFormatUuidPrintsInTheSameOrder) {
  constexpr std::uint64_t kSeed = 99;
  SCOPED_TRACE(::testing::Message() << "seed=" << kSeed);
  std::mt19937_64 random(kSeed);
  Uuid previous;
  for (int i = 0; i < 2'000; ++i) {
    Uuid uuid;
    for (auto& byte : uuid.bytes) byte = static_cast<std::uint8_t>(random());
    ASSERT_EQ(parse_uuid(format_uuid(uuid)), uuid);
    ASSERT_EQ(uuid < previous, format_uuid(uuid) < format_uuid(previous));
    previous = uuid;
  }
}

TEST(Hex, PrintsTwoLowerCaseDigitsAByte) {
  EXPECT_EQ(hex(""), "");
  EXPECT_EQ(hex(std::string_view("\x00\x0f\xa0\xff", 4)), "000fa0ff");
}

}  // namespace
}  // namespace tenantry::events
