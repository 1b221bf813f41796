// PostgreSQL's own jsonb is the judge of what parse_json() and to_jsonb_text() do to a document.

#include <algorithm>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pqxx/pqxx>

#include "events/json.h"
#include "events/text.h"
#include "tests/support/json_text_generator.h"
#include "tests/support/postgres_database.h"

namespace tenantry::events {
namespace {

// What one side made of a document: the text that is stored, or why it refused.
struct Verdict {
  bool accepted = false;
  std::string text;
};

Verdict ours(std::string_view source) {
  const auto document = parse_json(source);
  if (const auto* error = std::get_if<JsonError>(&document)) return {false, error->message};
  auto printed = to_jsonb_text(std::get<Json>(document));
  if (const auto* error = std::get_if<JsonError>(&printed)) return {false, error->message};
  return {true, std::get<std::string>(std::move(printed))};
}

// Why we refuse what jsonb takes: each rule of events/json.h, by what its message says.
constexpr const char* kRepeatedKey = "occurs twice";
constexpr const char* kLongNumber = "digits when written out";
constexpr const char* kTooDeep = "nested more than";

// The one that a refusal names; empty where jsonb should refuse as well.
std::string stricter_rule(const Verdict& verdict) {
  for (const char* rule : {kRepeatedKey, kLongNumber, kTooDeep}) {
    if (!verdict.accepted && verdict.text.find(rule) != std::string::npos) return rule;
  }
  return "";
}

// As much of a document as a message needs.
std::string shown(std::string_view source) {
  constexpr std::size_t kShownMax = 2'000;
  return printable(source.substr(0, kShownMax));
}

class JsonbTest : public ::testing::Test {
 protected:
  JsonbTest() : connection_(database_.url()) {
    pqxx::work transaction(connection_);
    // The first letter says whether the document was accepted; a refusal gives its SQLSTATE.
    transaction.exec(R"(
      CREATE FUNCTION verdict(source bytea) RETURNS text LANGUAGE plpgsql AS $$
      BEGIN RETURN '+' || convert_from(source, 'UTF8')::jsonb::text;
      EXCEPTION WHEN OTHERS THEN RETURN '-' || SQLSTATE; END $$;
      CREATE FUNCTION merge_patch(target jsonb, patch jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
      DECLARE name text; change jsonb;
      BEGIN
        IF jsonb_typeof(patch) <> 'object' THEN RETURN patch; END IF;
        IF target IS NULL OR jsonb_typeof(target) <> 'object' THEN target := '{}'; END IF;
        FOR name, change IN SELECT * FROM jsonb_each(patch) LOOP
          IF jsonb_typeof(change) = 'null' THEN target := target - name;
          ELSE target := target || jsonb_build_object(name, merge_patch(target -> name, change));
          END IF;
        END LOOP;
        RETURN target;
      END $$;
      CREATE FUNCTION repeats_a_key(document json) RETURNS boolean LANGUAGE plpgsql AS $$
      BEGIN
        CASE json_typeof(document)
        WHEN 'object' THEN
          RETURN (SELECT count(*) > count(DISTINCT key) OR bool_or(repeats_a_key(value))
                  FROM json_each(document));
        WHEN 'array' THEN
          RETURN EXISTS (SELECT FROM json_array_elements(document) AS e(v)
                         WHERE repeats_a_key(v));
        ELSE RETURN false;
        END CASE;
      END $$)");
    transaction.commit();
  }

  // PostgreSQL's verdicts, in the order of the documents.
  std::vector<Verdict> theirs(const std::vector<std::string>& documents) {
    pqxx::work transaction(connection_);
    const pqxx::result rows = transaction.exec_params(
        "SELECT verdict(d) FROM unnest($1::bytea[]) WITH ORDINALITY AS t(d, n) ORDER BY n",
        bytea_array(documents));
    std::vector<Verdict> verdicts;
    for (const pqxx::row& row : rows) {
      const std::string_view text = row[0].c_str();
      verdicts.push_back({text.starts_with('+'), std::string(text.substr(1))});
    }
    return verdicts;
  }

  // RFC 7396 as PostgreSQL carries it out.
  std::vector<std::string> their_merges(const std::vector<std::string>& targets,
                                        const std::vector<std::string>& patches) {
    pqxx::work transaction(connection_);
    const pqxx::result rows = transaction.exec_params(
        "SELECT merge_patch(convert_from(t, 'UTF8')::jsonb, convert_from(p, 'UTF8')::jsonb)::text "
        "FROM unnest($1::bytea[], $2::bytea[]) WITH ORDINALITY AS pairs(t, p, n) ORDER BY n",
        bytea_array(targets), bytea_array(patches));
    std::vector<std::string> merged;
    for (const pqxx::row& row : rows) merged.emplace_back(row[0].c_str());
    return merged;
  }

  // Both sides agree on each document, but for what we refuse by a stricter rule, which must apply.
  void expect_agreement(const std::vector<std::string>& documents) {
    const std::vector<Verdict> judged = theirs(documents);
    ASSERT_EQ(judged.size(), documents.size());
    std::vector<std::string> repeating;
    for (std::size_t i = 0; i < documents.size(); ++i) {
      const Verdict mine = ours(documents[i]);
      const std::string rule = stricter_rule(mine);
      ++counts_[mine.accepted ? "accepted" : rule.empty() ? judged[i].text : rule];
      if (mine.accepted) {
        ASSERT_TRUE(judged[i].accepted) << judged[i].text << ": " << shown(documents[i]);
        ASSERT_EQ(mine.text, judged[i].text) << shown(documents[i]);
      } else if (rule.empty()) {
        ASSERT_FALSE(judged[i].accepted) << mine.text << ": " << shown(documents[i]);
      } else if (judged[i].accepted && rule == kRepeatedKey) {
        repeating.push_back(documents[i]);
      } else if (judged[i].accepted) {
        ASSERT_EQ(stricter_rule(ours(judged[i].text)), rule) << shown(documents[i]);
      }
    }
    expect_repeated_keys(repeating);
  }

  [[nodiscard]] int count(const std::string& what) const {
    const auto found = counts_.find(what);
    return found == counts_.end() ? 0 : found->second;
  }

 private:
  void expect_repeated_keys(const std::vector<std::string>& documents) {
    pqxx::work transaction(connection_);
    const pqxx::result rows = transaction.exec_params(
        "SELECT n FROM unnest($1::bytea[]) WITH ORDINALITY AS t(d, n) "
        "WHERE NOT repeats_a_key(convert_from(d, 'UTF8')::json)",
        bytea_array(documents));
    for (const pqxx::row& row : rows) {
      ADD_FAILURE() << "no key occurs twice in " << shown(documents[row[0].as<std::size_t>() - 1]);
    }
  }

  static std::string bytea_array(const std::vector<std::string>& documents) {
    std::string array = "{";
    for (const std::string& document : documents) {
      array += array.size() > 1 ? ",\"\\\\x" : "\"\\\\x";
      for (const char byte : document) {
        constexpr std::string_view kDigits = "0123456789abcdef";
        array += kDigits[static_cast<std::uint8_t>(byte) >> 4];
        array += kDigits[static_cast<std::uint8_t>(byte) & 15];
      }
      array += '"';
    }
    return array + "}";
  }

  PostgresDatabase database_;
  pqxx::connection connection_;
  std::map<std::string, int> counts_;
};

// Runs `make` so often; in batches, which are quick to send.
template <class Make>
std::vector<std::string> several(std::size_t how_many, Make make) {
  std::vector<std::string> documents(how_many);
  std::ranges::generate(documents, make);
  return documents;
}

constexpr std::size_t kBatch = 5'000;

TEST_F(JsonbTest, EveryCombinationOfASpellingOfANumberIsPrintedAlike) {
  const std::string digits_399(399, '7');
  const std::vector<std::string> wholes = {"0",
                                           "1",
                                           "7",
                                           "10",
                                           "100",
                                           "4000",
                                           "12345678901234567890123",
                                           digits_399,
                                           digits_399 + "8",
                                           digits_399 + "89"};
  const std::vector<std::string> fractions = {"",
                                              ".0",
                                              ".00",
                                              ".5",
                                              ".50",
                                              ".05",
                                              ".0500",
                                              ".00001000",
                                              "." + digits_399,
                                              "." + digits_399 + "0"};
  const std::vector<std::string> exponents = {"",
                                              "e0",
                                              "E-0",
                                              "e+0",
                                              "e1",
                                              "e-1",
                                              "E+2",
                                              "e-2",
                                              "e5",
                                              "e-5",
                                              "e0007",
                                              "e-007",
                                              "e398",
                                              "e-398",
                                              "e399",
                                              "e-399",
                                              "e400",
                                              "e-400",
                                              "e401",
                                              "e-401",
                                              "e131072",
                                              "e-16384",
                                              "e1073741822",
                                              "e-1073741822",
                                              "e1073741823",
                                              "e2147483648",
                                              "e-99999999999999999999"};
  std::vector<std::string> documents;
  for (const std::string& whole : wholes) {
    for (const std::string& fraction : fractions) {
      for (const std::string& exponent : exponents) {
        documents.push_back(whole + fraction + exponent);
        documents.push_back("-" + documents.back());
      }
    }
  }
  expect_agreement(documents);
  EXPECT_GT(count("accepted"), 1'500);
  EXPECT_GT(count(kLongNumber), 500);
}

// A number may have many more digits in its source than when it is written out.
TEST_F(JsonbTest, NumbersThatTheirExponentShortensArePrintedAlike) {
  std::vector<std::string> documents;
  for (const int zeros : {399, 400, 1'000, 16'383, 16'384, 131'072, 200'000}) {
    const std::string small = "0." + std::string(static_cast<std::size_t>(zeros), '0');
    const std::string large = "5" + std::string(static_cast<std::size_t>(zeros), '0');
    for (const int change : {-401, -400, -1, 0, 1, 2, 398, 399, 400}) {
      documents.push_back(fmt::format("{}25e{}", small, zeros + change));
      documents.push_back(fmt::format("{}e{}", small, zeros + change));
      documents.push_back(fmt::format("{}e-{}", large, zeros + change));
      documents.push_back(fmt::format("{}.0e-{}", large, zeros + change));
    }
  }
  expect_agreement(documents);
  EXPECT_GT(count("accepted"), 30);
  EXPECT_GT(count(kLongNumber), 30);
}

TEST_F(JsonbTest, EveryCharacterIsPrintedAlikeRawAndEscaped) {
  std::vector<std::string> documents;
  for (char32_t character = 0; character <= 0x10ffff; character += character < 0x3000 ? 1 : 61) {
    documents.push_back('"' + JsonTextGenerator::utf8(character) + '"');
    documents.push_back('"' + JsonTextGenerator::escaped(character) + '"');
    documents.push_back("{" + documents.back() + ":1,\"a\":2}");
  }
  for (int letter = 0; letter < 256; ++letter) {
    documents.push_back(std::string("\"\\") + static_cast<char>(letter) + "\"");
  }
  expect_agreement(documents);
  EXPECT_GT(count("accepted"), 50'000);
  EXPECT_GT(count("22P02"), 30);  // Half of a pair, bare control characters, unknown escapes.
  EXPECT_GT(count("22P05"), 0);   // U+0000, escaped.
  EXPECT_GT(count("22021"), 0);   // No UTF-8.
}

TEST_F(JsonbTest, RandomDocumentsArePrintedAlikeOrRefusedAlike) {
  constexpr std::uint64_t kSeed = 5001;
  SCOPED_TRACE(::testing::Message() << "seed=" << kSeed);
  JsonTextGenerator generator(kSeed);
  for (int batch = 0; batch < 6; ++batch) {
    expect_agreement(several(kBatch, [&] { return generator.document(); }));
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(count("accepted"), 15'000);
  EXPECT_GT(count(kRepeatedKey), 500);
  EXPECT_GT(count(kLongNumber), 500);
  EXPECT_GT(count(kTooDeep), 100);
  EXPECT_GT(count("22P02"), 500);
  EXPECT_GT(count("22P05"), 50);
}

TEST_F(JsonbTest, DamagedDocumentsArePrintedAlikeOrRefusedAlike) {
  constexpr std::uint64_t kSeed = 5002;
  SCOPED_TRACE(::testing::Message() << "seed=" << kSeed);
  JsonTextGenerator generator(kSeed);
  for (int batch = 0; batch < 6; ++batch) {
    expect_agreement(several(kBatch, [&] { return generator.damaged(generator.document()); }));
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(count("accepted"), 2'000);
  EXPECT_GT(count("22P02"), 2'000);
  EXPECT_GT(count("22021"), 100);
}

TEST_F(JsonbTest, DocumentsOfTheLargestSizeArePrintedAlike) {
  constexpr std::uint64_t kSeed = 5003;
  SCOPED_TRACE(::testing::Message() << "seed=" << kSeed);
  JsonTextGenerator generator(kSeed);
  expect_agreement(several(12, [&] { return generator.large_object(std::size_t{256} << 10); }));
  EXPECT_EQ(count("accepted"), 12);
}

TEST_F(JsonbTest, MergedDocumentsStayNormalisedAndEqualTheirMerge) {
  constexpr std::uint64_t kSeed = 5004;
  SCOPED_TRACE(::testing::Message() << "seed=" << kSeed);
  JsonTextGenerator generator(kSeed);
  std::vector<std::string> targets;
  std::vector<std::string> patches;
  std::vector<std::string> merged;
  while (targets.size() < std::size_t{10'000}) {
    const Verdict target = ours(generator.document());
    const Verdict patch = ours(generator.patch_of(target.text));
    if (!target.accepted || !patch.accepted) continue;
    const auto result = to_jsonb_text(merge_patch(std::get<Json>(parse_json(target.text)),
                                                  std::get<Json>(parse_json(patch.text))));
    ASSERT_TRUE(std::holds_alternative<std::string>(result)) << target.text << " " << patch.text;
    targets.push_back(target.text);
    patches.push_back(patch.text);
    merged.push_back(std::get<std::string>(result));
  }
  const std::vector<std::string> expected = their_merges(targets, patches);
  ASSERT_EQ(expected.size(), merged.size());
  for (std::size_t i = 0; i < merged.size(); ++i) {
    ASSERT_EQ(merged[i], expected[i]) << targets[i] << "\n" << patches[i];
  }
}

}  // namespace
}  // namespace tenantry::events
