#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <utility>

#include "core/owner/wire.h"
#include "core/tenancy_store.h"

namespace tenantry::owner {

// Work that goes on until its caller drops it. Threads: any but run().
template <class Result>
class RunningWork {
 public:
  struct Stand {
    std::uint64_t done = 0;
    std::uint64_t total = 0;
    bool ended = false;
    Result result{};
    std::exception_ptr fault;
  };

  // `work` asks its progress now and then, which throws when it has no use any more.
  void run(const std::function<Result(const Progress&)>& work, const std::atomic<bool>& leaving) {
    Result result{};
    std::exception_ptr fault;
    try {
      result = work([&](std::uint64_t done, std::uint64_t total) {
        if (leaving) throw OwnerLeaves{};
        const std::lock_guard lock(mutex_);
        if (dropped_) throw Dropped{};
        stand_.done = done;
        stand_.total = total;
      });
    } catch (const Dropped&) {
      return;
    } catch (const std::exception&) {
      fault = std::current_exception();
    }
    const std::lock_guard lock(mutex_);
    stand_.result = std::move(result);
    stand_.fault = fault;
    stand_.ended = true;
    changed_.notify_all();
  }

  [[nodiscard]] Stand wait(std::chrono::milliseconds timeout) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, timeout, [this] { return stand_.ended; });
    return stand_;
  }

  void drop() {
    const std::lock_guard lock(mutex_);
    dropped_ = true;
  }

 private:
  struct Dropped {};

  std::mutex mutex_;
  std::condition_variable changed_;
  Stand stand_;  // Guarded by mutex_, as is the next.
  bool dropped_ = false;
};

}  // namespace tenantry::owner
