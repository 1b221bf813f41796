#include "core/event_appender.h"

#include <algorithm>

#include "core/error.h"
#include "core/hash.h"
#include "core/record.h"

namespace tenantry {
namespace {

// A commit's records, as far as a log that sends them as one message takes them.
constexpr std::size_t kBatchBytes = std::size_t{768} << 10;

}  // namespace

EventAppender::EventAppender(const std::filesystem::path& directory, const std::string& actor,
                             const Clock& clock, const Disk& disk)
    : opened_(open_store_files({directory, /*read_only=*/false, {}, disk, {}}, clock)),
      log_(make_embedded_log(*opened_.storage, opened_.info)),
      term_(log_->open_term().term),
      head_(opened_.head),
      recorded_at_(std::max(clock.now(), head_.last_recorded)),
      flags_(recorded_at_ > clock.now() ? kFlagClockHeld : std::uint16_t{0}),
      actor_(actor.empty() ? events::Uuid{} : keyed_hash(opened_.info.hash_key, actor)),
      state_(*opened_.storage) {}

void EventAppender::begin_incarnation() {
  TENANTRY_ASSERT(!batch_);
  ++head_.incarnation;
  ChangeSet changes;
  changes.put(Family::kMeta, "head", encode_head(head_));
  if (opened_.storage->write(changes, /*sync=*/true) != WriteResult::kDone) {
    throw UnavailableError("cannot write " + opened_.paths.database().string() + ": " +
                           opened_.storage->last_error());
  }
  term_ = log_->open_term().term;
}

void EventAppender::add(const events::EncodedEvent& event) {
  if (batch_ && batch_->record_bytes() + event.size() > kBatchBytes) write();
  if (!batch_) batch_.emplace(opened_.info, head_, term_, state_);
  AcceptedCommand command;
  command.events = {event};
  command.recorded_at = recorded_at_;
  command.flags = flags_;
  command.actor = actor_;
  (void)batch_->add(command);
}

void EventAppender::write() {
  if (!batch_) return;
  opened_.ballast->admit(batch_->record_bytes());
  ChangeSet changes;
  const Batch finished = batch_->finish(changes);
  const AppendOutcome outcome = append_patiently(*log_, finished, changes);
  if (outcome != AppendOutcome::kCommitted) {
    throw_append_failure(outcome, opened_.storage->last_error());
  }
  head_ = batch_->head();
  batch_.reset();
}

void EventAppender::finish() {
  write();
  opened_.storage->flush();
  opened_.ack->close(ack_of(opened_.info, head_));
}

}  // namespace tenantry
