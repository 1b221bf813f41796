#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <span>
#include <vector>

#include "core/command_runner.h"
#include "core/commit_log.h"

namespace tenantry {

// The one writer of a store. Callers that come while a commit is on its way to the disk form the
// next group; the first of them leads it: it decides for all, writes once, and wakes the others. A
// lone caller never changes thread. Threads: any thread may submit. Lifetime: borrows everything it
// is given.
class Writer {
 public:
  struct Parts {
    const StoreInfo& info;
    Storage& storage;
    CommitLog& log;
    const Clock& clock;
    IdSource& ids;
    std::size_t group_commands_max = 1024;
    std::function<void(const Head&)>
        on_commit;  // Called after each commit, before anybody is answered.
    // Called with the bytes of each commit before it is written; throws to refuse it.
    std::function<void(std::size_t)> admit{};
  };

  Writer(Parts parts, const Head& head);

  // See TenancyStore::submit().
  [[nodiscard]] std::vector<Answer> submit(std::span<const events::CommandRequest> commands,
                                           SubmitOptions options);

  // The end of what is durable.
  [[nodiscard]] Head head() const;
  // The fate of a commit is unknown; nothing more is taken. Asked when nobody submits.
  [[nodiscard]] bool broken() const { return broken_; }

 private:
  // One caller's commands, on its stack while it waits.
  struct Ticket {
    std::span<const events::CommandRequest> commands;
    SubmitOptions options;
    std::vector<Answer> answers;
    std::exception_ptr fault;
    bool done = false;
  };

  [[nodiscard]] std::vector<Ticket*> take_group();
  void lead(const std::vector<Ticket*>& group);
  void run_group(const std::vector<Ticket*>& group);
  void commit(BatchWriter& batch);
  [[nodiscard]] AppendOutcome append_patiently(const Batch& batch, const ChangeSet& changes);

  Parts parts_;
  State state_;
  CommandRunner runner_;
  std::uint64_t term_ = 0;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Ticket*> waiting_;  // Guarded by mutex_, as is the next.
  bool office_taken_ = false;
  bool broken_ =
      false;   // A commit's fate is unknown: nothing more is taken. Of whoever holds the office.
  Head head_;  // Changed by whoever holds the office, under mutex_.
};

}  // namespace tenantry
