// Lives of stores on simulated disks: tenantry_simulate --seed S --count N [--every-change]
//
// Two stages (see tests/reliability/run_stage.py). Case k is the life of seed S + k, with five
// crashes; the first ten are lived twice and must do the same to the disk both times. With
// --every-change it is a short life in which one change to the disk fails: the seed says of which
// workload, which change, and how.

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iostream>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "tests/sim/life.h"
#include "tests/sim/sim_sqlite.h"
#include "tests/support/temp_directory.h"

namespace {

using tenantry::TempDirectory;
using tenantry::sim::action_name;
using tenantry::sim::Crash;
using tenantry::sim::draw_steps;
using tenantry::sim::live;
using tenantry::sim::Mishap;
using tenantry::sim::Outcome;
using tenantry::sim::plain_steps;
using tenantry::sim::Step;

constexpr std::uint64_t kLivedTwice = 10;

// Nothing needs to reach a real disk.
std::filesystem::path base() {
  const std::filesystem::path memory = "/dev/shm";
  std::error_code ignored;
  return std::filesystem::is_directory(memory, ignored) ? memory
                                                        : std::filesystem::temp_directory_path();
}

// Empty, and of the same name for every life: names of directories stand in stores that are
// squashed, and a life that is lived again must write the same bytes.
std::filesystem::path empty_directory() {
  static const TempDirectory place(base());
  const std::filesystem::path directory = place / "life";
  std::filesystem::remove_all(directory);
  std::filesystem::create_directory(directory);
  return directory;
}

Outcome live_once(std::uint64_t seed, const std::vector<Step>& steps) {
  return live(empty_directory(), seed, steps);
}

// Leaves out what is not needed for the life to go wrong: ever smaller pieces, then single steps.
std::vector<Step> shrink(std::uint64_t seed, std::vector<Step> steps) {
  for (std::size_t piece = steps.size() / 2; piece > 0; piece /= 2) {
    for (std::size_t at = 0; at + piece <= steps.size();) {
      std::vector<Step> fewer = steps;
      const auto from = fewer.begin() + static_cast<std::ptrdiff_t>(at);
      fewer.erase(from, from + static_cast<std::ptrdiff_t>(piece));
      if (live_once(seed, fewer).wrong.empty()) {
        at += piece;
      } else {
        steps = std::move(fewer);
      }
    }
  }
  return steps;
}

void print_wrong(std::uint64_t seed, const Outcome& outcome) {
  constexpr std::size_t kPrinted = 5;
  for (std::size_t n = 0; n < std::min(outcome.wrong.size(), kPrinted); ++n) {
    std::cout << fmt::format("seed {}: {}: {}\n", seed, outcome.during, outcome.wrong[n]);
  }
}

void print_shrunk(std::uint64_t seed, const std::vector<Step>& steps) {
  const std::vector<Step> fewer = shrink(seed, steps);
  std::cout << fmt::format("seed {}: {} of {} steps are enough:", seed, fewer.size(), steps.size());
  for (const Step& step : fewer) {
    std::cout << fmt::format(" {}({})", action_name(step.action), step.seed);
  }
  std::cout << '\n';
  print_wrong(seed, live_once(seed, fewer));
}

void add(Outcome& sum, const Outcome& one) {
  sum.crashes += one.crashes;
  sum.events += one.events;
  sum.answers += one.answers;
  sum.in_doubt += one.in_doubt;
  sum.repairs += one.repairs;
  sum.imports += one.imports;
  sum.backups += one.backups;
  sum.restores += one.restores;
  sum.squashes += one.squashes;
  sum.redactions += one.redactions;
  sum.ruined += one.ruined;
  sum.losses.writes += one.losses.writes;
  sum.losses.names += one.losses.names;
  sum.losses.torn += one.losses.torn;
  sum.losses.garbled += one.losses.garbled;
}

// Each in turn: fails once, fails from then on, disk full from then on, power loss, killed.
constexpr std::array<Mishap, 5> kMishaps{{{0, EIO, true},
                                          {0, EIO, false},
                                          {0, ENOSPC, false},
                                          {0, 0, true, Crash::kPowerLoss},
                                          {0, 0, true, Crash::kKill}}};

// Each workload has so many cases: more than its changes times the ways. Every change is failed in
// one way, then every change in the next one; those beyond the last way begin with the first again,
// and a disk that loses other things. So as many cases as two workloads have changes try every
// change of one, whatever seed they begin with.
constexpr std::uint64_t kCasesOfAWorkload = 8000;
constexpr std::uint64_t kNextRound = 1'000'000;  // Far from the disk of any workload.

Outcome live_with(std::uint64_t workload, std::uint64_t round, const Mishap& mishap) {
  return live(empty_directory(), 1 + workload + round * kNextRound, plain_steps(workload), mishap);
}

int fail_changes(std::uint64_t seed, std::uint64_t count) {
  std::uint64_t failed = 0;
  Outcome sound;
  for (std::uint64_t at = seed; at < seed + count; ++at) {
    const std::uint64_t workload = at / kCasesOfAWorkload;
    const std::uint64_t number = at % kCasesOfAWorkload;
    if (at == seed || number == 0) {
      sound = live_with(workload, 0, {std::numeric_limits<std::uint32_t>::max(), EIO, true});
      print_wrong(at, sound);
      std::cout << fmt::format("the life of seed {} makes {} changes\n", at, sound.changes);
      if (sound.changes * kMishaps.size() > kCasesOfAWorkload) {
        throw std::logic_error("a workload has more changes than cases");
      }
    }
    const std::uint64_t change = number % sound.changes;
    const std::uint64_t pass = number / sound.changes;
    Mishap mishap = kMishaps[(change + pass) % kMishaps.size()];
    mishap.change = 1 + change;
    const Outcome outcome = live_with(workload, pass / kMishaps.size(), mishap);
    if (outcome.wrong.empty() && sound.wrong.empty()) continue;
    ++failed;
    std::cout << fmt::format("seed {}: change {}, error {}\n", at, mishap.change, mishap.error);
    print_wrong(at, outcome);
    std::cout.flush();
  }
  std::cout << fmt::format("{} passed, {} failed\n", count - failed, failed);
  return failed == 0 ? 0 : 1;
}

int run(std::uint64_t seed, std::uint64_t count, bool shrinks) {
  Outcome sum;
  std::uint64_t failed = 0;
  for (std::uint64_t n = 0; n < count; ++n) {
    const std::vector<Step> steps = draw_steps(seed + n);
    Outcome outcome = live_once(seed + n, steps);
    if (outcome.wrong.empty() && n < kLivedTwice &&
        live_once(seed + n, steps).trace_hash != outcome.trace_hash) {
      outcome.wrong = {"lived again, it did something else to the disk"};
    }
    add(sum, outcome);
    if (outcome.wrong.empty()) continue;
    ++failed;
    print_wrong(seed + n, outcome);
    if (shrinks) print_shrunk(seed + n, steps);
    std::cout.flush();
  }
  std::cout << fmt::format(
      "{} crashes; {} events, {} answers, {} commands in doubt; power losses took {} writes and {} "
      "names, tore {}, garbled {} sectors; {} openings left out a garbled write, {} read models "
      "were ruined; {} imports, {} backups, {} restores, {} "
      "squashes, {} redactions\n",
      sum.crashes, sum.events, sum.answers, sum.in_doubt, sum.losses.writes, sum.losses.names,
      sum.losses.torn, sum.losses.garbled, sum.repairs, sum.ruined, sum.imports, sum.backups,
      sum.restores, sum.squashes, sum.redactions);
  std::cout << fmt::format("{} passed, {} failed\n", count - failed, failed);
  return failed == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t seed = 1;
  std::uint64_t count = 1;
  bool shrinks = true;
  CLI::App app("Lives of stores on simulated disks, with five crashes each.");
  app.add_option("--seed", seed, "of the first life")->capture_default_str();
  app.add_option("--count", count, "lives")->capture_default_str();
  app.add_flag("!--no-shrink", shrinks, "print no smaller life for one that goes wrong");
  bool fails_changes = false;
  app.add_flag("--every-change", fails_changes, "one change fails, in short lives without crashes");
  CLI11_PARSE(app, argc, argv);
  try {
    tenantry::sim::put_sqlite_on_sim_disks();
    return fails_changes ? fail_changes(seed, count) : run(seed, count, shrinks);
  } catch (const std::exception& error) {
    std::cout << "simulate: error: " << error.what() << '\n';
    return EXIT_FAILURE;
  }
}
