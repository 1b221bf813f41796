#include "core/writer.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <thread>

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
      state_(parts_.storage),
      runner_(parts_.info, parts_.storage, parts_.clock, parts_.ids),
      head_(head) {
  term_ = parts_.log.open_term().term;
}

Head Writer::head() const {
  const std::lock_guard lock(mutex_);
  return head_;
}

std::vector<Answer> Writer::submit(std::span<const events::CommandRequest> commands,
                                   SubmitOptions options) {
  Ticket mine{commands, options, {}, nullptr, false};
  std::unique_lock lock(mutex_);
  waiting_.push_back(&mine);
  while (true) {
    changed_.wait(lock, [&] { return mine.done || !office_taken_; });
    if (mine.done) break;
    office_taken_ = true;
    const std::vector<Ticket*> group = take_group();
    lock.unlock();
    lead(group);
    lock.lock();
    for (Ticket* ticket : group) ticket->done = true;
    office_taken_ = false;
    changed_.notify_all();
  }
  lock.unlock();
  if (mine.fault) std::rethrow_exception(mine.fault);
  return std::move(mine.answers);
}

std::vector<Writer::Ticket*> Writer::take_group() {
  std::vector<Ticket*> group;
  std::size_t count = 0;
  while (!waiting_.empty()) {
    Ticket* const next = waiting_.front();
    if (!group.empty() && count + next->commands.size() > parts_.group_commands_max) break;
    count += next->commands.size();
    group.push_back(next);
    waiting_.pop_front();
  }
  return group;
}

// A fault is everybody's: what the group decided rests on each other's effects.
void Writer::lead(const std::vector<Ticket*>& group) {
  try {
    if (broken_) refuse_further_work();
    run_group(group);
  } catch (const std::exception&) {
    state_.forget_changes();
    runner_.forget_pending();
    for (Ticket* ticket : group) ticket->fault = std::current_exception();
  }
}

void Writer::run_group(const std::vector<Ticket*>& group) {
  const std::size_t bytes_max = parts_.log.limits().group_bytes_max;
  std::optional<BatchWriter> batch(std::in_place, parts_.info, head_, term_, state_);
  for (Ticket* ticket : group) {
    for (const events::CommandRequest& command : ticket->commands) {
      CommandRunner::Decided decided = runner_.decide_command(command, state_, batch->head());
      if (decided.has_effect) {
        if (!batch->empty() &&
            batch->record_bytes() + CommandRunner::record_bytes(decided) > bytes_max) {
          commit(*batch);
          batch.emplace(parts_.info, head_, term_, state_);
        }
        runner_.add(decided, *batch);
      }
      const bool refused = decided.answer.status != Answer::Status::kAccepted;
      ticket->answers.push_back(std::move(decided.answer));
      if (refused && ticket->options.stop_on_refusal) break;
    }
  }
  commit(*batch);
}

void Writer::commit(BatchWriter& batch) {
  if (batch.empty()) return;
  ChangeSet changes;
  const Batch written = batch.finish(changes);
  if (parts_.admit) parts_.admit(changes.bytes());
  switch (append_patiently(written, changes)) {
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
  runner_.forget_pending();
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
