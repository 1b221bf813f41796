#include "tools/near_matches.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "events/text.h"

namespace tenantry::tools {
namespace {

// Insertions, deletions and replacements of one byte that turn one text into the other.
std::size_t edit_distance(std::string_view left, std::string_view right) {
  std::vector<std::size_t> row(right.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= left.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= right.size(); ++j) {
      const std::size_t replaced = diagonal + (left[i - 1] == right[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({replaced, row[j] + 1, row[j - 1] + 1}));
    }
  }
  return row.back();
}

}  // namespace

std::vector<std::string> near_matches(std::string_view typed,
                                      const std::vector<std::string>& names) {
  constexpr std::size_t kTypedMax = 60;  // The time grows with its size.
  constexpr std::size_t kShownMax = 3;
  if (typed.empty() || typed.size() > kTypedMax) return {};
  const std::string folded = events::to_ascii_lower(typed);
  std::vector<std::pair<std::size_t, std::string>> near;
  for (const std::string& name : names) {
    const std::string other = events::to_ascii_lower(name);
    const std::size_t distance = other.starts_with(folded) ? 0 : edit_distance(folded, other);
    if (distance <= 4 && distance * 2 < name.size()) near.emplace_back(distance, name);
  }
  std::ranges::sort(near);
  std::vector<std::string> matches;
  for (auto& match : near) {
    if (matches.size() < kShownMax) matches.push_back(std::move(match.second));
  }
  return matches;
}

std::string did_you_mean(std::string_view typed, const std::vector<std::string>& names) {
  const auto matches = near_matches(typed, names);
  if (matches.empty()) return {};
  return fmt::format("did you mean {}?", fmt::join(matches, " or "));
}

}  // namespace tenantry::tools
