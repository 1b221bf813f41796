#include "core/owner/running_verification.h"

#include <utility>

#include "core/owner/wire.h"

namespace tenantry::owner {
namespace {

// Work that has no use any more.
struct Dropped {};

}  // namespace

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
