#include "tools/error_report.h"

#include <gtest/gtest.h>

namespace tenantry::tools {
namespace {

TEST(ErrorReportTest, TextHasCodeMessageFieldAndHint) {
  const ErrorReport report{"slug_taken", "it is taken", "slug", "choose another"};
  EXPECT_EQ(format_error(report, false, false),
            "error[slug_taken]: it is taken (field slug)\nhint: choose another\n");
}

TEST(ErrorReportTest, JsonIsOneObject) {
  const ErrorReport report{"usage", "say \"what\"", "", ""};
  EXPECT_EQ(format_error(report, true, false),
            "{\"error\":{\"code\":\"usage\",\"message\":\"say \\\"what\\\"\"}}\n");
}

TEST(ErrorReportTest, NothingControlsTheTerminal) {
  const ErrorReport report{"usage", "a\x1b[2Jb", "", ""};
  EXPECT_EQ(format_error(report, false, false).find('\x1b'), std::string::npos);
  EXPECT_NE(format_error(report, false, true).find("\x1b[31m"), std::string::npos);
}

}  // namespace
}  // namespace tenantry::tools
