#include "tools/generator/generator.h"

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/clock.h"
#include "core/error.h"
#include "core/hash.h"
#include "core/store.h"
#include "events/commands.h"
#include "tests/support/counting_ids.h"
#include "tests/support/temp_directory.h"
#include "tools/generator/history_clock.h"
#include "tools/generator/names.h"

namespace tenantry::generator {

// For the names of test cases; looked for beside the type.
std::ostream& operator<<(std::ostream& out, const GeneratorOptions& options) {
  return out << options.tenants << " tenants, seed " << options.seed << ", " << options.events
             << " events, " << options.rejections_percent << "% rejections";
}

namespace {

using ::testing::Ge;
using ::testing::Gt;
using ::testing::Le;

struct Lines {
  std::vector<std::string> lines;
  std::map<std::string, int, std::less<>> kinds;
  std::uint64_t events = 0;
  int rejections = 0;
};

// All commands of a history, or the first so many.
Lines generate(const GeneratorOptions& options, std::size_t lines_max = ~std::size_t{0}) {
  Generator generator(options);
  GeneratedCommand command;
  Lines all;
  while (all.lines.size() < lines_max && generator.next(command)) {
    all.lines.emplace_back(command.line);
    ++all.kinds[std::string(command.name)];
    all.events += command.events;
    all.rejections += command.rejection.empty() ? 0 : 1;
  }
  return all;
}

std::string digest(const Lines& lines) {
  Sha256 hash;
  for (const std::string& line : lines.lines) hash.add(line).add("\n");
  return hex(hash.finish());
}

events::CommandRequest parse(std::string_view line) {
  auto parsed = events::parse_command_line(line, {}, /*historic=*/true);
  if (const auto* refusal = std::get_if<events::Refusal>(&parsed)) {
    ADD_FAILURE() << line << ": " << refusal->code << " " << refusal->field << " "
                  << refusal->message;
    return {};
  }
  return std::get<events::CommandRequest>(std::move(parsed));
}

// --- The bytes

// The digest changes with every change of the generator: on purpose only, for histories that people
// made again by their seed are then other ones.
TEST(GeneratorTest, TheSameOptionsGiveTheSameBytesOnAnyMachine) {
  const Lines lines = generate({.tenants = 100, .seed = 7, .events = 50'000}, 10'000);
  ASSERT_EQ(lines.lines.size(), 10'000U);
  EXPECT_EQ(digest(lines), "edbacb241b6e451eb0862cdfaf419efb62ab8c81ecb524f2d52ee53645c22754");
  EXPECT_EQ(digest(generate({.tenants = 100, .seed = 7, .events = 50'000}, 10'000)), digest(lines));
}

TEST(GeneratorTest, OtherOptionsGiveOtherCommandIds) {
  const auto first_line = [](const GeneratorOptions& options) {
    return events::format_uuid(*parse(generate(options, 1).lines.at(0)).circumstances.id);
  };
  const std::set<std::string> ids = {first_line({.tenants = 10, .seed = 1, .events = 1000}),
                                     first_line({.tenants = 10, .seed = 2, .events = 1000}),
                                     first_line({.tenants = 11, .seed = 1, .events = 1000}),
                                     first_line({.tenants = 10, .seed = 1, .events = 1001})};
  EXPECT_EQ(ids.size(), 4U);
}

TEST(GeneratorTest, EveryCommandOccursAndEveryLineIsOne) {
  for (const std::uint64_t seed : {1U, 2U, 3U, 4U, 5U}) {
    const Lines lines = generate({.tenants = 20, .seed = seed, .events = 20'000}, 10'000);
    for (const std::string& line : lines.lines) (void)parse(line);
    for (const events::CommandInfo& info : events::commands()) {
      EXPECT_TRUE(lines.kinds.contains(info.name)) << info.name << ", seed " << seed;
    }
  }
}

TEST(GeneratorTest, TimesGoOnThroughYearsAndIdsAreAllDifferent) {
  const Lines lines = generate({.tenants = 20, .seed = 3, .events = 20'000});
  std::set<events::Uuid> ids;
  events::Timestamp before;
  for (const std::string& line : lines.lines) {
    const auto request = parse(line);
    ASSERT_TRUE(request.circumstances.id && request.circumstances.at) << line;
    EXPECT_TRUE(ids.insert(*request.circumstances.id).second) << line;
    EXPECT_GT(*request.circumstances.at, before) << line;
    EXPECT_FALSE(request.circumstances.actor.empty() || request.circumstances.channel.empty());
    before = *request.circumstances.at;
  }
  EXPECT_GT(before, *events::parse_timestamp("2022-01-01T00:00:00Z"));
  EXPECT_LT(before, *events::parse_timestamp("2025-06-01T00:00:00Z"));
}

TEST(GeneratorTest, ExactlySoManyEventsAreForetold) {
  for (const std::uint64_t events : {1U, 2U, 3U, 10U, 77U, 1000U, 4999U}) {
    const Lines lines = generate({.tenants = 30, .seed = events, .events = events});
    EXPECT_EQ(lines.events, events);
  }
}

TEST(GeneratorTest, WordsAreNumberedApart) {
  std::set<std::string> names;
  const auto add = [&names](auto append, std::uint64_t number) {
    std::string name;
    append(name, number);
    EXPECT_TRUE(names.insert(name).second) << name;
  };
  for (std::uint64_t number = 0; number < 30'000; ++number) {
    add(append_username, number);
    add(append_slug, number);
    add(append_company_name, number);
    add(append_protein_name, number);
  }
}

TEST(GeneratorTest, OptionsOutOfRangeAreUsageErrors) {
  for (const GeneratorOptions& options :
       {GeneratorOptions{.tenants = 0}, GeneratorOptions{.tenants = kTenantsMax + 1},
        GeneratorOptions{.events = 0}, GeneratorOptions{.events = kEventsMax + 1},
        GeneratorOptions{.rejections_percent = kRejectionsMax + 1}}) {
    EXPECT_THROW(Generator{options}, UsageError);
  }
}

// --- What is remembered

TEST(GeneratorTest, MemoryIsBoundedByWhatLivesNotByTheEvents) {
  constexpr std::uint64_t kTenants = 40;
  std::size_t members_max = 0;
  std::size_t invitations_max = 0;
  for (std::size_t place = 1; place <= kTenants; ++place) {
    const std::size_t wanted = 4 + std::min<std::size_t>(600, 20 + 2 * kTenants) / place;
    members_max += wanted;
    invitations_max += 6 + wanted / 4;
  }
  Generator generator({.tenants = kTenants, .seed = 11, .events = 400'000});
  GeneratedCommand command;
  GeneratorCounts most;
  while (generator.next(command)) {
    const GeneratorCounts now = generator.counts();
    most.tenants = std::max(most.tenants, now.tenants);
    most.users = std::max(most.users, now.users);
    most.invitations = std::max(most.invitations, now.invitations);
  }
  EXPECT_EQ(most.tenants, kTenants);
  EXPECT_THAT(most.invitations, Le(invitations_max));
  EXPECT_THAT(most.users, Gt(members_max / 2));
  EXPECT_THAT(most.users, Le(members_max + members_max / 10 + 130));
}

TEST(GeneratorTest, DaysAreBusierThanNights) {
  RandomSource random(5);
  HistoryClock clock(100'000);
  int by_day = 0;
  int by_night = 0;
  for (int i = 0; i < 100'000; ++i) {
    clock.advance(random);
    const std::int64_t hour = clock.now() / kHour % 24;
    if (hour >= 8 && hour < 17) ++by_day;
    if (hour < 6) ++by_night;
  }
  EXPECT_GT(by_day, 5 * by_night);
  EXPECT_GT(by_night, 1000);
}

// --- On a store

// Applies a history to an empty store and compares each answer with what was foretold.
class GeneratedHistoryTest : public ::testing::TestWithParam<GeneratorOptions> {
 protected:
  GeneratedHistoryTest() {
    init_store(temp_ / "store", *clock_, ids_);
    store_ = open_store({.directory = temp_ / "store"}, *clock_, ids_);
  }

  // Stops at the first surprise: what follows would only follow from it.
  void apply_all() {
    Generator generator(GetParam());
    GeneratedCommand command;
    bool more = true;
    while (more && !HasFailure()) {
      std::vector<Foretold> foretold;
      std::vector<events::CommandRequest> requests;
      while (requests.size() < 512 && (more = generator.next(command))) {
        foretold.push_back({std::string(command.line), command.events, command.rejection});
        requests.push_back(parse(command.line));
      }
      const std::vector<Answer> answers = store_->submit(requests, {});
      for (std::size_t i = 0; i < answers.size() && !HasFailure(); ++i) {
        compare(foretold.at(i), answers[i]);
      }
    }
  }

  struct Foretold {
    std::string line;
    std::size_t events = 0;
    std::string_view rejection;
  };

  void compare(const Foretold& foretold, const Answer& answer) {
    EXPECT_EQ(answer.refusal.code, foretold.rejection)
        << foretold.line << ": " << answer.refusal.message;
    EXPECT_EQ(answer.count, foretold.events) << foretold.line;
    ++(foretold.rejection.empty() ? accepted_ : rejected_);
  }

  // How many members each tenant has, the largest first.
  [[nodiscard]] std::vector<std::size_t> sizes() const {
    std::map<events::Uuid, std::size_t> counts;
    store_->rows_now().rows->scan_rows(events::table_of(events::EntityKind::MEMBER), std::nullopt,
                                       [&](const StoredRow& row) {
                                         ++counts[row.key.tenant];
                                         return true;
                                       });
    std::vector<std::size_t> sizes;
    sizes.reserve(counts.size());
    for (const auto& [tenant, count] : counts) sizes.push_back(count);
    std::ranges::sort(sizes, std::greater<>());
    return sizes;
  }

  TempDirectory temp_;
  std::unique_ptr<Clock> clock_ = make_system_clock();
  CountingIds ids_;
  std::unique_ptr<TenancyStore> store_;
  int accepted_ = 0;
  int rejected_ = 0;
};

TEST_P(GeneratedHistoryTest, IsAnsweredAsForetoldAndLeavesASoundStore) {
  apply_all();
  EXPECT_EQ(store_->tail().tail.value, GetParam().events);
  const auto percent = GetParam().rejections_percent;
  EXPECT_EQ(rejected_ > 0, percent > 0);
  EXPECT_NEAR(100.0 * rejected_ / (accepted_ + rejected_), static_cast<double>(percent), 2);
  for (const CheckResult& check : store_->verify(VerifyDepth::kFull, {})) {
    EXPECT_TRUE(check.passed) << check.name << ": " << ::testing::PrintToString(check.problems);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Histories, GeneratedHistoryTest,
    ::testing::Values(GeneratorOptions{.tenants = 1, .seed = 1, .events = 3'000},
                      GeneratorOptions{.tenants = 2, .seed = 2, .events = 3'000},
                      GeneratorOptions{.tenants = 10, .seed = 3, .events = 6'000},
                      GeneratorOptions{.tenants = 40, .seed = 4, .events = 10'000},
                      GeneratorOptions{.tenants = 30, .seed = 5, .events = 20'000},
                      GeneratorOptions{.tenants = 500, .seed = 6, .events = 5'000},
                      GeneratorOptions{
                          .tenants = 20, .seed = 7, .events = 5'000, .rejections_percent = 20}));

using GeneratedSizesTest = GeneratedHistoryTest;

TEST_P(GeneratedSizesTest, AFewTenantsAreLargeAndMostAreSmall) {
  apply_all();
  const std::vector<std::size_t> counts = sizes();
  ASSERT_THAT(counts.size(), Ge(GetParam().tenants / 2));
  EXPECT_THAT(counts.front(), Gt(8 * counts.at(counts.size() / 2)));
}

INSTANTIATE_TEST_SUITE_P(Histories, GeneratedSizesTest,
                         ::testing::Values(GeneratorOptions{
                             .tenants = 50, .seed = 8, .events = 20'000}));

}  // namespace
}  // namespace tenantry::generator
