#include <algorithm>
#include <chrono>
#include <exception>
#include <latch>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "bench/compare/contender.h"

namespace tenantry::bench {
namespace {

using Steady = std::chrono::steady_clock;

double seconds_since(Steady::time_point start) {
  return std::chrono::duration<double>(Steady::now() - start).count();
}

// The callers of one run: all are connected before the first begins.
class Callers {
 public:
  Callers(Run& run, const Load& load)
      : run_(run), load_(load), ready_(static_cast<std::ptrdiff_t>(load.callers) + 1) {}

  Measured measure() {
    std::vector<std::jthread> threads;
    threads.reserve(load_.callers);
    for (std::size_t caller = 0; caller < load_.callers; ++caller) {
      threads.emplace_back([this, caller] { call(caller); });
    }
    ready_.arrive_and_wait();
    const Steady::time_point start = Steady::now();
    threads.clear();
    const double seconds = seconds_since(start);
    if (fault_) std::rethrow_exception(fault_);
    return {static_cast<double>(load_.events) / seconds, p99()};
  }

 private:
  void call(std::size_t caller) {
    try {
      auto session = run_.connect(caller);
      ready_.arrive_and_wait();
      append(*session, load_.events * caller / load_.callers,
             load_.events * (caller + 1) / load_.callers);
    } catch (const std::exception&) {
      const std::lock_guard lock(mutex_);
      if (!fault_) fault_ = std::current_exception();
    }
  }

  void append(Session& session, std::size_t first, std::size_t end) {
    std::vector<double> micros;
    micros.reserve((end - first) / load_.events_per_call + 1);
    const Steady::time_point begin = Steady::now();
    for (std::size_t call = 0; first < end; ++call) {
      if (load_.calls_per_second > 0) {
        std::this_thread::sleep_until(
            begin + std::chrono::duration_cast<Steady::duration>(std::chrono::duration<double>(
                        static_cast<double>(call) / static_cast<double>(load_.calls_per_second))));
      }
      const std::size_t count = std::min(load_.events_per_call, end - first);
      const Steady::time_point start = Steady::now();
      session.append(first, count);
      micros.push_back(1e6 * seconds_since(start));
      first += count;
    }
    session.finish();
    const std::lock_guard lock(mutex_);
    micros_.insert(micros_.end(), micros.begin(), micros.end());
  }

  double p99() {
    if (load_.calls_in_flight > 1 || micros_.empty()) return 0;
    const auto at = micros_.begin() + static_cast<std::ptrdiff_t>(micros_.size() * 99 / 100);
    std::nth_element(micros_.begin(), at, micros_.end());
    return *at;
  }

  Run& run_;
  const Load& load_;
  std::latch ready_;
  std::mutex mutex_;
  std::vector<double> micros_;  // Guarded by mutex_, as is the next.
  std::exception_ptr fault_;
};

}  // namespace

Measured measure(Run& run, const Load& load) {
  if (!load.at_once) return Callers(run, load).measure();
  const Steady::time_point start = Steady::now();
  const std::size_t done = run.run_all();
  const double seconds = seconds_since(start);
  if (done != load.events) {
    throw std::runtime_error(fmt::format("{} events were done, not {}", done, load.events));
  }
  return {static_cast<double>(done) / seconds, 0};
}

}  // namespace tenantry::bench
