#include "tools/exit_code.h"

#include <algorithm>
#include <array>

namespace tenantry::tools {
namespace {

constexpr std::array kWorstFirst = {
    ExitCode::kCorrupt,  ExitCode::kUnavailable, ExitCode::kInterrupted,
    ExitCode::kUsage,    ExitCode::kConflict,    ExitCode::kNotFound,
    ExitCode::kRejected, ExitCode::kDiffers,     ExitCode::kDone,
};

}  // namespace

ExitCode exit_code_of(const events::Refusal& refusal) {
  if (refusal.invalid) return ExitCode::kUsage;
  if (refusal.code == "not_found") return ExitCode::kNotFound;
  constexpr std::array<std::string_view, 3> kConflicts = {"version_conflict", "id_reused",
                                                          "id_taken"};
  if (std::ranges::find(kConflicts, refusal.code) != kConflicts.end()) return ExitCode::kConflict;
  return ExitCode::kRejected;
}

ExitCode worse_of(ExitCode left, ExitCode right) {
  return std::min(std::ranges::find(kWorstFirst, left), std::ranges::find(kWorstFirst, right))[0];
}

}  // namespace tenantry::tools
