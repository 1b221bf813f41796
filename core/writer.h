#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "core/command_runner.h"
#include "core/commit_log.h"

namespace tenantry {

// The one writer of a store. The caller that finds nobody deciding takes the office: it decides its
// commands and those of whoever comes while the commit before is on its way to the disk, hands the
// office to the next who waits, writes once, and wakes the others. So one commit is written while
// the next is decided, and a lone caller never changes thread. Of a call with more commands than
// share a sync, one part is written by a helper while the next is decided. Callers that do not wait
// have threads of the writer's stand in for them. Threads: any thread may submit. Lifetime: borrows
// everything it is given; what was submitted is answered before the destructor returns.
class Writer {
 public:
  struct Parts {
    const StoreInfo& info;
    Storage& storage;
    CommitLog& log;
    const Clock& clock;
    IdSource& ids;
    std::size_t group_commands_max = 1024;
    // Called with a head before head() gives it; by any thread, and perhaps again.
    std::function<void(const Head&)> on_head;
    // Called after each commit, before anybody is answered.
    std::function<void(const Head&)> on_commit;
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
  // See TenancyStore::submit_then().
  void submit_then(std::vector<events::CommandRequest> commands, SubmitOptions options,
                   OnSubmitted done);

  // Has `act` add to a batch, between commands; what it adds is durable when the call is over. It
  // throws nothing. Errors: those of submit().
  using Act = std::function<void(BatchWriter&)>;
  void commit(Act act);

  // Answers what was submitted; nothing may be submitted afterwards.
  void close();

  // The end of what is durable.
  [[nodiscard]] Head head() const;
  // See TenancyStore::await_tail().
  [[nodiscard]] Position await_tail(Position beyond, std::chrono::milliseconds timeout) const;
  // A reader met `head` in the storage, which shows a commit a moment before whoever writes it can
  // say so: from here on head() is no older. Any thread may call it.
  void saw(const Head& head);
  // The fate of a commit is unknown; nothing more is taken. Asked when nobody submits.
  [[nodiscard]] bool broken() const { return broken_; }

 private:
  // As wide as a futex: narrower ones share it with others, who then wake up for nothing.
  enum class Turn : std::int32_t {
    kWaits,
    kLeads,     // The office is the caller's.
    kAnswered,  // The answers are there, or the fault.
  };
  // What a caller that does not wait leaves behind.
  struct Later {
    std::vector<events::CommandRequest> commands;
    OnSubmitted done;
  };
  // One call. Shared by its caller and who leads it: each may be gone before the other.
  struct Ticket {
    Ticket(std::span<const events::CommandRequest> asked, SubmitOptions how)
        : commands(asked), options(how) {}
    std::span<const events::CommandRequest> commands;
    SubmitOptions options;
    Act act{};  // Instead of commands.
    std::optional<Later> later{};
    std::vector<Answer> answers{};
    std::size_t written = 0;  // Answers that rest on what is being written, and before it;
    std::size_t durable = 0;  // on what is durable.
    bool is_decided = false;  // The answers are all there.
    std::exception_ptr fault{};
    std::atomic<Turn> turn = Turn::kWaits;
  };
  // Who is led together, and answered together.
  struct Group {
    std::vector<std::shared_ptr<Ticket>> tickets;
    std::size_t commands = 0;
  };
  // A batch, from its first command to the disk. From launch() on it stays as it is.
  struct Commit {
    BatchWriter batch;
    std::size_t commands = 0;
    ChangeSet changes{};
    Batch finished{};
    bool ended = false;          // Guarded by mutex_, as is the next: nobody writes it any more.
    std::exception_ptr fault{};  // Why it is not durable.
  };

  // Waits until the ticket is answered, and leads if it comes to that. Throws its fault.
  void await(const std::shared_ptr<Ticket>& mine);
  // Under mutex_: whether the caller leads.
  [[nodiscard]] bool join(std::shared_ptr<Ticket> ticket);
  void stand_by();
  // By who holds the office and whose ticket is the first: decides a group, hands the office on,
  // writes and answers.
  void lead();
  // The commit that the group shares, launched and yet to be written; none if it has no effect.
  [[nodiscard]] std::shared_ptr<Commit> decide_group(Group& group);
  void decide_ticket(Ticket& ticket, const Group& group, std::shared_ptr<Commit>& commit);
  // The next ticket of the group; none when its commit should be written.
  [[nodiscard]] std::shared_ptr<Ticket> take_next(Group& group);
  [[nodiscard]] bool others_may_come_back(const Group& group) const;
  void hand_over();

  // Lets go of a commit that ended before anything was decided on top of it.
  void settle();
  // The commit that follows the last one that was launched, or what is durable.
  [[nodiscard]] std::shared_ptr<Commit> begin();
  // Finishes the batch while the commit before it is being written, and waits for that: what is
  // decided from here on rests on it. Throws like finish_writing().
  void launch(const std::shared_ptr<Commit>& commit, const Group& group);
  // Launches it and has it written by another thread.
  void write_meanwhile(const std::shared_ptr<Commit>& commit, const Group& group);
  // Waits until nothing is being written; throws why it is not durable.
  void finish_writing(const Group& group);
  // Forgets what was decided and is not durable; returns what became of the group.
  [[nodiscard]] std::exception_ptr give_up(const Group& group);
  // Returns why the commit is not durable; nullptr when it is.
  [[nodiscard]] std::exception_ptr make_durable(const Commit& commit);
  // Lets the next commit be written.
  void end(Commit& commit, const std::exception_ptr& fault);
  void write(const Commit& commit);
  // Whoever rests on more than is durable gets the fault, if there is one.
  static void answer(const Group& group, const std::exception_ptr& fault);
  void note_answered(const Group& group);

  Parts parts_;
  State state_;           // Of whoever holds the office, as is the next.
  CommandRunner runner_;  // Its commands of the last commit are remembered with it.
  std::uint64_t term_ = 0;
  std::atomic<bool> broken_ = false;  // A commit's fate is unknown: nothing more is taken.

  mutable std::mutex mutex_;
  std::deque<std::shared_ptr<Ticket>> queue_;  // Guarded by mutex_, as all down to progress_.
  std::uint64_t joined_ = 0;                   // Calls ever;
  std::uint64_t joined_before_ = 0;            // before those of the last group were answered,
  std::size_t answered_ = 0;                   // how many that were,
  std::chrono::steady_clock::time_point answered_at_;  // and when.
  bool office_taken_ = false;                          // Else the queue is empty.
  bool standby_may_lead_ = false;
  bool closing_ = false;
  std::vector<std::jthread> standbys_;  // Started when first needed.
  Head head_;                           // Of whoever writes, or has seen more.
  mutable std::condition_variable grew_;
  std::condition_variable standby_turn_;
  std::condition_variable progress_;  // For who leads: a ticket came, or a commit ended.

  // Of whoever holds the office: the last commit that was launched, while it may be unwritten, and
  // the thread that writes it, if it is not its leader.
  std::shared_ptr<Commit> writing_;
  std::future<void> helper_;
};

}  // namespace tenantry
