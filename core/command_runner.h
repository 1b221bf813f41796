#pragma once

#include <map>

#include "core/batch.h"
#include "core/clock.h"
#include "core/tenancy_store.h"

namespace tenantry {

// Takes commands one by one: answers a retry, settles the time, decides, and hands what was
// accepted to a batch. Used by the writer and by rehearsals. Threads: one. Lifetime: borrows
// everything it is given.
class CommandRunner {
 public:
  CommandRunner(const StoreInfo& info, const StorageReader& storage, const Clock& clock,
                IdSource& ids)
      : info_(info), storage_(storage), clock_(clock), ids_(ids) {}

  // A command that is decided, not yet in a batch.
  struct Decided {
    Answer answer;  // `first` is filled in by the batch, unless this is a retry.
    AcceptedCommand accepted;
    bool has_effect = false;  // It has events, or an id to remember.
  };

  // `state` is what the command sees, `head` the end of the log before it.
  [[nodiscard]] Decided decide_command(const events::CommandRequest& request, const State& state,
                                       const Head& head);
  // Puts it into the batch; what is left of `decided` is its answer.
  void add(Decided& decided, BatchWriter& batch);
  // Bytes that its records take.
  [[nodiscard]] static std::size_t record_bytes(const Decided& decided);

  // The batch at hand is on its way into the storage, and the one before is there.
  void set_writing() {
    writing_.clear();
    writing_.swap(pending_);
  }
  // Nothing is on its way: commands are found in the storage from now on, or nowhere.
  void forget_pending() {
    pending_.clear();
    writing_.clear();
  }

 private:
  [[nodiscard]] std::optional<CommandEntry> find_answered(const events::Uuid& id) const;
  [[nodiscard]] events::Uuid request_hash(const events::CommandRequest& request) const;
  [[nodiscard]] events::Uuid actor_hash(const std::string& actor);

  const StoreInfo& info_;
  const StorageReader& storage_;
  const Clock& clock_;
  IdSource& ids_;
  std::string actor_;  // The last one; most commands come from the same as the one before.
  events::Uuid actor_hash_;
  std::map<events::Uuid, CommandEntry> pending_;  // Accepted in the batch at hand,
  std::map<events::Uuid, CommandEntry> writing_;  // and in the one that is being written.
};

}  // namespace tenantry
