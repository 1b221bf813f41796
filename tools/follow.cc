#include "tools/follow.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <poll.h>

#include "core/error.h"
#include "core/store.h"
#include "tools/exit_code.h"

namespace tenantry::tools {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kPoll{200};
constexpr milliseconds kOwnedPoll{20};  // Short owners may follow each other closely.
constexpr milliseconds kLookAnyway{10'000};
constexpr milliseconds kRetryMax{5'000};
constexpr milliseconds kUnsaid{1'000};  // Whoever owns the store for less is not worth a word.

class Follower {
 public:
  explicit Follower(Session& session) : session_(session) {}

  void run(const std::function<FollowStep(const TenancyStore&)>& step) {
    while (!session_.interrupt().requested()) {
      const TenancyStore* const store = open();
      if (store == nullptr) {
        wait(kOwnedPoll);
        continue;
      }
      check_same_log(*store);
      const FollowStep taken = step(*store);
      session_.close();
      if (taken.next == FollowStep::Next::kFinish) return;
      if (taken.next == FollowStep::Next::kRetry) {
        wait(std::exchange(retry_, std::min(retry_ * 2, kRetryMax)));
        continue;
      }
      retry_ = kPoll;
      done_ = taken.done;
      wait_for_more();
    }
  }

 private:
  // Null while another process owns the store.
  const TenancyStore* open() {
    std::string owner;
    const TenancyStore* const store = session_.store_if_free(owner);
    if (store != nullptr) {
      owned_since_.reset();
      return store;
    }
    const auto now = steady_clock::now();
    if (!owned_since_) {
      owned_since_ = now;
      said_ = false;
    }
    if (now - *owned_since_ >= kUnsaid && !std::exchange(said_, true)) {
      const Position tail = std::max(noted_tail(session_.options().store), done_);
      session_.remark(fmt::format("{}; waiting for it, at least {} events behind", owner,
                                  tail.value - done_.value));
    }
    return nullptr;
  }

  void check_same_log(const TenancyStore& store) {
    const StoreIdentity identity = store.identity();
    if (std::exchange(identity_, identity).value_or(identity) != identity) {
      throw UsageError("store_replaced", "another store, or a restored one, is in its place",
                       "follow it anew", static_cast<int>(ExitCode::kConflict));
    }
    const Position tail = store.tail().tail;
    if (tail < done_) {
      throw CorruptionError(fmt::format("the log ends at position {}, and was read up to {} before",
                                        tail.value, done_.value));
    }
  }

  void wait_for_more() {
    const auto look_anyway = steady_clock::now() + kLookAnyway;
    while (!session_.interrupt().requested() && steady_clock::now() < look_anyway &&
           noted_tail(session_.options().store) <= done_) {
      wait(kPoll);
    }
  }

  // Ends sooner when a stop is requested. Throws ClosedPipe once nobody reads.
  void wait(milliseconds time) const {
    std::array<pollfd, 2> watched{
        {{session_.interrupt().descriptor(), POLLIN, 0}, {session_.out().descriptor(), 0, 0}}};
    ::poll(watched.data(), watched.size(), static_cast<int>(time.count()));
    if ((watched[1].revents & (POLLERR | POLLHUP)) != 0) throw ClosedPipe{};
  }

  Session& session_;
  std::optional<StoreIdentity> identity_;
  Position done_;
  milliseconds retry_ = kPoll;
  std::optional<steady_clock::time_point> owned_since_;  // By another process, without a break.
  bool said_ = false;                                    // That it is waited for.
};

}  // namespace

void follow(Session& session, const std::function<FollowStep(const TenancyStore&)>& step) {
  Follower(session).run(step);
}

}  // namespace tenantry::tools
