#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bench/compare/contender.h"

// The goals: ratios between two runs of one round, and what each of them should be.
namespace tenantry::bench {

// Which run: a contender under a load.
struct RunKey {
  std::string contender;
  std::string load;
  auto operator<=>(const RunKey&) const = default;
};

struct Goal {
  enum class Measure { kRate, kP99 };  // Of rates a larger ratio is better, of latencies a smaller.
  std::string number;                  // Empty: for information.
  RunKey ours;
  RunKey rival;
  Measure measure = Measure::kRate;
  std::optional<double> one_batch;  // What the present form of the store should reach.
  std::optional<double> later;      // What is wanted once indexes are written behind the commit.
};

// `scale` multiplies the numbers of events.
[[nodiscard]] std::vector<Load> loads(double scale);
// All of them, or those of that number.
[[nodiscard]] std::vector<Goal> goals(const std::string& only);

using Round = std::map<RunKey, Measured>;

// The tables as Markdown: the ratios, then the rates. Runs that no round has are named with the
// reasons in `left_out`, by contender.
[[nodiscard]] std::string report(const std::vector<Goal>& goals, const std::vector<Round>& rounds,
                                 const std::map<std::string, std::string>& left_out);

}  // namespace tenantry::bench
