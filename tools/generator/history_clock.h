#pragma once

#include <cstdint>

#include "events/values.h"
#include "tools/generator/random_source.h"

namespace tenantry::generator {

inline constexpr std::int64_t kMinute = 60'000'000;  // Microseconds, as everywhere here.
inline constexpr std::int64_t kHour = 60 * kMinute;
inline constexpr std::int64_t kDay = 24 * kHour;

// The time of a made-up history: seven years from Monday, 2018-01-01, however many moments it has
// to have; less when they would lie more than six hours apart on average. Days are busier than
// nights, and weekdays than weekends.
class HistoryClock {
 public:
  // `moments`: how often advance() will be called, about.
  explicit HistoryClock(std::uint64_t moments);

  // Goes on to the next moment, by at least a microsecond.
  void advance(RandomSource& random);
  // Goes on by just so much: for what a program does in one go.
  void advance_by(std::int64_t micros) { now_ += micros; }
  [[nodiscard]] std::int64_t now() const { return now_; }

 private:
  std::int64_t step_mean_;
  std::int64_t worked_ = 0;  // Since the start, on a clock that runs faster in busy hours.
  std::int64_t now_;
};

}  // namespace tenantry::generator
