#pragma once

// Bugs that a test build can be given, one at a time, to show that the tests find them. In every
// other build a question about one is `false` when it is compiled, and nothing of it is left.
namespace tenantry {

enum class Plant {
  kAnswerBeforeWrite,     // A command is answered, and only then written.
  kNoSync,                // Commits are not synced.
  kNoDirectorySync,       // New names of our own files are not.
  kRetryAfterFailedSync,  // A sync that failed is tried again, and believed.
  kForgetCommandIds,      // What a retry is answered from is not written with the events.
  kIgnoreAck,             // A log may be shorter than what was answered.
  kForgiveLogDamage,      // RocksDB's own mode: a log is read up to its first damage.
  kNoContinuity,          // A scan of the log may leave out events.
  kNoTenantBound,         // The rows of one tenant are those of all.
  kPlainHash,             // Actors and requests are hashed without the store's key.
  kMarkApart,             // Rows first, then the mark, each in a transaction of its own.
  kLateHead,              // Readers do not tell each other how far the log goes.
  kNoEpoch,               // A projector is not fenced off by a rebuild.
  kSkipRefusedEvents,     // What a database refuses is left out.
  kReclaimBeforePublish,  // A squash removes events, and only then says where they are.
};

#ifdef TENANTRY_PLANTED
// Whether the environment's TENANTRY_PLANT names it: `no_sync` and so on.
[[nodiscard]] bool planted(Plant plant);
#else
[[nodiscard]] constexpr bool planted(Plant /*plant*/) { return false; }
#endif

}  // namespace tenantry
