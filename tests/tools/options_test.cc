#include "tools/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "tools/near_matches.h"
#include "tools/progress.h"
#include "tools/read_model_url.h"
#include "tools/terminal.h"

namespace tenantry::tools {
namespace {

using ::testing::ElementsAre;

TEST(OptionsTest, ErrorsFollowTheLastOutputOption) {
  EXPECT_TRUE(wants_json_errors({"log", "-o", "json"}));
  EXPECT_TRUE(wants_json_errors({"log", "-ondjson"}));
  EXPECT_TRUE(wants_json_errors({"--output=json", "log"}));
  EXPECT_FALSE(wants_json_errors({"-o", "json", "-o", "table"}));
  EXPECT_FALSE(wants_json_errors({"log", "--", "-o", "json"}));
}

TEST(OptionsTest, ListsAreSplit) {
  EXPECT_THAT(split_list("a,b,,c"), ElementsAre("a", "b", "c"));
  EXPECT_TRUE(split_list("").empty());
}

TEST(ReadModelUrlTest, SqliteNamesAFile) {
  const auto path_of = [](const char* url) {
    return std::get<SqliteLocation>(parse_read_model_url(url)).path;
  };
  EXPECT_EQ(path_of("sqlite:a/b.db"), "a/b.db");
  EXPECT_EQ(path_of("sqlite:/a/b.db"), "/a/b.db");
  EXPECT_EQ(path_of("sqlite:////a/b.db"), "/a/b.db");
}

TEST(ReadModelUrlTest, PostgresqlIsNamedByUrlOrKeywords) {
  for (const char* const url : {"postgresql://ann@h:5433/app", "postgres:///app?host=/run",
                                "host=h dbname=app", "dbname=app"}) {
    const ReadModelTarget target = find_read_model(url, "store");
    ASSERT_TRUE(std::holds_alternative<PostgresLocation>(target.location)) << url;
    EXPECT_EQ(target.short_name(), "app");
    EXPECT_TRUE(target.absent_file().empty());
  }
}

// What stands on a command line can be read by everybody on the machine.
TEST(ReadModelUrlTest, APasswordIsTakenFromTheEnvironmentOnly) {
  const std::string url = "postgresql://u:geheim@h/db";
  EXPECT_NO_THROW((void)parse_read_model_url(url));
  try {
    (void)find_read_model(url, "store");
    ADD_FAILURE() << "a password on the command line";
  } catch (const UsageError& error) {
    EXPECT_EQ(error.code(), "password_on_command_line");
    EXPECT_EQ(std::string(error.what()).find("geheim"), std::string::npos);
  }
}

TEST(ReadModelUrlTest, PasswordsAreNotRepeated) {
  for (const char* const url : {"postgresql://u:geheim@h/db?nonsense=1", "host=h password='geheim",
                                "mysql://u:geheim@h/db", "sqlite:"}) {
    try {
      (void)parse_read_model_url(url);
      ADD_FAILURE() << url;
    } catch (const UsageError& error) {
      EXPECT_EQ(error.exit_code(), 2);
      EXPECT_EQ(std::string(error.what()).find("geheim"), std::string::npos);
    }
  }
}

TEST(NearMatchesTest, NearestFirst) {
  const std::vector<std::string> names = {"MemberAdded", "MemberRemoved", "TenantCreated"};
  EXPECT_THAT(near_matches("memberaded", names), ElementsAre("MemberAdded"));
  EXPECT_TRUE(near_matches("zzz", names).empty());
}

TEST(TerminalTest, WidthsAreThoseOfTheScreen) {
  EXPECT_EQ(display_width("Zoë"), 3U);
  EXPECT_EQ(display_width("e\u0301"), 1U);
  EXPECT_EQ(display_width("東京"), 4U);
  EXPECT_EQ(cut_to_width("東京東京", 5), "東京…");
  EXPECT_EQ(cut_to_width("short", 5), "short");
}

TEST(ProgressTest, TellsRateAndTimeLeft) {
  EXPECT_EQ(progress_text("fold", "events", 50, 200, 10, false),
            "fold  25%  50 of 200 events  5/s  00:00:30 left");
  EXPECT_EQ(progress_text("fold", "events", 50, 0, 10, false), "fold  50 events  5/s");
}

}  // namespace
}  // namespace tenantry::tools
