#include "tools/squash_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "events/tables.h"

namespace tenantry::tools {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(SquashReportTest, NamesWhoHoldsItBackAndWhy) {
  SquashReport report;
  report.behind = {
      {{"late", Position{7}, {}, events::kSchemaVersion}, true, false},
      {{"old", Position{9}, {}, events::kSchemaVersion - 1}, true, true},
      {{"left", Position{9}, {}, events::kSchemaVersion - 1}, false, true},
  };
  EXPECT_THAT(
      behind_lines(report),
      ElementsAre(AllOf(HasSubstr("late has come to position 7"), HasSubstr("--rebase late")),
                  AllOf(HasSubstr("nothing goes for old: it shows rows of schema version"),
                        HasSubstr("`tenantry rebuild`"), HasSubstr("--rebase old")),
                  AllOf(HasSubstr("left is not waited for, and forgotten: it shows rows of"),
                        Not(HasSubstr("--rebase")))));
}

}  // namespace
}  // namespace tenantry::tools
