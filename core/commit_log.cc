#include "core/commit_log.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "core/error.h"

namespace tenantry {
namespace {

using namespace std::chrono_literals;

constexpr auto kStallWaitFirst = 1ms;
constexpr auto kStallWaitMax = 50ms;
constexpr auto kStallPatience = 2s;

}  // namespace

AppendOutcome append_patiently(CommitLog& log, const Batch& batch, const ChangeSet& local) {
  const auto give_up = std::chrono::steady_clock::now() + kStallPatience;
  auto wait = kStallWaitFirst;
  while (true) {
    const AppendOutcome outcome = log.append(batch, local);
    if (outcome != AppendOutcome::kStalled || std::chrono::steady_clock::now() > give_up)
      return outcome;
    std::this_thread::sleep_for(wait);
    wait = std::min(2 * wait, kStallWaitMax);
  }
}

void throw_append_failure(AppendOutcome outcome, const std::string& why) {
  if (outcome == AppendOutcome::kStalled) {
    throw UnavailableError("the storage is overloaded and took no write for two seconds",
                           "try again");
  }
  TENANTRY_ASSERT(outcome == AppendOutcome::kUnknown && "another writer got past the store's lock");
  throw UnavailableError("a write failed, and nobody knows whether it reached the disk: " + why,
                         "make sure that the disk has space and works, open the store again, and "
                         "repeat the commands with their ids");
}

}  // namespace tenantry
