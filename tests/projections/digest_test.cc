#include "projections/digest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tenantry::projections {
namespace {

using events::Null;
using events::RowValues;
using events::Timestamp;

const events::TableInfo& users() { return *events::find_table("auth_user"); }
const events::TableInfo& proteins() { return *events::find_table("core_protein"); }

RowValues protein(std::int64_t id, const std::string& name) { return {id, name}; }

std::string digest_of(const std::vector<RowValues>& rows) {
  TableDigest digest(proteins());
  for (const RowValues& row : rows) digest.add(row);
  return digest.hex();
}

RowValues user(const std::string& password, events::Value last_login) {
  return {std::int64_t{1},     password,         std::move(last_login),  true,  std::string("zoë"),
          std::string(),       std::string("B"), std::string("z@x.org"), false, true,
          Timestamp{1'000'001}};
}

TEST(DigestTest, TheTextOfARowIsMeasuredInBytesAndLeavesOutTheApplicationsColumns) {
  EXPECT_EQ(canonical_row_text(users(), user("secret", Null{})),
            "1:11:t4:zoë0:1:B7:z@x.org1:f1:t27:1970-01-01T00:00:01.000001Z");
}

TEST(DigestTest, ATimeBeyondTheCalendarIsMeasuredToo) {
  RowValues row = user("secret", Null{});
  row.back() = Timestamp{253'402'300'800'000'000};
  EXPECT_THAT(canonical_row_text(users(), row),
              ::testing::EndsWith("1:f1:t28:10000-01-01T00:00:00.000000Z"));
}

TEST(DigestTest, TheApplicationsColumnsDoNotMatter) {
  TableDigest one(users());
  one.add(user("a", Null{}));
  TableDigest two(users());
  two.add(user("b", Timestamp{5}));
  EXPECT_EQ(one.hex(), two.hex());
}

TEST(DigestTest, OrderDoesNotMatter) {
  EXPECT_EQ(digest_of({protein(1, "a"), protein(2, "b"), protein(3, "c")}),
            digest_of({protein(3, "c"), protein(1, "a"), protein(2, "b")}));
}

TEST(DigestTest, EveryValueMatters) {
  EXPECT_NE(digest_of({protein(1, "a")}), digest_of({protein(2, "a")}));
  EXPECT_NE(digest_of({protein(1, "a")}), digest_of({protein(1, "b")}));
  EXPECT_NE(digest_of({protein(1, "a")}), digest_of({}));
  EXPECT_NE(digest_of({protein(1, "a"), protein(2, "b")}),
            digest_of({protein(1, "b"), protein(2, "a")}));
}

TEST(DigestTest, ARowTwiceIsNotARowOnce) {
  EXPECT_NE(digest_of({protein(1, "a")}), digest_of({protein(1, "a"), protein(1, "a")}));
}

TEST(DigestTest, NullIsNotTheEmptyTextAndATextThatLooksLikeATimeIsNone) {
  const auto text = [](events::Value name) {
    return canonical_row_text(proteins(), {std::int64_t{1}, std::move(name)});
  };
  EXPECT_EQ(text(Null{}), "1:1-");
  EXPECT_EQ(text(std::string()), "1:10:");
  EXPECT_EQ(text(std::int64_t{7}), "1:1!1:7") << "a number where a text belongs";
}

TEST(DigestTest, RemovingUndoesAdding) {
  TableDigest digest(proteins());
  digest.add(protein(1, "a"));
  const std::string before = digest.hex();
  digest.add(protein(2, "b"));
  EXPECT_NE(digest.hex(), before);
  digest.remove(protein(2, "b"));
  EXPECT_EQ(digest.hex(), before);
  EXPECT_EQ(digest.rows(), 1U);
}

// Written down once, computed elsewhere: other targets compute the same in SQL.
TEST(DigestTest, TheDigestOfNoRowsAndOfOneRowAreTheseForEver) {
  EXPECT_EQ(digest_of({}), "b07fb9f94b78d89c9574ad101242012cf02aacf66ba555577efda7a366d17537");
  EXPECT_EQ(digest_of({protein(1, "p53")}),
            "d52db524464d8e408cf9fd1c7a0935a1c2806d1b58c51ceb35e1e474bbbad02d");
}

}  // namespace
}  // namespace tenantry::projections
