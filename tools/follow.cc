#include "tools/follow.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include <fmt/format.h>
#include <poll.h>

#include "core/error.h"

namespace tenantry::tools {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kPoll{200};
constexpr milliseconds kRetryMax{5'000};

class Follower {
 public:
  explicit Follower(Session& session) : session_(session) {}

  void run(const std::function<FollowStep(const TenancyStore&)>& step) {
    const TenancyStore& store = session_.await_store();
    while (!session_.interrupt().requested()) {
      check_same_log(store);
      const FollowStep taken = step(store);
      if (taken.next == FollowStep::Next::kFinish) return;
      if (taken.next == FollowStep::Next::kRetry) {
        wait(std::exchange(retry_, std::min(retry_ * 2, kRetryMax)));
        continue;
      }
      retry_ = kPoll;
      done_ = taken.done;
      // Looks up now and then: whether to stop, and whether anybody reads.
      while (!session_.interrupt().requested() && store.await_tail(done_, kPoll) <= done_) {
        wait(milliseconds(0));
      }
    }
  }

 private:
  void check_same_log(const TenancyStore& store) const {
    const Position tail = store.tail().tail;
    if (tail < done_) {
      throw CorruptionError(fmt::format("the log ends at position {}, and was read up to {} before",
                                        tail.value, done_.value));
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
  Position done_;
  milliseconds retry_ = kPoll;
};

}  // namespace

void follow(Session& session, const std::function<FollowStep(const TenancyStore&)>& step) {
  Follower(session).run(step);
}

}  // namespace tenantry::tools
