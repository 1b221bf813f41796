#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <vector>

#include "core/tenancy_store.h"

// What has a thread for as long as its caller likes.
namespace tenantry::owner {

inline constexpr auto kWaitStep =
    std::chrono::milliseconds(100);  // How often it looks whether to go on.

// A thread that holds what the store showed it, and what is asked of it. Threads: any but serve().
class ServedView {
 public:
  // Ends the thread's stay; it may be busy yet.
  void drop();
  void ask(std::function<void(const StateView&)> question);
  // Answers until it is dropped, or `leaving`.
  void serve(const StateView& state, const std::atomic<bool>& leaving);
  [[nodiscard]] bool ended();

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void(const StateView&)>> questions_;
  bool dropped_ = false;
  bool ended_ = false;
};

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
