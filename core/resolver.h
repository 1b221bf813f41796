#pragma once

#include <cstdint>
#include <shared_mutex>
#include <string>
#include <unordered_map>

#include "core/state_view.h"
#include "core/tenancy_store.h"

namespace tenantry {

// Finds the tenant of a request: by explicit id, else by host name among active domains, else by
// the first host label as a slug (not `www`), else by the user's membership, highest role first,
// oldest first among equals. Inactive tenants never match.
[[nodiscard]] ResolveOutcome resolve_tenant(const StateView& state, const ResolveQuery& query);

// Answers of resolve_tenant(), kept until the next commit. Threads: any.
class ResolveCache {
 public:
  // The kept answer; nullopt when there is none.
  [[nodiscard]] std::optional<ResolveOutcome> find(const ResolveQuery& query) const;
  // Keeps an answer that was found in the state after batch `seq`.
  void keep(const ResolveQuery& query, const ResolveOutcome& outcome, std::uint64_t seq);
  // Nobody is to meet a state before that after batch `seq` any more.
  void advance(std::uint64_t seq);

 private:
  mutable std::shared_mutex mutex_;
  std::uint64_t seq_ = 0;
  std::unordered_map<std::string, ResolveOutcome> answers_;
};

}  // namespace tenantry
