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
      behind_lines(report, /*is_plan=*/false),
      ElementsAre(AllOf(HasSubstr("late has come to position 7"), HasSubstr("--rebase late")),
                  AllOf(HasSubstr("nothing goes for old: it shows rows of schema version"),
                        HasSubstr("`tenantry rebuild`"), HasSubstr("--rebase old")),
                  AllOf(HasSubstr("left is not waited for, and forgotten: it shows rows of"),
                        Not(HasSubstr("--rebase")))));
}

TEST(SquashReportTest, APlanOnlySaysWhoWouldBeForgotten) {
  SquashReport report;
  report.behind = {{{"late", Position{7}, {}, events::kSchemaVersion}, false, false}};
  EXPECT_THAT(
      behind_lines(report, /*is_plan=*/true),
      ElementsAre(HasSubstr("late is not waited for, and would be forgotten: it has come")));
}

TEST(SquashReportTest, WhatIsNotKnownYetStaysEmpty) {
  SquashReport report;
  SquashedScope& scope = report.scopes.emplace_back();
  scope.scope = events::Scope::AUTH;
  scope.log_bytes = 70;
  scope.disk_bytes = 90;
  EXPECT_THAT(squash_markdown({}, report, {}, {}, /*is_plan=*/true),
              HasSubstr("| auth |  | 0 | 0 | 0 |  |  | 70 | 90 |  |  |  |\n"));
  EXPECT_THAT(squash_markdown({}, report, {}, {}, /*is_plan=*/false),
              HasSubstr("| auth |  | 0 | 0 | 0 |  |  | 70 | 90 | 0 | 0 | 0 |\n"));
}

TEST(SquashReportTest, AnArchiveThatAloneIsDiscardedIsTold) {
  SquashReport report;
  report.discarded = true;
  report.scopes.emplace_back().discarded = 5;
  report.scopes.emplace_back().discarded = 2;
  EXPECT_THAT(squash_summary(report, /*is_plan=*/false),
              AllOf(HasSubstr("nothing had to leave the log; 7 archived events are discarded; "),
                    HasSubstr("the store takes")));
  EXPECT_EQ(squash_summary(report, /*is_plan=*/true),
            "dry run: nothing has to leave the log; 7 archived events would be discarded; nothing "
            "was changed");
  report.scopes[0].events = 3;
  EXPECT_THAT(squash_summary(report, /*is_plan=*/false),
              AllOf(HasSubstr("3 events were proved"), HasSubstr("; 7 archived events are")));
}

}  // namespace
}  // namespace tenantry::tools
