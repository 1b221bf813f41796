#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "core/command_runner.h"
#include "core/commit_log.h"

namespace tenantry {

// The one writer of a store. Callers that come while a commit is on its way to the disk form the
// next group; the first of them leads it: it decides for all, writes once, and wakes the others. Of
// a call with more commands than share a sync, one part is written while the next is decided. A
// lone caller with less never changes thread. Callers that do not wait have a thread of the
// writer's stand in for them. Threads: any thread may submit. Lifetime: borrows everything it is
// given; what was submitted is answered before the destructor returns.
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
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  ~Writer();

  // See TenancyStore::submit().
  [[nodiscard]] std::vector<Answer> submit(std::span<const events::CommandRequest> commands,
                                           SubmitOptions options);
  // See TenancyStore::submit_later().
  [[nodiscard]] std::future<std::vector<Answer>> submit_later(
      std::vector<events::CommandRequest> commands, SubmitOptions options);

  // Answers what was submitted; nothing may be submitted afterwards.
  void close();

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
    std::size_t written = 0;  // Answers that rest on what is being written, and before it;
    std::size_t durable = 0;  // on what is durable.
    bool is_decided = false;  // The answers are all there.
    std::exception_ptr fault;
  };
  // Those of a caller that does not wait.
  struct LaterTicket : Ticket {
    std::vector<events::CommandRequest> owned;
    std::promise<std::vector<Answer>> promise;
  };
  // Who shares a commit. Shared by all of its callers: one may be gone before another is woken.
  struct Group {
    std::vector<Ticket*> tickets;
    std::vector<std::unique_ptr<LaterTicket>> later;  // Those of them that nobody waits with.
    std::size_t commands = 0;
    bool led_by_standby = false;   // The first of them does not wait.
    std::atomic<int> may_lead{0};  // 1: the first one's turn has come.
    std::atomic<int> done{0};      // 1: everybody's answers are there.
  };

  struct Place {
    std::shared_ptr<Group> group;
    bool is_first = false;      // Of its group, which it will lead.
    bool holds_office = false;  // And may do so now.
  };
  // Under mutex_: puts the ticket into the last group, or into a new one.
  Place join(Ticket& ticket, std::unique_ptr<LaterTicket> later);
  // By who holds the office: commits for the first group and hands the office on.
  void lead_first_group();
  void hand_over();
  void stand_by();
  void lead(const std::vector<Ticket*>& group);
  void run_group(const std::vector<Ticket*>& group);
  // A batch, from its first command to the disk.
  struct Commit {
    BatchWriter batch;
    std::size_t commands = 0;
    ChangeSet changes = {};
  };
  [[nodiscard]] std::unique_ptr<Commit> begin(const Head& head);
  // Writes it on another thread, while the next one is decided.
  void write_meanwhile(std::unique_ptr<Commit> commit, const std::vector<Ticket*>& group);
  // Waits for that; throws what it threw.
  void finish_writing(const std::vector<Ticket*>& group);
  // Whoever rests on more than is durable gets the fault.
  static void answer_fault(const std::vector<Ticket*>& group, const std::exception_ptr& fault);
  // Makes a finished batch durable.
  void write(const BatchWriter& batch, const Batch& finished, const ChangeSet& changes);
  [[nodiscard]] AppendOutcome append_patiently(const Batch& batch, const ChangeSet& changes);

  Parts parts_;
  State state_;
  CommandRunner runner_;
  std::uint64_t term_ = 0;

  mutable std::mutex mutex_;
  std::deque<std::shared_ptr<Group>> groups_;  // Guarded by mutex_, as are the next four.
  bool office_taken_ = false;
  bool standby_may_lead_ = false;
  bool closing_ = false;
  std::jthread standby_;  // Started when first needed.
  std::condition_variable standby_turn_;
  Head head_;  // Changed by whoever writes, under mutex_.
  // Of whoever holds the office, as all below. A commit's fate is unknown: nothing more is taken.
  bool broken_ = false;
  std::unique_ptr<Commit> writing_;  // None when nothing is being written meanwhile.
  std::future<void> written_;
};

}  // namespace tenantry
