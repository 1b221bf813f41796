#include "core/planted.h"

#ifdef TENANTRY_PLANTED

#include <array>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "core/error.h"

namespace tenantry {
namespace {

constexpr std::array<std::pair<std::string_view, Plant>, 15> kNames{{
    {"answer_before_write", Plant::kAnswerBeforeWrite},
    {"no_sync", Plant::kNoSync},
    {"no_directory_sync", Plant::kNoDirectorySync},
    {"retry_after_failed_sync", Plant::kRetryAfterFailedSync},
    {"forget_command_ids", Plant::kForgetCommandIds},
    {"ignore_ack", Plant::kIgnoreAck},
    {"forgive_log_damage", Plant::kForgiveLogDamage},
    {"no_continuity", Plant::kNoContinuity},
    {"no_tenant_bound", Plant::kNoTenantBound},
    {"plain_hash", Plant::kPlainHash},
    {"mark_apart", Plant::kMarkApart},
    {"late_head", Plant::kLateHead},
    {"no_epoch", Plant::kNoEpoch},
    {"skip_refused_events", Plant::kSkipRefusedEvents},
    {"reclaim_before_publish", Plant::kReclaimBeforePublish},
}};

// -1 for none. A name that is none would make a test of the tests pass for nothing.
int read_plant() {
  const char* text = std::getenv("TENANTRY_PLANT");
  if (text == nullptr) return -1;
  for (const auto& [name, plant] : kNames) {
    if (name == text) return static_cast<int>(plant);
  }
  assertion_failed("TENANTRY_PLANT names one of the bugs that can be planted", __FILE__, __LINE__);
}

}  // namespace

bool planted(Plant plant) {
  static const int chosen = read_plant();
  return chosen == static_cast<int>(plant);
}

}  // namespace tenantry

#endif
