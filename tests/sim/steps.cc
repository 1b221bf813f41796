#include <array>

#include "tests/sim/life.h"
#include "tests/sim/random.h"

namespace tenantry::sim {
namespace {

constexpr int kOtherSteps = 60;
constexpr std::array<std::string_view, 17> kActionNames{
    "commands",   "retry",  "flush",        "reopen",    "project", "rebuild",
    "verify",     "clock",  "second owner", "full disk", "fault",   "kill",
    "power loss", "people", "import",       "backup",    "squash"};

}  // namespace

std::string_view action_name(Action action) {
  return kActionNames[static_cast<std::size_t>(action)];
}

std::vector<Step> draw_steps(std::uint64_t seed) {
  Random random(seed * 2 + 1);
  constexpr auto kOthers = static_cast<std::size_t>(Action::kKill);
  std::array<std::uint64_t, kOthers> weights{};
  for (std::uint64_t& weight : weights) weight = random.one_in(3) ? 0 : 1 + random.below(6);
  weights[0] = 12;
  std::uint64_t total = 0;
  for (const std::uint64_t weight : weights) total += weight;
  std::vector<Step> steps{{Action::kPeople, 0}};
  for (int n = 0; n < kOtherSteps; ++n) {
    std::uint64_t drawn = random.below(total);
    std::size_t action = 0;
    while (drawn >= weights[action]) drawn -= weights[action++];
    steps.push_back(
        {static_cast<Action>(action), static_cast<std::uint32_t>(random.below(1U << 31U))});
  }
  for (int n = 0; n < kCrashesOfALife; ++n) {
    const auto at = static_cast<std::ptrdiff_t>(random.below(steps.size() + 1));
    const Action crash = random.one_in(3) ? Action::kKill : Action::kPowerLoss;
    steps.insert(steps.begin() + at, {crash, static_cast<std::uint32_t>(random.below(1U << 31U))});
  }
  for (std::uint64_t imports = random.below(3); imports > 0; --imports) {
    const auto at = static_cast<std::ptrdiff_t>(random.below(steps.size() + 1));
    steps.insert(steps.begin() + at,
                 {Action::kImport, static_cast<std::uint32_t>(random.below(1U << 31U))});
  }
  if (random.one_in(4)) {  // It takes as long as much else.
    const auto at = static_cast<std::ptrdiff_t>(random.below(steps.size() + 1));
    steps.insert(steps.begin() + at,
                 {Action::kBackup, static_cast<std::uint32_t>(random.below(1U << 31U))});
  }
  for (std::uint64_t squashes = random.one_in(2) ? 0 : 1 + random.below(3); squashes > 0;
       --squashes) {
    const auto at = static_cast<std::ptrdiff_t>(1 + random.below(steps.size()));
    steps.insert(steps.begin() + at,
                 {Action::kSquash, static_cast<std::uint32_t>(random.below(1U << 31U))});
  }
  return steps;
}

std::vector<Step> plain_steps(std::uint64_t workload) {
  using enum Action;
  Random random(workload);
  std::vector<Step> steps;
  for (const Action action : {kPeople, kCommands, kProject, kFlush, kCommands, kProject, kReopen,
                              kCommands, kFlush, kCommands, kSquash, kCommands, kRebuild, kCommands,
                              kProject, kReopen, kRetry, kProject, kBackup}) {
    steps.push_back({action, static_cast<std::uint32_t>(random.below(1U << 31U))});
  }
  return steps;
}

}  // namespace tenantry::sim
