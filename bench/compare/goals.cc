#include "bench/compare/goals.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace tenantry::bench {
namespace {

constexpr const char* kAlone = "1 caller";
constexpr const char* kPaced = "1 caller, 100 a second";
constexpr const char* kEight = "8 callers";
constexpr const char* kMany = "32 callers";
constexpr const char* kInFlight = "4 callers, 16 in flight each";
constexpr const char* kHundred = "100 per commit";
constexpr const char* kThousand = "1000 per commit";
constexpr const char* kReplay = "replay";
constexpr const char* kProjectThousand = "1000 per projected batch";
constexpr const char* kProjectTwenty = "20 per projected batch";

std::vector<double> sorted(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values;
}

double median(const std::vector<double>& ascending) {
  const std::size_t middle = ascending.size() / 2;
  if (ascending.size() % 2 == 1) return ascending[middle];
  return (ascending[middle - 1] + ascending[middle]) / 2;
}

// The ratio in each round that has both sides, ascending.
std::vector<double> ratios(const Goal& goal, const std::vector<Round>& rounds) {
  std::vector<double> found;
  for (const Round& round : rounds) {
    const auto ours = round.find(goal.ours);
    const auto rival = round.find(goal.rival);
    if (ours == round.end() || rival == round.end()) continue;
    found.push_back(goal.measure == Goal::Measure::kRate
                        ? ours->second.events_per_second / rival->second.events_per_second
                        : ours->second.p99_micros / rival->second.p99_micros);
  }
  return sorted(std::move(found));
}

std::string bar_text(const Goal& goal, const std::optional<double>& bar) {
  if (!bar) return "–";
  return fmt::format("{} {:.2f}", goal.measure == Goal::Measure::kRate ? "≥" : "≤", *bar);
}

// A ratio is compared as it is printed.
std::string verdict(const Goal& goal, const std::optional<double>& bar, double ratio) {
  if (!bar) return "–";
  const double rounded = std::round(ratio * 100) / 100;
  const bool met = goal.measure == Goal::Measure::kRate ? rounded >= *bar : rounded <= *bar;
  return met ? "met" : "**not met**";
}

std::string ratio_line(const Goal& goal, const std::vector<Round>& rounds,
                       const std::map<std::string, std::string>& left_out) {
  const std::string rival = goal.ours.load == goal.rival.load
                                ? goal.rival.contender
                                : goal.rival.contender + ", " + goal.rival.load;
  const std::string start = fmt::format(
      "| {} | {} | {} | {}{} | {} | ", goal.number.empty() ? "–" : goal.number, goal.ours.load,
      goal.ours.contender, goal.measure == Goal::Measure::kP99 ? "p99 of " : "", rival,
      bar_text(goal, goal.one_batch));
  const std::vector<double> found = ratios(goal, rounds);
  if (found.empty()) {
    const auto why = left_out.find(goal.rival.contender);
    return start + fmt::format("left out: {} | – | {} |\n",
                               why == left_out.end() ? "no such run" : why->second,
                               bar_text(goal, goal.later));
  }
  const double middle = median(found);
  return start + fmt::format("{:.2f} ({:.2f}–{:.2f}) | {} | {} |\n", middle, found.front(),
                             found.back(), verdict(goal, goal.one_batch, middle),
                             bar_text(goal, goal.later));
}

std::string rate_line(const RunKey& run, const std::vector<Round>& rounds) {
  std::vector<double> rates;
  std::vector<double> latencies;
  for (const Round& round : rounds) {
    const auto found = round.find(run);
    if (found == round.end()) continue;
    rates.push_back(found->second.events_per_second);
    latencies.push_back(found->second.p99_micros);
  }
  rates = sorted(std::move(rates));
  latencies = sorted(std::move(latencies));
  const std::string p99 =
      latencies.back() > 0 ? fmt::format("{:.0f} µs", median(latencies)) : std::string("–");
  return fmt::format("| {} | {} | {:.0f} ({:.0f}–{:.0f}) | {} |\n", run.load, run.contender,
                     median(rates), rates.front(), rates.back(), p99);
}

}  // namespace

std::vector<Load> loads(double scale) {
  const auto scaled = [scale](double events) {
    return std::max<std::size_t>(32, static_cast<std::size_t>(events * scale));
  };
  return {
      {.name = kAlone, .events = scaled(3'000)},
      {.name = kEight, .callers = 8, .events = scaled(12'000)},
      {.name = kPaced, .calls_per_second = 100, .events = scaled(1'000)},
      {.name = kMany, .callers = 32, .events = scaled(24'000)},
      {.name = kInFlight, .callers = 4, .calls_in_flight = 16, .events = scaled(48'000)},
      {.name = kHundred, .events_per_call = 100, .calls_in_flight = 2, .events = scaled(50'000)},
      {.name = kThousand, .events_per_call = 1000, .calls_in_flight = 2, .events = scaled(100'000)},
      {.name = kReplay, .events = scaled(200'000), .at_once = true},
      {.name = kProjectThousand,
       .events_per_call = 1000,
       .events = scaled(50'000),
       .at_once = true},
      {.name = kProjectTwenty, .events_per_call = 20, .events = scaled(50'000), .at_once = true}};
}

std::vector<Goal> goals(const std::string& only) {
  using namespace names;
  constexpr auto kRate = Goal::Measure::kRate;
  constexpr auto kP99 = Goal::Measure::kP99;
  std::vector<Goal> all = {
      {"1", {kStore, kAlone}, {kRaw3, kAlone}, kRate, 0.79, 0.92},
      {"1", {kStore, kAlone}, {kRaw3, kAlone}, kP99, 1.35, 1.15},
      {"1", {kStore, kAlone}, {kRaw10, kAlone}, kRate, {}, {}},
      {"1", {kRaw10, kAlone}, {kRaw3, kAlone}, kRate, {}, {}},
      {"2", {kStore, kMany}, {kRaw3, kMany}, kRate, 0.88, 1.25},
      {"2", {kStore, kMany}, {kRaw7, kMany}, kRate, 1.2, 1.65},
      {"2", {kStore, kEight}, {kRaw3, kEight}, kRate, 0.95, 1.2},
      {"2", {kStore, kMany}, {kRaw3, kMany}, kP99, 1.3, {}},
      {"2", {kStore, kMany}, {kRaw10, kMany}, kRate, {}, {}},
      {"2", {kRaw10, kMany}, {kRaw3, kMany}, kRate, {}, {}},
      {"2", {kStore, kEight}, {kRaw10, kEight}, kRate, {}, {}},
      {"2", {kRaw10, kEight}, {kRaw3, kEight}, kRate, {}, {}},
      {"2", {kStore, kMany}, {kRedis, kMany}, kRate, {}, 1.0},
      {"3", {kStore, kInFlight}, {kRaw3, kMany}, kRate, 1.0, 1.9},
      {"3", {kStoreNoIds, kInFlight}, {kRaw3, kMany}, kRate, {}, 2.2},
      {"4", {kStoreImport, kHundred}, {kRaw3, kHundred}, kRate, 0.60, 0.90},
      {"4", {kStoreImport, kThousand}, {kRaw3, kThousand}, kRate, 0.55, 1.0},
      {"4", {kStoreImport, kHundred}, {kRaw7, kHundred}, kRate, {}, 2.1},
      {"4", {kStoreImport, kThousand}, {kRaw7, kThousand}, kRate, {}, 2.7},
      {"4", {kStore, kHundred}, {kRaw3, kHundred}, kRate, 0.35, 0.62},
      {"4", {kStore, kThousand}, {kRaw3, kThousand}, kRate, 0.30, 0.60},
      {"", {kStoreImportDomains, kHundred}, {kRaw3, kHundred}, kRate, {}, {}},
      {"", {kStoreImportDomains, kThousand}, {kRaw3, kThousand}, kRate, {}, {}},
      {"5", {kStore, kMany}, {kPostgres, kMany}, kRate, 1.25, 1.8},
      {"5", {kStore, kMany}, {kMessageStore, kMany}, kRate, 1.9, 2.8},
      {"5", {kStore, kMany}, {kJetStream, kMany}, kRate, 5.0, 7.5},
      {"socket", {kStoreSocket, kMany}, {kStore, kMany}, kRate, 0.8, 0.8},
      {"socket", {kStoreSocket, kAlone}, {kStore, kAlone}, kRate, {}, {}},
      {"socket", {kStoreSocket, kInFlight}, {kStore, kInFlight}, kRate, {}, {}},
      {"follow", {kStoreFollowed, kPaced}, {kStore, kPaced}, kP99, 1.1, 1.1},
      {"follow", {kStoreServing, kPaced}, {kStore, kPaced}, kP99, {}, {}},
      {"7", {kStore, kReplay}, {kRawLog, kReplay}, kRate, 0.60, 0.60},
      {"10", {kProjector, kProjectThousand}, {kRowByRow, kProjectThousand}, kRate, 3.2, 3.2},
      {"10", {kProjector, kProjectThousand}, {kUnnest, kProjectThousand}, kRate, 0.95, 0.95},
      {"10", {kProjector, kProjectTwenty}, {kRowByRow, kProjectTwenty}, kRate, 2.2, 2.2},
      {"10", {kProjector, kProjectTwenty}, {kUnnest, kProjectTwenty}, kRate, {}, {}},
      {"", {kStore, kAlone}, {kPostgres, kAlone}, kRate, {}, {}},
      {"", {kStore, kAlone}, {kRedis, kAlone}, kRate, {}, {}},
      {"", {kStore, kAlone}, {kSqlite, kAlone}, kRate, {}, {}},
      {"", {kStoreImport, kThousand}, {kSqlite, kThousand}, kRate, {}, {}},
  };
  if (!only.empty()) std::erase_if(all, [&](const Goal& goal) { return goal.number != only; });
  return all;
}

std::string report(const std::vector<Goal>& goals, const std::vector<Round>& rounds,
                   const std::map<std::string, std::string>& left_out) {
  std::string text =
      "| goal | load | ours | rival | one-batch target | ratio | | later target |\n"
      "|---|---|---|---|---|---|---|---|\n";
  for (const Goal& goal : goals) text += ratio_line(goal, rounds, left_out);
  text +=
      "\n| load | contender | events/s | p99 of a call |\n"
      "|---|---|---|---|\n";
  std::map<RunKey, bool> runs;
  for (const Round& round : rounds) {
    for (const auto& [run, measured] : round) runs[{run.load, run.contender}] = true;
  }
  for (const auto& [run, present] : runs) text += rate_line({run.load, run.contender}, rounds);
  for (const auto& [contender, why] : left_out) {
    text += fmt::format("\nLeft out: {}: {}.\n", contender, why);
  }
  return text;
}

}  // namespace tenantry::bench
