#include "core/command_runner.h"

#include <algorithm>

#include "core/bytes.h"
#include "core/record.h"

namespace tenantry {
namespace {

using events::Refusal;

Answer refused(Refusal refusal, std::uint64_t incarnation) {
  Answer answer;
  answer.status = refusal.invalid ? Answer::Status::kInvalid : Answer::Status::kRejected;
  answer.refusal = std::move(refusal);
  answer.incarnation = incarnation;
  return answer;
}

Answer repeated(const CommandEntry& entry, std::uint64_t incarnation) {
  Answer answer;
  answer.first = entry.first;
  answer.count = entry.count;
  answer.entity = entry.entity;
  answer.repeated = true;
  answer.incarnation = incarnation;
  return answer;
}

// What a request's hash covers besides the command.
constexpr std::size_t kCircumstanceBytes = 18;

// The time that the command's events carry, or why the one that it brought cannot be.
std::variant<events::Timestamp, Refusal> settle_time(const events::Circumstances& circumstances,
                                                     const Head& head, events::Timestamp clock) {
  if (!circumstances.at) return std::max(clock, head.last_recorded);
  if (head.tail.value > 0 && *circumstances.at < head.last_recorded) {
    return Refusal{false, "invalid_period", "at",
                   "the time lies before the log's last one, " +
                       events::format_timestamp(head.last_recorded) +
                       "; history is applied in order"};
  }
  if (*circumstances.at > clock) {
    return Refusal{false, "invalid_period", "at", "the time lies in the future"};
  }
  return *circumstances.at;
}

std::uint16_t flags_for(const events::Circumstances& circumstances, const Head& head,
                        events::Timestamp clock) {
  if (circumstances.at) return kFlagTimeSupplied;
  return clock < head.last_recorded ? kFlagClockHeld : std::uint16_t{0};
}

}  // namespace

std::optional<CommandEntry> CommandRunner::find_answered(const events::Uuid& id) const {
  for (const auto* entries : {&pending_, &writing_}) {
    if (const auto found = entries->find(id); found != entries->end()) return found->second;
  }
  std::string key;
  append_uuid(key, id);
  const auto value = storage_.get(Family::kIdempotency, key);
  if (!value) return std::nullopt;
  return decode_idempotency(id, *value);
}

events::Uuid CommandRunner::request_hash(const events::CommandRequest& request) const {
  const events::Circumstances& circumstances = request.circumstances;
  std::string bytes;
  bytes.reserve(request.command.size() + kCircumstanceBytes);
  bytes = request.command;
  append_le(bytes, static_cast<std::uint8_t>(circumstances.expected_version.kind));
  append_le(bytes, circumstances.expected_version.version);
  append_le(bytes, static_cast<std::uint8_t>(circumstances.at ? 1 : 0));
  append_le(bytes, circumstances.at.value_or(events::Timestamp{}).micros);
  return keyed_hash(info_.hash_key, bytes);
}

events::Uuid CommandRunner::actor_hash(const std::string& actor) {
  if (actor != actor_) {
    actor_hash_ = keyed_hash(info_.hash_key, actor);
    actor_ = actor;
  }
  return actor_hash_;
}

CommandRunner::Decided CommandRunner::decide_command(const events::CommandRequest& request,
                                                     const State& state, const Head& head) {
  const events::Circumstances& circumstances = request.circumstances;
  Decided decided;
  if (circumstances.id) {
    decided.accepted.request_hash = request_hash(request);
    if (const auto answered = find_answered(*circumstances.id)) {
      decided.answer = answered->request_hash == decided.accepted.request_hash
                           ? repeated(*answered, head.incarnation)
                           : refused({false, "id_reused", "id",
                                      "an accepted command with other content has this id"},
                                     head.incarnation);
      return decided;
    }
  }
  const events::Timestamp clock = clock_.now();
  const auto time = settle_time(circumstances, head, clock);
  if (const auto* refusal = std::get_if<Refusal>(&time)) {
    decided.answer = refused(*refusal, head.incarnation);
    return decided;
  }
  const auto now = std::get<events::Timestamp>(time);
  DecideOutcome outcome = decide(request.command, state, {circumstances, now, ids_});
  if (auto* refusal = std::get_if<Refusal>(&outcome)) {
    decided.answer = refused(std::move(*refusal), head.incarnation);
    return decided;
  }
  auto& decision = std::get<Decision>(outcome);
  decided.answer.entity = decision.entity;
  decided.answer.count = static_cast<std::uint32_t>(decision.events.size());
  decided.answer.incarnation = head.incarnation;
  decided.accepted.events = std::move(decision.events);
  decided.accepted.entity = std::move(decision.entity);
  decided.accepted.recorded_at = now;
  decided.accepted.flags = flags_for(circumstances, head, clock);
  if (!circumstances.actor.empty()) decided.accepted.actor = actor_hash(circumstances.actor);
  decided.accepted.causation = circumstances.causation_position.value_or(0);
  decided.accepted.id = circumstances.id;
  decided.has_effect = circumstances.id.has_value() || !decided.accepted.events.empty();
  return decided;
}

void CommandRunner::add(Decided& decided, BatchWriter& batch) {
  const Position first = batch.add(decided.accepted);
  if (decided.answer.count > 0) decided.answer.first = first;
  if (decided.accepted.id) {
    pending_[*decided.accepted.id] = {
        *decided.accepted.id, decided.accepted.request_hash, decided.accepted.recorded_at,
        decided.answer.first, decided.answer.count,          std::move(decided.accepted.entity)};
  }
}

std::size_t CommandRunner::record_bytes(const Decided& decided) {
  std::size_t total = 0;
  for (const events::EncodedEvent& event : decided.accepted.events)
    total += kRecordHeaderBytes + event.size();
  return total;
}

}  // namespace tenantry
