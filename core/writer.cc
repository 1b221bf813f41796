#include "core/writer.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <thread>
#include <utility>

#include "core/error.h"

namespace tenantry {
namespace {

using namespace std::chrono_literals;

constexpr auto kStallWaitFirst = 1ms;
constexpr auto kStallWaitMax = 50ms;
constexpr auto kStallPatience = 2s;

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

Writer::~Writer() { close(); }

void Writer::close() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
    standby_turn_.notify_one();
  }
  if (standby_.joinable()) standby_.join();
}

std::vector<Answer> Writer::submit(std::span<const events::CommandRequest> commands,
                                   SubmitOptions options) {
  Ticket mine;
  mine.commands = commands;
  mine.options = options;
  Place place;
  {
    const std::lock_guard lock(mutex_);
    place = join(mine, nullptr);
  }
  if (place.is_first) {
    if (!place.holds_office) place.group->may_lead.wait(0);
    lead_first_group();
  } else {
    place.group->done.wait(0);
  }
  if (mine.fault) std::rethrow_exception(mine.fault);
  return std::move(mine.answers);
}

std::future<std::vector<Answer>> Writer::submit_later(std::vector<events::CommandRequest> commands,
                                                      SubmitOptions options) {
  auto later = std::make_unique<LaterTicket>();
  later->owned = std::move(commands);
  later->commands = later->owned;
  later->options = options;
  std::future<std::vector<Answer>> answers = later->promise.get_future();
  LaterTicket& ticket = *later;
  const std::lock_guard lock(mutex_);
  if (!standby_.joinable()) standby_ = std::jthread([this] { stand_by(); });
  if (join(ticket, std::move(later)).holds_office) {
    standby_may_lead_ = true;
    standby_turn_.notify_one();
  }
  return answers;
}

Writer::Place Writer::join(Ticket& ticket, std::unique_ptr<LaterTicket> later) {
  const std::size_t count = ticket.commands.size();
  if (groups_.empty() || groups_.back()->commands + count > parts_.group_commands_max) {
    groups_.push_back(std::make_shared<Group>());
    groups_.back()->led_by_standby = later != nullptr;
  }
  Place place;
  place.group = groups_.back();
  place.is_first = place.group->tickets.empty();
  place.group->tickets.push_back(&ticket);
  place.group->commands += count;
  if (later) place.group->later.push_back(std::move(later));
  place.holds_office = !std::exchange(office_taken_, true);
  return place;
}

// The group stays open until here: whoever came before has a place in it. It is woken before the
// office is free, so that its callers' next commands are in the next group.
void Writer::lead_first_group() {
  std::shared_ptr<Group> group;
  {
    const std::lock_guard lock(mutex_);
    group = groups_.front();
    groups_.pop_front();
  }
  lead(group->tickets);
  group->done.store(1);
  group->done.notify_all();
  for (const std::unique_ptr<LaterTicket>& ticket : group->later) {
    if (ticket->fault) {
      ticket->promise.set_exception(ticket->fault);
    } else {
      ticket->promise.set_value(std::move(ticket->answers));
    }
  }
  hand_over();
}

void Writer::hand_over() {
  std::shared_ptr<Group> next;
  {
    const std::lock_guard lock(mutex_);
    if (groups_.empty()) {
      office_taken_ = false;
      return;
    }
    next = groups_.front();
    if (next->led_by_standby) {
      standby_may_lead_ = true;
      standby_turn_.notify_one();
      return;
    }
  }
  next->may_lead.store(1);
  next->may_lead.notify_one();
}

void Writer::stand_by() {
  std::unique_lock lock(mutex_);
  while (true) {
    standby_turn_.wait(lock, [&] { return standby_may_lead_ || (closing_ && groups_.empty()); });
    if (!standby_may_lead_) return;
    standby_may_lead_ = false;
    lock.unlock();
    lead_first_group();
    lock.lock();
  }
}

void Writer::lead(const std::vector<Ticket*>& group) {
  try {
    if (broken_) refuse_further_work();
    run_group(group);
  } catch (const std::exception&) {
    std::exception_ptr fault = std::current_exception();
    try {
      finish_writing(group);
    } catch (const std::exception&) {
      fault = std::current_exception();  // That a write failed matters more than what came after.
    }
    writing_.reset();
    state_.forget_changes();
    runner_.forget_pending();
    answer_fault(group, fault);
  }
}

// What the group decided rests on each other's effects, so who is not wholly durable shares it.
void Writer::answer_fault(const std::vector<Ticket*>& group, const std::exception_ptr& fault) {
  for (Ticket* ticket : group) {
    if (ticket->is_decided && ticket->durable == ticket->answers.size()) continue;
    ticket->fault = fault;
    if (ticket->options.answered == nullptr) continue;
    ticket->answers.resize(ticket->durable);
    *ticket->options.answered = std::move(ticket->answers);
  }
}

void Writer::run_group(const std::vector<Ticket*>& group) {
  const std::size_t bytes_max = parts_.log.limits().group_bytes_max;
  std::unique_ptr<Commit> commit = begin(head_);
  for (Ticket* ticket : group) {
    const std::size_t chosen = ticket->options.commit_commands_max;
    const std::size_t commands_max = chosen > 0 ? chosen : parts_.group_commands_max;
    for (const events::CommandRequest& command : ticket->commands) {
      CommandRunner::Decided decided =
          runner_.decide_command(command, state_, commit->batch.head());
      if (decided.has_effect) {
        const std::size_t bytes =
            commit->batch.record_bytes() + CommandRunner::record_bytes(decided);
        if (commit->commands > 0 && (commit->commands >= commands_max || bytes > bytes_max)) {
          write_meanwhile(std::move(commit), group);
          commit = begin(writing_->batch.head());
        }
        runner_.add(decided, commit->batch);
        ++commit->commands;
      }
      const bool refused = decided.answer.status != Answer::Status::kAccepted;
      ticket->answers.push_back(std::move(decided.answer));
      if (refused && ticket->options.stop_on_refusal) break;
    }
    ticket->is_decided = true;
  }
  if (commit->commands > 0) {
    const Batch finished = commit->batch.finish(commit->changes);
    finish_writing(group);
    write(commit->batch, finished, commit->changes);
  }
  runner_.forget_pending();
}

std::unique_ptr<Writer::Commit> Writer::begin(const Head& head) {
  return std::make_unique<Commit>(Commit{{parts_.info, head, term_, state_}});
}

void Writer::write_meanwhile(std::unique_ptr<Commit> commit, const std::vector<Ticket*>& group) {
  const Batch finished = commit->batch.finish(commit->changes);
  finish_writing(group);
  for (Ticket* ticket : group) ticket->written = ticket->answers.size();
  writing_ = std::move(commit);
  state_.set_writing(writing_->changes);
  runner_.set_writing();
  written_ = std::async(std::launch::async,
                        [this, finished] { write(writing_->batch, finished, writing_->changes); });
}

void Writer::finish_writing(const std::vector<Ticket*>& group) {
  if (!written_.valid()) return;
  written_.get();
  for (Ticket* ticket : group) ticket->durable = ticket->written;
  state_.written();
  writing_.reset();
}

void Writer::write(const BatchWriter& batch, const Batch& finished, const ChangeSet& changes) {
  if (parts_.admit) parts_.admit(changes.bytes());
  switch (append_patiently(finished, changes)) {
    case AppendOutcome::kCommitted:
      break;
    case AppendOutcome::kStalled:
      throw UnavailableError("the storage is overloaded and took no write for two seconds",
                             "try again");
    case AppendOutcome::kUnknown:
      broken_ = true;
      throw UnavailableError(
          "a write failed, and nobody knows whether it reached the disk: " +
              parts_.storage.last_error(),
          "make sure that the disk has space and works, open the store again, and repeat "
          "the commands with their ids");
    case AppendOutcome::kConflict:
    case AppendOutcome::kFenced:
      TENANTRY_ASSERT(false && "another writer got past the store's lock");
  }
  {
    const std::lock_guard lock(mutex_);
    head_ = batch.head();
  }
  if (parts_.on_commit) parts_.on_commit(batch.head());
}

// A stall wrote nothing: wait and try again, for a bounded time.
AppendOutcome Writer::append_patiently(const Batch& batch, const ChangeSet& changes) {
  const auto give_up = std::chrono::steady_clock::now() + kStallPatience;
  auto wait = kStallWaitFirst;
  while (true) {
    const AppendOutcome outcome = parts_.log.append(batch, changes);
    if (outcome != AppendOutcome::kStalled || std::chrono::steady_clock::now() > give_up)
      return outcome;
    std::this_thread::sleep_for(wait);
    wait = std::min(2 * wait, kStallWaitMax);
  }
}

}  // namespace tenantry
