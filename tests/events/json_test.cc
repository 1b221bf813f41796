#include "events/json.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "events/text.h"

namespace tenantry::events {
namespace {

using namespace std::string_view_literals;
using ::testing::HasSubstr;

Json parsed(std::string_view text) {
  auto result = parse_json(text);
  if (const auto* error = std::get_if<JsonError>(&result)) {
    ADD_FAILURE() << printable(text) << ": " << error->message;
    return Json();
  }
  return std::get<Json>(std::move(result));
}

// nullopt when `text` is read.
std::optional<JsonError> refusal(std::string_view text) {
  auto result = parse_json(text);
  if (auto* error = std::get_if<JsonError>(&result)) return std::move(*error);
  return std::nullopt;
}

std::string message(std::string_view text) {
  const auto error = refusal(text);
  return error ? error->message : "(accepted)";
}

// The jsonb text, or the message of the error.
std::string written(const Json& document) {
  auto result = to_jsonb_text(document);
  if (const auto* error = std::get_if<JsonError>(&result))
    return fmt::format("error: {}", error->message);
  return std::get<std::string>(std::move(result));
}

std::string jsonb(std::string_view text) { return written(parsed(text)); }

Json number(std::string text) { return Json(JsonNumber{std::move(text)}); }

TEST(ParseJson, ReadsEveryKindOfValue) {
  EXPECT_TRUE(parsed("null").is_null());
  ASSERT_NE(parsed(" true\n").boolean(), nullptr);
  EXPECT_EQ(parsed("true"), Json(true));
  EXPECT_EQ(parsed("false"), Json(false));
  EXPECT_EQ(parsed("\"\""), Json(std::string()));
  EXPECT_EQ(parsed("[]"), Json(JsonArray{}));
  EXPECT_EQ(parsed("{}"), Json(JsonObject{}));
  EXPECT_EQ(parsed("[1, [true], {}]"),
            Json(JsonArray{number("1"), Json(JsonArray{Json(true)}), Json(JsonObject{})}));
}

TEST(ParseJson, KeepsMembersInTheOrderOfTheSource) {
  EXPECT_EQ(parsed(R"({"b": 1, "a": {"c": null}})"),
            Json(JsonObject{{"b", number("1")}, {"a", Json(JsonObject{{"c", Json()}})}}));
}

TEST(ParseJson, KeepsTheSpellingOfNumbers) {
  for (const char* text :
       {"0", "-0", "1.10", "1E+5", "12345678901234567890123", "-1.5e-7", "1e308", "1e309",
        "1e999999999", "1e99999999999999999999", "-1e-99999999999999"}) {
    EXPECT_EQ(parsed(text), number(text)) << text;
  }
}

// Numbers past the range of a double are read in a second pass over the text.
TEST(ParseJson, KeepsTheSpellingOfNumbersPastTheRangeOfADouble) {
  const std::string digits(400, '9');
  const std::string text =
      fmt::format(R"({{"1e999": [1.50, 1e999 ,"1e999 \" 7", -{}], "x": 2}})", digits);
  EXPECT_EQ(parsed(text),
            Json(JsonObject{{"1e999", Json(JsonArray{number("1.50"), number("1e999"),
                                                     Json(std::string("1e999 \" 7")),
                                                     number(fmt::format("-{}", digits))})},
                            {"x", number("2")}}));
}

TEST(ParseJson, RefusesAnErrorBesideANumberPastTheRangeOfADouble) {
  for (const char* text : {"[1e999, 1-2]", "[1e999 1]", "[1e999", "1e999e", "1e999.5", "[1e999,01]",
                           "[1e999,\"", "[1e999,\"\\", "1e999 1-2-3", "[01,1e999]", "-1e999-",
                           "[1e999,2,+3,4]", "[1e999,-]", "[1e9991e999]"}) {
    EXPECT_TRUE(refusal(text).has_value()) << text;
  }
}

TEST(ParseJson, DecodesEscapes) {
  EXPECT_EQ(parsed(R"("\"\\\/\b\f\n\r\t\u0041\u00e9\u6771\ud83e\uddec")"),
            Json(std::string("\"\\/\b\f\n\r\tAé東🧬")));
}

TEST(ParseJson, FindReturnsAMemberByItsKey) {
  const Json document = parsed(R"({"a": 1, "": 2})");
  ASSERT_NE(document.find("a"), nullptr);
  EXPECT_EQ(*document.find("a"), number("1"));
  EXPECT_EQ(*document.find(""), number("2"));
  EXPECT_EQ(document.find("b"), nullptr);
  EXPECT_EQ(parsed("[]").find("a"), nullptr);
}

TEST(ParseJson, RefusesWhatIsNotJson) {
  for (const char* text : {"",
                           " ",
                           "nul",
                           "nulll",
                           "True",
                           "NaN",
                           "Infinity",
                           "-Infinity",
                           "undefined",
                           "'a'",
                           "+1",
                           "01",
                           "-01",
                           ".5",
                           "1.",
                           "1.e5",
                           "1e",
                           "1e+",
                           "-",
                           "--1",
                           "0x10",
                           "1_000",
                           "1 2",
                           "[1 2]",
                           "[1,]",
                           "[,1]",
                           "[,]",
                           "[",
                           "]",
                           "[1",
                           "[1}",
                           "{",
                           "}",
                           "{,}",
                           "{\"a\"}",
                           "{\"a\":}",
                           "{\"a\":1,}",
                           "{\"a\":1 \"b\":2}",
                           "{\"a\" 1}",
                           "{a:1}",
                           "{1:1}",
                           "{\"a\":1]",
                           "{null:1}",
                           "{\"a\"::1}",
                           "[:]",
                           ":",
                           ",",
                           "\"",
                           "\"a",
                           "\"\\x\"",
                           "\"\\u12\"",
                           "\"\\u12g4\"",
                           "\"\\",
                           "\"\t\"",
                           "\"\n\"",
                           "\"\x01\"",
                           "// c\n1",
                           "/**/1",
                           "\xef\xbb\xbf{}",
                           "{} {}",
                           "[]]",
                           "\xc2\xa0[]",
                           "\f1",
                           "truefalse",
                           "\"a\"\"b\"",
                           "{\"a\":1}}"}) {
    EXPECT_TRUE(refusal(text).has_value()) << text;
  }
}

TEST(ParseJson, RefusesZeroBytesWhereverTheyAre) {
  for (const auto text : {"\0"sv, "1\0"sv, "1\0garbage"sv, "\"a\0b\""sv, "{}\0"sv, "[1,\0]"sv}) {
    EXPECT_TRUE(refusal(text).has_value()) << printable(text);
  }
}

TEST(ParseJson, RefusesU0000InKeysAndTexts) {
  EXPECT_THAT(message(R"({"a": "x\u0000y"})"), HasSubstr("\\u0000"));
  EXPECT_THAT(message(R"({"a\u0000": 1})"), HasSubstr("\\u0000"));
  EXPECT_FALSE(refusal(R"("\\u0000")").has_value());
}

TEST(ParseJson, RefusesHalfASurrogatePair) {
  for (const char* text :
       {R"("\ud800")", R"("\udc00")", R"("\udfff x")", R"("\ud800x")", R"("\ud800\n")",
        R"("\ud800\u0041")", R"("\ud800\ud800")", R"("\udc00\ud800")", R"({"\udc00": 1})"}) {
    EXPECT_THAT(message(text), HasSubstr("surrogate")) << text;
  }
}

TEST(ParseJson, RefusesInvalidUtf8) {
  for (const auto text : {"\"\xff\""sv, "\"\xc0\x80\""sv, "\"\xed\xa0\x80\""sv, "\"\xe6\x9d\""sv,
                          "\"\xf4\x90\x80\x80\""sv, "{\"\xe9\": 1}"sv, "\"\xe6"sv}) {
    EXPECT_THAT(message(text), HasSubstr("UTF-8")) << printable(text);
  }
}

TEST(ParseJson, RefusesDuplicateKeysAndNamesThem) {
  EXPECT_THAT(message(R"({"a": 1, "b": 2, "a": 1})"), HasSubstr("\"a\" occurs twice"));
  EXPECT_THAT(message(R"([{"x": {"a\u0062": 1, "ab": 2}}])"), HasSubstr("\"ab\" occurs twice"));
  EXPECT_FALSE(refusal(R"({"a": {"a": 1}, "b": {"a": 1}, "A": 1})").has_value());
}

TEST(ParseJson, FindsADuplicateAmongManyKeys) {
  for (const int count : {15, 16, 17, 5'000}) {
    std::string members;
    for (int i = 0; i < count; ++i) members += fmt::format(R"("k{}":1,)", i);
    EXPECT_FALSE(refusal(fmt::format(R"({{{}"last":1}})", members)).has_value()) << count;
    EXPECT_THAT(message(fmt::format(R"({{{}"k7":1}})", members)), HasSubstr("\"k7\" occurs twice"))
        << count;
  }
}

TEST(ParseJson, NamesLongAndHostileKeysSafely) {
  std::string umlauts;
  for (int i = 0; i < 100; ++i) umlauts += "a\u00fc";
  EXPECT_THAT(message("{\"\\u001b\":1,\"\\u001b\":2}"), HasSubstr("\\u{1B}"));
  for (const std::string& long_key :
       {std::string(1'000, 'k'), umlauts, fmt::format("x{}", umlauts)}) {
    const std::string text = message(fmt::format(R"({{"{0}":1,"{0}":1}})", long_key));
    EXPECT_LT(text.size(), 120U);
    EXPECT_EQ(printable(text), text);
    EXPECT_THAT(text, ::testing::Not(HasSubstr("\\u{")));
  }
}

TEST(ParseJson, TakesThirtyTwoLevels) {
  EXPECT_FALSE(refusal(std::string(32, '[') + std::string(32, ']')).has_value());
  EXPECT_THAT(message(std::string(33, '[') + std::string(33, ']')), HasSubstr("more than 32 deep"));
  EXPECT_THAT(message(std::string(1'000'000, '[')), HasSubstr("more than 32 deep"));

  std::string objects;
  for (int i = 0; i < 32; ++i) objects += "{\"a\":";
  EXPECT_FALSE(refusal(objects + "1" + std::string(32, '}')).has_value());
  EXPECT_TRUE(refusal(objects + "[]" + std::string(32, '}')).has_value());
  EXPECT_FALSE(refusal(R"([[],[[]],{"a":[]}])").has_value());
}

TEST(ParseJson, SaysWhatIsWrongAndWhere) {
  const std::vector<std::pair<std::string_view, JsonError>> cases = {
      {"", {"there is no value", 0}},
      {"{} x", {"something follows the value", 3}},
      {"{a: 1}", {"a key in double quotes is missing", 1}},
      {"{\"a\" 1}", {"a colon is missing after a key", 5}},
      {"{\"a\": 1 2}", {"a comma or } is missing after a member", 8}},
      {"[1 2]", {"a comma or ] is missing after an element", 3}},
      {"[\"a", {"a closing double quote is missing", 3}},
      {"[\"\\x\"]", {"a backslash in a text starts no known escape", 2}},
      {"[\"a\tb\"]", {"a control character in a text must be escaped", 3}},
      {"[1.x]", {"digits are missing after a decimal point", 3}},
      {"[1ex]", {"digits are missing in the exponent of a number", 3}},
      {"1\0"sv, {"a zero byte", 1}},
  };
  for (const auto& [text, expected] : cases) {
    const auto error = refusal(text);
    ASSERT_TRUE(error.has_value()) << text;
    EXPECT_EQ(error->message, expected.message) << text;
    EXPECT_EQ(error->offset, expected.offset) << text;
  }
  EXPECT_THAT(message("[nope]"), HasSubstr("this is no value"));
}

// The right-hand sides are PostgreSQL 15's answers to `select $1::jsonb::text`.
TEST(ToJsonbText, WritesNumbersAsNumericDoes) {
  const std::vector<std::pair<const char*, const char*>> cases = {
      {"0", "0"},
      {"-0", "0"},
      {"-0.0", "0.0"},
      {"0.00", "0.00"},
      {"0e10", "0"},
      {"0e400", "0"},
      {"0e1073741822", "0"},
      {"0.00e1", "0.0"},
      {"0.00e5", "0"},
      {"-0e-3", "0.000"},
      {"1", "1"},
      {"-17", "-17"},
      {"1.10", "1.10"},
      {"1e5", "100000"},
      {"1E+5", "100000"},
      {"1e00000000000000000000005", "100000"},
      {"1e-0", "1"},
      {"1E-3", "0.001"},
      {"-1e-1", "-0.1"},
      {"1.50e1", "15.0"},
      {"1.50e2", "150"},
      {"1.5e3", "1500"},
      {"0.05e1", "0.5"},
      {"0.05e2", "5"},
      {"0.001e2", "0.1"},
      {"0.0010e1", "0.010"},
      {"10.25e-1", "1.025"},
      {"10.25e-4", "0.001025"},
      {"100e-2", "1.00"},
      {"12345678901234567890123", "12345678901234567890123"},
      {"0.30000000000000004441", "0.30000000000000004441"},
  };
  for (const auto& [source, expected] : cases) EXPECT_EQ(jsonb(source), expected) << source;
}

TEST(ToJsonbText, WritesNumbersOfUpTo400Digits) {
  EXPECT_EQ(jsonb("1e399"), std::string("1").append(399, '0'));
  EXPECT_EQ(jsonb("1e-399"), std::string("0.").append(398, '0').append("1"));
  EXPECT_EQ(jsonb(std::string("-").append(400, '9')), std::string("-").append(400, '9'));
  for (const std::string& text :
       {std::string("1e400"), std::string("1e-400"), std::string("0e-400"), std::string(401, '9'),
        std::string("0.").append(400, '0'), std::string("1.5e400"),
        std::string("1").append(500, '0').append("e-101")}) {
    EXPECT_THAT(jsonb(text), HasSubstr("more than 400 digits")) << text;
  }
}

TEST(ToJsonbText, CountsTheDigitsWrittenNotThoseOfTheSource) {
  const std::string small = std::string("0.").append(1'000, '0').append("1");
  EXPECT_EQ(jsonb(small + "e1001"), "1");
  EXPECT_EQ(jsonb(small + "0e1001"), "1.0");
  EXPECT_EQ(jsonb(std::string("0.").append(1'000, '0').append("e1000")), "0");
}

TEST(ToJsonbText, RefusesHugeExponentsWithoutWritingThemOut) {
  for (const char* text :
       {"1e999999999", "1e-999999999", "1e1073741823", "0e1073741823", "0e-1073741823",
        "1e2147483648", "1e-2147483649", "1e9223372036854775807", "1e-9223372036854775807",
        "1e9223372036854775808", "0e9223372036854775808", "1e99999999999999999999999999"}) {
    EXPECT_THAT(jsonb(text), HasSubstr("more than 400 digits")) << text;
  }
}

TEST(ToJsonbText, SortsKeysByLengthThenBytes) {
  EXPECT_EQ(jsonb(R"({"aa": 1, "b": 2, "": 3, "B": 4, "é": 5, "ab": 6, "z": 7})"),
            R"({"": 3, "B": 4, "b": 2, "z": 7, "aa": 1, "ab": 6, "é": 5})");
}

TEST(ToJsonbText, SeparatesWithOneBlank) {
  EXPECT_EQ(jsonb("{\"a\":[1,2,[],{}],\n\"b\":{\"c\":null,\"d\":true,\"e\":false}}"),
            R"({"a": [1, 2, [], {}], "b": {"c": null, "d": true, "e": false}})");
  EXPECT_EQ(jsonb(" \"x\" "), "\"x\"");
}

TEST(ToJsonbText, EscapesOnlyWhatJsonbEscapes) {
  EXPECT_EQ(jsonb(R"("\u0001\u001f\b\f\n\r\t\"\\\/\u007f\u00e9\u2028")"),
            "\"\\u0001\\u001f\\b\\f\\n\\r\\t\\\"\\\\/\x7f\u00e9\u2028\"");
}

TEST(ToJsonbText, RefusesATreeThatNoJsonTextDescribes) {
  EXPECT_THAT(written(Json(std::string("a\0b", 3))), HasSubstr("error"));
  EXPECT_THAT(written(Json(std::string("\xff"))), HasSubstr("error"));
  EXPECT_THAT(written(Json(JsonObject{{"\xff", Json()}})), HasSubstr("error"));
  EXPECT_THAT(written(Json(JsonObject{{"a", Json()}, {"b", Json()}, {"a", Json(true)}})),
              HasSubstr("\"a\" occurs twice"));
  for (const char* text : {"", "-", "01", "1.", "1e", "abc", "1 ", "0x1", "NaN", "1,2"}) {
    EXPECT_THAT(written(number(text)), HasSubstr("is not a number")) << text;
  }
}

// Random documents, valid by construction.
class DocumentGenerator {
 public:
  explicit DocumentGenerator(std::uint64_t seed) : random_(seed) {}

  Json value(int depth) {
    switch (below(depth > 0 ? 7 : 5)) {
      case 0:
        return Json();
      case 1:
        return Json(below(2) == 0);
      case 2:
      case 3:
        return Json(JsonNumber{spelling()});
      case 4:
        return Json(text());
      case 5:
        return array(depth - 1);
      default:
        return object(depth - 1);
    }
  }

  Json object(int depth) {
    JsonObject members;
    for (std::size_t i = below(5); i > 0; --i) {
      std::string key = text();
      if (std::ranges::find(members, key, &JsonMember::first) == members.end()) {
        members.emplace_back(std::move(key), value(depth));
      }
    }
    return Json(std::move(members));
  }

  std::string bytes(std::size_t length) {
    constexpr std::string_view kJsonBytes = "{}[]:,\"\\u0019dcEe+-.truefalsn \n\xed\xb0\x80\xff";
    std::string out;
    for (std::size_t i = 0; i < length; ++i) {
      out += below(10) == 0 ? static_cast<char>(random_()) : kJsonBytes[below(kJsonBytes.size())];
    }
    return out;
  }

  std::size_t below(std::size_t end) { return random_() % end; }

 private:
  Json array(int depth) {
    JsonArray elements;
    for (std::size_t i = below(4); i > 0; --i) elements.push_back(value(depth));
    return Json(std::move(elements));
  }

  std::string spelling() {
    std::string out = below(2) == 0 ? "-" : "";
    out += below(3) == 0 ? "0" : std::to_string(1 + below(100'000));
    if (below(2) == 0) out += fmt::format(".{}{}", std::string(below(3), '0'), below(1'000));
    if (below(3) == 0) {
      constexpr std::array kSigns = {"", "-", "+"};
      out += below(2) == 0 ? "e" : "E";
      out += kSigns[below(kSigns.size())];
      out += std::to_string(below(300));
    }
    return out;
  }

  std::string text() {
    constexpr std::array kParts = {"a", "b", "Z", "\"", "\\", "/", "\n", "\x01", "é", "東", "🧬"};
    std::string out;
    for (std::size_t i = below(5); i > 0; --i) out += kParts[below(kParts.size())];
    return out;
  }

  std::mt19937_64 random_;
};

TEST(ToJsonbText, IsAFixedPoint) {
  constexpr std::uint64_t kSeed = 4711;
  SCOPED_TRACE(::testing::Message() << "seed=" << kSeed);
  DocumentGenerator generator(kSeed);
  for (int i = 0; i < 5'000; ++i) {
    const std::string once = written(generator.value(4));
    ASSERT_EQ(jsonb(once), once);
  }
}

TEST(ToJsonbText, DoesNotDependOnTheOrderOfMembers) {
  constexpr std::uint64_t kSeed = 4712;
  SCOPED_TRACE(::testing::Message() << "seed=" << kSeed);
  DocumentGenerator generator(kSeed);
  for (int i = 0; i < 2'000; ++i) {
    Json document = generator.object(2);
    const std::string before = written(document);
    std::ranges::reverse(*document.object());
    ASSERT_EQ(written(document), before);
  }
}

TEST(ParseJson, SurvivesRandomBytes) {
  constexpr std::uint64_t kSeed = 4713;
  SCOPED_TRACE(::testing::Message() << "seed=" << kSeed);
  DocumentGenerator generator(kSeed);
  int accepted = 0;
  for (int i = 0; i < 200'000; ++i) {
    const std::string text = generator.bytes(generator.below(12));
    auto result = parse_json(text);
    if (const auto* error = std::get_if<JsonError>(&result)) {
      ASSERT_FALSE(error->message.empty()) << printable(text);
      ASSERT_LE(error->offset, text.size()) << printable(text);
    } else {
      ++accepted;
      ASSERT_TRUE(is_storable_text(text)) << printable(text);
    }
  }
  EXPECT_GT(accepted, 1'000);
}

TEST(ParseJson, SurvivesDamagedDocuments) {
  constexpr std::uint64_t kSeed = 4714;
  SCOPED_TRACE(::testing::Message() << "seed=" << kSeed);
  DocumentGenerator generator(kSeed);
  for (int i = 0; i < 20'000; ++i) {
    std::string text = written(generator.object(3));
    text.replace(generator.below(text.size()), generator.below(3),
                 generator.bytes(generator.below(4)));
    auto result = parse_json(text);
    if (const auto* document = std::get_if<Json>(&result)) {
      const std::string once = written(*document);
      if (!once.starts_with("error")) {
        ASSERT_EQ(jsonb(once), once);
      }
    }
  }
}

// RFC 7396, appendix A.
struct PatchExample {
  const char* target;
  const char* patch;
  const char* result;
};

class MergePatchTest : public ::testing::TestWithParam<PatchExample> {};

TEST_P(MergePatchTest, GivesTheResultOfRfc7396) {
  const PatchExample& example = GetParam();
  EXPECT_EQ(written(merge_patch(parsed(example.target), parsed(example.patch))),
            jsonb(example.result));
}

INSTANTIATE_TEST_SUITE_P(
    AppendixA, MergePatchTest,
    ::testing::Values(PatchExample{R"({"a":"b"})", R"({"a":"c"})", R"({"a":"c"})"},
                      PatchExample{R"({"a":"b"})", R"({"b":"c"})", R"({"a":"b","b":"c"})"},
                      PatchExample{R"({"a":"b"})", R"({"a":null})", R"({})"},
                      PatchExample{R"({"a":"b","b":"c"})", R"({"a":null})", R"({"b":"c"})"},
                      PatchExample{R"({"a":["b"]})", R"({"a":"c"})", R"({"a":"c"})"},
                      PatchExample{R"({"a":"c"})", R"({"a":["b"]})", R"({"a":["b"]})"},
                      PatchExample{R"({"a":{"b":"c"}})", R"({"a":{"b":"d","c":null}})",
                                   R"({"a":{"b":"d"}})"},
                      PatchExample{R"({"a":[{"b":"c"}]})", R"({"a":[1]})", R"({"a":[1]})"},
                      PatchExample{R"(["a","b"])", R"(["c","d"])", R"(["c","d"])"},
                      PatchExample{R"({"a":"b"})", R"(["c"])", R"(["c"])"},
                      PatchExample{R"({"a":"foo"})", R"(null)", R"(null)"},
                      PatchExample{R"({"a":"foo"})", R"("bar")", R"("bar")"},
                      PatchExample{R"({"e":null})", R"({"a":1})", R"({"e":null,"a":1})"},
                      PatchExample{R"([1,2])", R"({"a":"b","c":null})", R"({"a":"b"})"},
                      PatchExample{R"({})", R"({"a":{"bb":{"ccc":null}}})", R"({"a":{"bb":{}}})"}));

// The example of RFC 7396, section 3.
TEST(MergePatch, ChangesADocumentInSeveralPlaces) {
  const Json target = parsed(
      R"({"title": "Goodbye!", "author": {"givenName": "John", "familyName": "Doe"},
          "tags": ["example", "sample"], "content": "This will be unchanged"})");
  const Json patch = parsed(
      R"({"title": "Hello!", "phoneNumber": "+01-123-456-7890", "author": {"familyName": null},
          "tags": ["example"]})");
  EXPECT_EQ(written(merge_patch(target, patch)),
            jsonb(R"({"title": "Hello!", "author": {"givenName": "John"}, "tags": ["example"],
                      "content": "This will be unchanged", "phoneNumber": "+01-123-456-7890"})"));
}

TEST(MergePatch, KeepsTheSpellingOfNumbers) {
  EXPECT_EQ(
      written(merge_patch(parsed(R"({"a": 12345678901234567890123})"), parsed(R"({"b": 1.10})"))),
      R"({"a": 12345678901234567890123, "b": 1.10})");
}

TEST(MergePatch, AppliedTwiceIsAppliedOnce) {
  constexpr std::uint64_t kSeed = 7396;
  SCOPED_TRACE(::testing::Message() << "seed=" << kSeed);
  DocumentGenerator generator(kSeed);
  for (int i = 0; i < 3'000; ++i) {
    const Json patch = generator.value(3);
    const Json once = merge_patch(generator.object(3), patch);
    ASSERT_EQ(written(merge_patch(once, patch)), written(once));
  }
}

TEST(AppendJsonString, AppendsToWhatIsThere) {
  std::string out = "x: ";
  append_json_string(out, "a\"b\x1f");
  EXPECT_EQ(out, "x: \"a\\\"b\\u001f\"");
}

}  // namespace
}  // namespace tenantry::events
