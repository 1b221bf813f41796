#include "core/owner/long_calls.h"

#include <utility>

#include "core/owner/wire.h"

namespace tenantry::owner {
namespace {

// Work that has no use any more.
struct Dropped {};

}  // namespace

void ServedView::drop() {
  const std::lock_guard lock(mutex_);
  dropped_ = true;
  changed_.notify_all();
}

void ServedView::ask(std::function<void(const StateView&)> question) {
  const std::lock_guard lock(mutex_);
  questions_.push_back(std::move(question));
  changed_.notify_all();
}

void ServedView::serve(const StateView& state, const std::atomic<bool>& leaving) {
  std::unique_lock lock(mutex_);
  while (!dropped_ && !leaving) {
    if (questions_.empty()) {
      changed_.wait_for(lock, kWaitStep);
      continue;
    }
    const auto question = std::move(questions_.front());
    questions_.pop_front();
    lock.unlock();
    question(state);
    lock.lock();
  }
  ended_ = true;
  questions_.clear();  // Their callers hear that nobody will answer.
}

bool ServedView::ended() {
  const std::lock_guard lock(mutex_);
  return ended_;
}

void RunningVerification::run(const TenancyStore& store, VerifyDepth depth,
                              const std::atomic<bool>& leaving) {
  std::vector<CheckResult> checks;
  std::exception_ptr fault;
  try {
    checks = store.verify(depth, [&](std::uint64_t done, std::uint64_t total) {
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
  stand_.checks = std::move(checks);
  stand_.fault = fault;
  stand_.ended = true;
  changed_.notify_all();
}

RunningVerification::Stand RunningVerification::wait(std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, timeout, [this] { return stand_.ended; });
  return stand_;
}

void RunningVerification::drop() {
  const std::lock_guard lock(mutex_);
  dropped_ = true;
}

}  // namespace tenantry::owner
