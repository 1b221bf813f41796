#include "tools/command_defaults.h"

#include <gtest/gtest.h>

#include "core/error.h"

namespace tenantry::tools {
namespace {

TEST(CommandDefaultsTest, ReadsEachName) {
  const auto defaults = parse_defaults({"actor=user:17,channel=api", "correlation_id=x"});
  EXPECT_EQ(defaults.actor, "user:17");
  EXPECT_EQ(defaults.channel, "api");
  EXPECT_EQ(defaults.correlation_id, "x");
  EXPECT_EQ(defaults.reason, "");
}

TEST(CommandDefaultsTest, CommaBelongsToTheValueUnlessANameFollows) {
  const auto defaults = parse_defaults({"reason=moved, renamed=twice,actor=a"});
  EXPECT_EQ(defaults.reason, "moved, renamed=twice");
  EXPECT_EQ(defaults.actor, "a");
}

TEST(CommandDefaultsTest, OtherNamesAreRefused) {
  EXPECT_THROW((void)parse_defaults({"id=7"}), UsageError);
  EXPECT_THROW((void)parse_defaults({"actor"}), UsageError);
}

}  // namespace
}  // namespace tenantry::tools
