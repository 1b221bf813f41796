#include "tools/row_filter.h"

#include <gtest/gtest.h>

#include "core/error.h"

namespace tenantry::tools {
namespace {

using events::Value;

events::RowValues protein(std::int64_t id, std::string name) {
  return {Value(id), Value(std::move(name))};
}

bool matches(const std::vector<std::string>& conditions, const events::RowValues& row) {
  return RowFilter(*events::find_table("core_protein"), conditions, {}).matches(row);
}

TEST(RowFilterTest, ComparesAsValuesOfTheColumn) {
  EXPECT_TRUE(matches({"id=7"}, protein(7, "Beef")));
  EXPECT_FALSE(matches({"id=7"}, protein(8, "Beef")));
  EXPECT_TRUE(matches({"name=a=b"}, protein(8, "a=b")));
  EXPECT_FALSE(matches({"id=8", "name=Pork"}, protein(8, "Beef")));
}

TEST(RowFilterTest, RefusesWhatIsNoCondition) {
  EXPECT_THROW((void)matches({"id"}, protein(1, "")), UsageError);
  EXPECT_THROW((void)matches({"size=1"}, protein(1, "")), UsageError);
  EXPECT_THROW((void)matches({"id=one"}, protein(1, "")), UsageError);
}

}  // namespace
}  // namespace tenantry::tools
