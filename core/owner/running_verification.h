#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <vector>

#include "core/tenancy_store.h"

namespace tenantry::owner {

// A verification that goes on until its caller drops it. Threads: any but run().
class RunningVerification {
 public:
  struct Stand {
    std::uint64_t done = 0;
    std::uint64_t total = 0;
    bool ended = false;
    std::vector<CheckResult> checks;
    std::exception_ptr fault;
  };

  void run(const TenancyStore& store, VerifyDepth depth, const std::atomic<bool>& leaving);
  [[nodiscard]] Stand wait(std::chrono::milliseconds timeout);
  void drop();

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  Stand stand_;
  bool dropped_ = false;
};

}  // namespace tenantry::owner
