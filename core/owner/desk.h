#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <kj/async.h>

#include "core/error.h"
#include "core/owner/server.h"
#include "core/owner/socket.h"
#include "core/owner/wire.h"
#include "core/owner/workers.h"

namespace tenantry::owner {

inline constexpr std::size_t kThreadsMax = 256;
// Views, verifications and calls that wait for the log to grow: each has a thread of its own.
inline constexpr std::size_t kLongCallsMax = 128;

// What a call came to.
template <class Result>
struct Outcome {
  std::optional<Result> result;
  std::exception_ptr fault;
};

// From thread to thread.
template <class Result>
using Parcel = kj::Own<Outcome<Result>>;

template <class Result>
Parcel<Result> outcome_of(const std::function<Result()>& work) {
  auto outcome = kj::heap<Outcome<Result>>();
  try {
    outcome->result.emplace(work());
  } catch (const std::exception&) {
    outcome->fault = std::current_exception();
  }
  return outcome;
}

template <class Result>
Parcel<Result> fault_of(const std::exception_ptr& fault) {
  auto outcome = kj::heap<Outcome<Result>>();
  outcome->fault = fault;
  return outcome;
}

// What all callers share. The loop's thread alone uses it, but for what says otherwise.
class Desk {
 public:
  Desk(TenancyStore& asked, const ServerOptions& how)
      : store(asked), options(how), workers(kThreadsMax) {}

  // Has `work` done by another thread. Any number of them are done at a time, in no order.
  template <class Result>
  kj::Promise<Parcel<Result>> have_done(std::function<Result()> work) {
    return have_done<Result>(std::move(work), workers);
  }
  // The same by a strand, then: in order.
  template <class Result, class By>
  static kj::Promise<Parcel<Result>> have_done(std::function<Result()> work, By& by) {
    auto promise = kj::newPromiseAndCrossThreadFulfiller<Parcel<Result>>();
    using Fulfiller = kj::Own<kj::CrossThreadPromiseFulfiller<Parcel<Result>>>;
    const auto fulfiller = std::make_shared<Fulfiller>(kj::mv(promise.fulfiller));
    by.run(
        [work = std::move(work), fulfiller] { (*fulfiller)->fulfill(outcome_of<Result>(work)); });
    return kj::mv(promise.promise);
  }

  // Puts into the call's results what comes of it.
  template <class Result, class Context, class Fill>
  static kj::Promise<void> deliver(Context context, kj::Promise<Parcel<Result>> promise,
                                   Fill fill) {
    return promise.then([context, fill = std::move(fill)](Parcel<Result>&& outcome) mutable {
      auto results = context.getResults();
      if (outcome->fault) {
        write_fault(results.initFault(), outcome->fault);
      } else {
        fill(results, *outcome->result);
      }
    });
  }

  // Both, unless the owner leaves.
  template <class Result, class Context, class Fill>
  kj::Promise<void> answer(Context context, std::function<Result()> work, Fill fill) {
    return answer_by<Result>(workers, context, std::move(work), std::move(fill));
  }
  template <class Result, class By, class Context, class Fill>
  kj::Promise<void> answer_by(By& by, Context context, std::function<Result()> work, Fill fill) {
    if (refuses(context)) return kj::READY_NOW;
    return deliver<Result>(context, have_done<Result>(std::move(work), by), std::move(fill));
  }

  // Whether the owner leaves: then the results say so, and nothing is done.
  template <class Context>
  bool refuses(Context& context) {
    const bool refused = leaving;
    if (refused) context.getResults().initFault().setLeaving();
    return refused;
  }

  using Teller = kj::Own<kj::CrossThreadPromiseFulfiller<Parcel<Submitted>>>;

  // What it comes to is told by the thread that makes it durable, even if everything here is gone.
  void submit(std::vector<events::CommandRequest> commands, const SubmitOptions& how,
              Teller teller) {
    // Counted until it is told, or if it is not taken.
    ++*under_way;
    const std::shared_ptr<void> counted(under_way.get(), [count = under_way](void*) { --*count; });
    store.submit_then(std::move(commands), how,
                      [counted, to = std::make_shared<Teller>(kj::mv(teller))](Submitted done) {
                        auto outcome = kj::heap<Outcome<Submitted>>();
                        outcome->result.emplace(std::move(done));
                        (*to)->fulfill(kj::mv(outcome));
                      });
  }

  // A place among those who take long, held until it is given up. Null if the owner leaves or there
  // is none: then the results say so.
  using Place = std::shared_ptr<void>;
  template <class Context>
  Place take_place(Context& context) {
    if (refuses(context)) return nullptr;
    if (long_calls.fetch_add(1) < kLongCallsMax) {
      return {&long_calls, [](std::atomic<std::size_t>* count) { --*count; }};
    }
    --long_calls;
    write_fault(context.getResults().initFault(),
                std::make_exception_ptr(UnavailableError(
                    "too many callers read or watch the store at once", "try again")));
    return nullptr;
  }

  TenancyStore& store;
  const ServerOptions& options;
  // What is no message ends its connection.
  const std::function<void(const std::string&)> let_go = [this](const std::string& why) {
    if (options.warn) options.warn("a caller was let go: " + why);
  };
  std::atomic<bool> leaving = false;  // Any thread may ask.
  std::size_t callers = 0;
  std::map<std::uint64_t, wire::Caller::Client> greeted;  // Who is told at the end, by a number.
  std::uint64_t numbers = 0;
  std::atomic<std::size_t> long_calls = 0;  // Any thread may end one.
  const LockIdentity lock = lock_identity(options.directory).value_or(LockIdentity{});
  Workers workers;
  // Submissions of which nobody was told yet what they came to.
  const std::shared_ptr<std::atomic<std::size_t>> under_way =
      std::make_shared<std::atomic<std::size_t>>(0);
};

}  // namespace tenantry::owner
