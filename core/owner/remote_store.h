#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include <sys/types.h>

#include "core/tenancy_store.h"

namespace tenantry::owner {

// The owner is gone, or going: it did not answer, and never will. What was only asked can be asked
// again of the next one, and so can what was not done.
class OwnerGone : public std::runtime_error {
 public:
  OwnerGone(const std::string& what, bool may_be_done)
      : std::runtime_error(what), may_be_done_(may_be_done) {}
  // It may have done what it was asked, and died before it said so.
  [[nodiscard]] bool may_be_done() const { return may_be_done_; }

 private:
  bool may_be_done_;
};

// A store that another process owns, used through its socket. Answers, errors and order are those
// of the store itself; besides, every method may throw OwnerGone, and so may what submit_later()
// gives, and UnavailableError when the owner refuses to answer. Threads: any.
class RemoteStore : public TenancyStore {
 public:
  [[nodiscard]] virtual pid_t owner_process() const = 0;
  [[nodiscard]] virtual bool read_only() const = 0;
  // resolve() for each, in one call.
  [[nodiscard]] virtual std::vector<ResolveOutcome> resolve_all(
      std::span<const ResolveQuery> queries) const = 0;
};

// Null when nobody listens in the directory, or only for another one, of which this is a copy. Who
// `writes` says so: an owner that only reads may then make room.
// An owner that lives and does not answer for fifteen times `look_every` is given up. Throws
// UnavailableError for an owner of another version, and where no socket can be used.
[[nodiscard]] std::unique_ptr<RemoteStore> connect_to_owner(
    const std::filesystem::path& directory, bool writes = true,
    std::chrono::milliseconds look_every = std::chrono::seconds(1));

}  // namespace tenantry::owner
