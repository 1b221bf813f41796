#include "core/writer.h"

#include <algorithm>
#include <chrono>
#include <system_error>
#include <thread>
#include <utility>

#include "core/error.h"
#include "core/planted.h"

namespace tenantry {
namespace {

using namespace std::chrono_literals;

// As many commands are decided in the time of a sync. Fewer do best to share one: the next commit
// waits for their callers to come back, for less than half of that time. Of more, one half is
// decided while the other is written.
constexpr std::size_t kFewCommands = 12;
constexpr auto kComingBack = 100us;

[[noreturn]] void refuse_further_work() {
  throw UnavailableError("an earlier write failed and nobody knows whether it reached the disk",
                         "open the store again and repeat the commands with their ids");
}

}  // namespace

Writer::Writer(Parts parts, const Head& head)
    : parts_(std::move(parts)),
      state_(parts_.storage, State::Reads::kKeep),
      runner_(parts_.info, parts_.storage, parts_.clock, parts_.ids),
      head_(head) {
  term_ = parts_.log.open_term().term;
}

Head Writer::head() const {
  const std::lock_guard lock(mutex_);
  return head_;
}

void Writer::saw(const Head& head) {
  {
    const std::lock_guard lock(mutex_);
    if (head.batch_seq <= head_.batch_seq) return;
  }
  if (parts_.on_head) parts_.on_head(head);
  const std::lock_guard lock(mutex_);
  if (head.batch_seq > head_.batch_seq) head_ = head;
  grew_.notify_all();
}

Position Writer::await_tail(Position beyond, std::chrono::milliseconds timeout) const {
  std::unique_lock lock(mutex_);
  grew_.wait_for(lock, timeout, [&] { return head_.tail > beyond; });
  return head_.tail;
}

Writer::~Writer() { close(); }

void Writer::close() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
    standby_turn_.notify_all();
  }
  standbys_.clear();
}

std::vector<Answer> Writer::submit(std::span<const events::CommandRequest> commands,
                                   SubmitOptions options) {
  const auto mine = std::make_shared<Ticket>(commands, options);
  await(mine);
  return std::move(mine->answers);
}

void Writer::commit(Act act) {
  const auto mine =
      std::make_shared<Ticket>(std::span<const events::CommandRequest>(), SubmitOptions{});
  mine->act = std::move(act);
  await(mine);
}

void Writer::await(const std::shared_ptr<Ticket>& mine) {
  bool leads = false;
  {
    const std::lock_guard lock(mutex_);
    leads = join(mine);
  }
  if (!leads) {
    mine->turn.wait(Turn::kWaits);
    leads = mine->turn.load() == Turn::kLeads;
  }
  if (leads) lead();
  if (mine->fault) std::rethrow_exception(mine->fault);
}

void Writer::submit_then(std::vector<events::CommandRequest> commands, SubmitOptions options,
                         OnSubmitted done) {
  options.answered = nullptr;
  auto ticket = std::make_shared<Ticket>(std::span<const events::CommandRequest>(), options);
  Later& later = ticket->later.emplace(Later{std::move(commands), std::move(done)});
  ticket->commands = later.commands;
  const std::lock_guard lock(mutex_);
  // While one writes, the other decides.
  while (standbys_.size() < 2) standbys_.emplace_back([this] { stand_by(); });
  if (join(std::move(ticket))) {
    standby_may_lead_ = true;
    standby_turn_.notify_one();
  }
}

bool Writer::join(std::shared_ptr<Ticket> ticket) {
  queue_.push_back(std::move(ticket));
  ++joined_;
  progress_.notify_one();
  return !std::exchange(office_taken_, true);
}

void Writer::stand_by() {
  std::unique_lock lock(mutex_);
  while (true) {
    standby_turn_.wait(lock, [&] { return standby_may_lead_ || (closing_ && queue_.empty()); });
    if (!standby_may_lead_) return;
    standby_may_lead_ = false;
    lock.unlock();
    lead();
    lock.lock();
  }
}

void Writer::lead() {
  Group group;
  std::shared_ptr<Commit> commit;
  std::exception_ptr fault;
  try {
    commit = decide_group(group);
  } catch (const std::exception&) {
    fault = give_up(group);
  }
  hand_over();
  if (planted(Plant::kAnswerBeforeWrite)) {
    answer(group, fault);
    if (commit) end(*commit, make_durable(*commit));
    return;
  }
  if (commit) fault = make_durable(*commit);
  // Who hears of a fault may try again at once: nothing should rest on this commit any more.
  const bool ends_first = fault || group.commands > kFewCommands;
  if (commit && ends_first) end(*commit, fault);
  note_answered(group);
  answer(group, fault);
  if (commit && !ends_first) end(*commit, fault);
}

void Writer::hand_over() {
  std::shared_ptr<Ticket> next;
  {
    const std::lock_guard lock(mutex_);
    if (queue_.empty()) {
      office_taken_ = false;
      if (closing_) standby_turn_.notify_all();
      return;
    }
    next = queue_.front();
    if (next->later) {
      standby_may_lead_ = true;
      standby_turn_.notify_one();
      return;
    }
  }
  next->turn.store(Turn::kLeads);
  next->turn.notify_one();
}

std::shared_ptr<Writer::Commit> Writer::decide_group(Group& group) {
  std::shared_ptr<Ticket> ticket = take_next(group);
  if (broken_) refuse_further_work();
  settle();
  std::shared_ptr<Commit> commit = begin();
  for (; ticket; ticket = take_next(group)) decide_ticket(*ticket, group, commit);
  if (commit->commands == 0) {
    finish_writing(group);
    return nullptr;
  }
  launch(commit, group);
  return commit;
}

// While the commit before it is being written, a group takes whoever is there, until it is as large
// and nobody else waits. Then it leaves half of them, if they are many, to the next one, which is
// decided while this one is written.
std::shared_ptr<Writer::Ticket> Writer::take_next(Group& group) {
  const auto fits = [&](const Ticket& ticket) {
    return group.tickets.empty() ||
           group.commands + ticket.commands.size() <= parts_.group_commands_max;
  };
  std::unique_lock lock(mutex_);
  while (true) {
    const bool is_written = !writing_ || writing_->ended;
    const bool has_enough = group.commands >= kFewCommands &&
                            (is_written ? group.tickets.size() >= queue_.size()
                                        : queue_.empty() && group.commands >= writing_->commands);
    const bool may_take = !queue_.empty() && fits(*queue_.front());
    if (may_take && (group.tickets.empty() || !has_enough)) break;
    if (!queue_.empty() || has_enough) return nullptr;
    if (!is_written) {
      progress_.wait(lock);
    } else if (!others_may_come_back(group) ||
               progress_.wait_until(lock, answered_at_ + kComingBack) == std::cv_status::timeout) {
      return nullptr;
    }
  }
  std::shared_ptr<Ticket> ticket = std::move(queue_.front());
  queue_.pop_front();
  group.tickets.push_back(ticket);
  group.commands += ticket->commands.size();
  return ticket;
}

// Whether those who were answered last are likely to come with their next commands, and few enough
// to be waited for.
bool Writer::others_may_come_back(const Group& group) const {
  return answered_ <= kFewCommands && group.commands < kFewCommands &&
         joined_ - joined_before_ < answered_;
}

void Writer::decide_ticket(Ticket& ticket, const Group& group, std::shared_ptr<Commit>& commit) {
  const std::size_t bytes_max = parts_.log.limits().group_bytes_max;
  const std::size_t chosen = ticket.options.commit_commands_max;
  const std::size_t commands_max = chosen > 0 ? chosen : parts_.group_commands_max;
  if (ticket.act) {
    ticket.act(commit->batch);
    ++commit->commands;
    ticket.answers.emplace_back();  // As durable as its commit.
  }
  for (const events::CommandRequest& command : ticket.commands) {
    CommandRunner::Decided decided = runner_.decide_command(command, state_, commit->batch.head());
    if (decided.has_effect) {
      const std::size_t bytes = commit->batch.record_bytes() + CommandRunner::record_bytes(decided);
      if (commit->commands > 0 && (commit->commands >= commands_max || bytes > bytes_max)) {
        write_meanwhile(commit, group);
        commit = begin();
      }
      runner_.add(decided, commit->batch);
      ++commit->commands;
    }
    const bool refused = decided.answer.status != Answer::Status::kAccepted;
    ticket.answers.push_back(std::move(decided.answer));
    if (refused && ticket.options.stop_on_refusal) break;
  }
  ticket.is_decided = true;
}

// Nothing was decided on top of what ended since, so its failure is only its own callers' matter.
void Writer::settle() {
  std::exception_ptr fault;
  {
    const std::lock_guard lock(mutex_);
    if (!writing_ || !writing_->ended) return;
    fault = writing_->fault;
  }
  if (fault) {
    state_.forget_changes();
    runner_.forget_pending();
  }
  state_.written();
  writing_.reset();
}

std::shared_ptr<Writer::Commit> Writer::begin() {
  Head last = writing_ ? writing_->batch.head() : head();
  return std::make_shared<Commit>(Commit{{parts_.info, std::move(last), term_, state_}});
}

void Writer::launch(const std::shared_ptr<Commit>& commit, const Group& group) {
  commit->finished = commit->batch.finish(commit->changes);
  finish_writing(group);
  writing_ = commit;
  state_.set_writing(commit->changes);
  runner_.set_writing();
}

void Writer::write_meanwhile(const std::shared_ptr<Commit>& commit, const Group& group) {
  launch(commit, group);
  for (const auto& ticket : group.tickets) ticket->written = ticket->answers.size();
  try {
    helper_ =
        std::async(std::launch::async, [this, commit] { end(*commit, make_durable(*commit)); });
  } catch (const std::system_error&) {  // No thread is to be had: it goes without.
    end(*commit, make_durable(*commit));
  }
}

void Writer::finish_writing(const Group& group) {
  if (!writing_) return;
  {
    std::unique_lock lock(mutex_);
    progress_.wait(lock, [&] { return writing_->ended; });
  }
  if (helper_.valid()) helper_.get();
  if (writing_->fault) std::rethrow_exception(writing_->fault);
  for (const auto& ticket : group.tickets) ticket->durable = ticket->written;
  state_.written();
  writing_.reset();
}

std::exception_ptr Writer::give_up(const Group& group) {
  std::exception_ptr fault = std::current_exception();
  try {
    finish_writing(group);
  } catch (const std::exception&) {
    fault = std::current_exception();  // That a write failed matters more than what came after.
  }
  writing_.reset();
  state_.forget_changes();
  runner_.forget_pending();
  return fault;
}

// What the group decided rests on each other's effects, so who is not wholly durable shares it.
void Writer::answer(const Group& group, const std::exception_ptr& fault) {
  for (const std::shared_ptr<Ticket>& ticket : group.tickets) {
    const bool is_durable = ticket->is_decided && ticket->durable == ticket->answers.size();
    if (fault && !is_durable) {
      ticket->fault = fault;
      ticket->answers.resize(ticket->durable);
      if (ticket->options.answered != nullptr) {
        *ticket->options.answered = std::move(ticket->answers);
      }
    }
    if (ticket->later) {
      ticket->later->done({std::move(ticket->answers), ticket->fault});
    } else {
      ticket->turn.store(Turn::kAnswered);
      ticket->turn.notify_one();
    }
  }
}

std::exception_ptr Writer::make_durable(const Commit& commit) {
  try {
    write(commit);
  } catch (const std::exception&) {
    return std::current_exception();
  }
  return nullptr;
}

void Writer::note_answered(const Group& group) {
  const std::lock_guard lock(mutex_);
  answered_ = group.tickets.size();
  joined_before_ = joined_;
  answered_at_ = std::chrono::steady_clock::now();
}

void Writer::end(Commit& commit, const std::exception_ptr& fault) {
  const std::lock_guard lock(mutex_);
  commit.fault = fault;
  commit.ended = true;
  progress_.notify_one();
}

void Writer::write(const Commit& commit) {
  if (parts_.admit) parts_.admit(commit.changes.bytes());
  const AppendOutcome outcome = append_patiently(parts_.log, commit.finished, commit.changes);
  if (outcome == AppendOutcome::kUnknown) broken_ = true;
  if (outcome != AppendOutcome::kCommitted) {
    throw_append_failure(outcome, parts_.storage.last_error());
  }
  if (planted(Plant::kLateHead)) std::this_thread::sleep_for(1ms);
  saw(commit.batch.head());
  if (parts_.on_commit) parts_.on_commit(commit.batch.head());
}

}  // namespace tenantry
