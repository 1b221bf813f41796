#include "tests/fuzz/targets.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace tenantry::fuzz {

const std::vector<Target>& targets() {
  static const std::vector<Target> kAll = {
      {"event", run_event}, {"block", run_block},     {"stored", run_stored},
      {"files", run_files}, {"command", run_command}, {"json", run_json},
      {"text", run_text},   {"frames", run_frames},   {"segment", run_segment},
  };
  return kAll;
}

const Target* find_target(std::string_view name) {
  const auto found = std::ranges::find(targets(), name, &Target::name);
  return found == targets().end() ? nullptr : &*found;
}

void require(bool holds, std::string_view what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %.*s\n", static_cast<int>(what.size()), what.data());
  std::abort();
}

}  // namespace tenantry::fuzz
