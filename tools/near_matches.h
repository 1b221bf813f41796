#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tenantry::tools {

// The few of `names` that are most like `typed`, the nearest first; empty when none is like it.
[[nodiscard]] std::vector<std::string> near_matches(std::string_view typed,
                                                    const std::vector<std::string>& names);

// `did you mean a or b?`; empty when nothing is near.
[[nodiscard]] std::string did_you_mean(std::string_view typed,
                                       const std::vector<std::string>& names);

}  // namespace tenantry::tools
