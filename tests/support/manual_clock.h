#pragma once

#include <atomic>

#include "core/clock.h"

namespace tenantry {

// A clock that stands still until it is moved. Starts at 2026-01-31T12:00:00Z.
class ManualClock final : public Clock {
 public:
  [[nodiscard]] events::Timestamp now() const override { return {micros_.load()}; }
  void set(events::Timestamp now) { micros_ = now.micros; }
  void advance_seconds(std::int64_t seconds) { micros_ += seconds * 1'000'000; }

 private:
  std::atomic<std::int64_t> micros_{1'769'860'800'000'000};
};

}  // namespace tenantry
