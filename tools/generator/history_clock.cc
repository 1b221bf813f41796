#include "tools/generator/history_clock.h"

#include <algorithm>
#include <array>

namespace tenantry::generator {
namespace {

constexpr std::int64_t kStart = 1'514'764'800'000'000;  // 2018-01-01T00:00:00Z, a Monday.
constexpr std::int64_t kSpan = std::int64_t{7} * 365 * kDay;
constexpr std::int64_t kWeek = 7 * kDay;
constexpr std::size_t kHours = std::size_t{7} * 24;

// How busy an hour is. Over a week the weights add up to six an hour.
constexpr std::int64_t weight(std::size_t hour_of_week) {
  const std::size_t hour = hour_of_week % 24;
  if (hour_of_week / 24 >= 5) return hour < 8 ? 1 : hour < 20 ? 5 : 4;
  if (hour < 6) return 1;
  if (hour < 8) return 4;
  if (hour < 17) return hour == 12 ? 10 : 14;
  if (hour < 19) return 8;
  return hour < 22 ? 4 : 2;
}
constexpr std::int64_t kWeightMean = 6;

// Where each hour starts on the clock of work.
constexpr std::array<std::int64_t, kHours> work_starts() {
  std::array<std::int64_t, kHours> starts{};
  for (std::size_t hour = 1; hour < kHours; ++hour) {
    starts[hour] = starts[hour - 1] + weight(hour - 1) * (kHour / kWeightMean);
  }
  return starts;
}
constexpr std::array<std::int64_t, kHours> kWorkStarts = work_starts();
static_assert(kWorkStarts.back() + weight(kHours - 1) * (kHour / kWeightMean) == kWeek);

std::int64_t calendar_of(std::int64_t worked) {
  const std::int64_t in_week = worked % kWeek;
  const auto next = std::upper_bound(kWorkStarts.begin(), kWorkStarts.end(), in_week);
  const auto hour = static_cast<std::size_t>(next - kWorkStarts.begin() - 1);
  const std::int64_t in_hour = (in_week - kWorkStarts[hour]) * kWeightMean / weight(hour);
  return kStart + (worked - in_week) + static_cast<std::int64_t>(hour) * kHour + in_hour;
}

}  // namespace

HistoryClock::HistoryClock(std::uint64_t moments)
    : step_mean_(std::min(kSpan / static_cast<std::int64_t>(moments), 6 * kHour)), now_(kStart) {}

void HistoryClock::advance(RandomSource& random) {
  worked_ += random.waiting(step_mean_);
  now_ = std::max(calendar_of(worked_), now_ + 1);
}

}  // namespace tenantry::generator
