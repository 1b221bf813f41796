#pragma once

#include <functional>

#include "tools/session.h"

namespace tenantry::tools {

// What a step of following came to.
struct FollowStep {
  enum class Next {
    kWait,    // Everything through `done` is dealt with: wait until there is more.
    kRetry,   // What it needs cannot be reached now: try again after a while.
    kFinish,  // It is over.
  };
  Next next = Next::kWait;
  Position done;
};

// Calls `step` with the store now, and again whenever the log has grown. An owner that lets nobody
// in is waited for. Returns after a step that finishes, or when a stop was requested between steps.
// Throws what `step` throws, ClosedPipe once nobody reads the output, UsageError `store_replaced`
// (exit 4) when another store is in its place, CorruptionError when the log has become shorter.
void follow(Session& session, const std::function<FollowStep(const TenancyStore&)>& step);

}  // namespace tenantry::tools
