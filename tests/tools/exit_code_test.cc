#include "tools/exit_code.h"

#include <gtest/gtest.h>

namespace tenantry::tools {
namespace {

events::Refusal rejected(const char* code) { return {false, code, "", ""}; }

TEST(ExitCodeTest, FollowsTheCodeOfTheRefusal) {
  EXPECT_EQ(exit_code_of({true, "invalid_type", "", ""}), ExitCode::kUsage);
  EXPECT_EQ(exit_code_of(rejected("slug_taken")), ExitCode::kRejected);
  EXPECT_EQ(exit_code_of(rejected("not_found")), ExitCode::kNotFound);
  EXPECT_EQ(exit_code_of(rejected("version_conflict")), ExitCode::kConflict);
  EXPECT_EQ(exit_code_of(rejected("id_reused")), ExitCode::kConflict);
  EXPECT_EQ(exit_code_of(rejected("id_taken")), ExitCode::kConflict);
}

TEST(ExitCodeTest, TheWorstWins) {
  const std::vector worst_first = {
      ExitCode::kCorrupt,  ExitCode::kUnavailable, ExitCode::kInterrupted, ExitCode::kUsage,
      ExitCode::kConflict, ExitCode::kNotFound,    ExitCode::kRejected,    ExitCode::kDone};
  for (std::size_t i = 0; i + 1 < worst_first.size(); ++i) {
    EXPECT_EQ(worse_of(worst_first[i], worst_first[i + 1]), worst_first[i]);
    EXPECT_EQ(worse_of(worst_first[i + 1], worst_first[i]), worst_first[i]);
  }
}

}  // namespace
}  // namespace tenantry::tools
