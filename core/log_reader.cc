#include "core/log_reader.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "core/block_stream.h"
#include "core/bytes.h"
#include "core/error.h"
#include "core/keys.h"
#include "core/planted.h"

namespace tenantry {
namespace {

using events::Uuid;

// The records of one scope in one direction, block after block.
class RecordStream {
 public:
  RecordStream(std::unique_ptr<BlockStream> blocks, Position after, Position through, bool reverse)
      : blocks_(std::move(blocks)), after_(after), through_(through), reverse_(reverse) {
    load();
  }

  // Null at the end. Valid until the next call of advance().
  [[nodiscard]] const StoredEvent* current() const {
    return block_ ? &block_->records()[at_] : nullptr;
  }

  void advance() {
    const bool more = reverse_ ? at_ > 0 : at_ + 1 < block_->records().size();
    if (!more) {
      load();
      return;
    }
    at_ = reverse_ ? at_ - 1 : at_ + 1;
    if (!inside(*current())) block_.reset();
  }

 private:
  [[nodiscard]] bool inside(const StoredEvent& event) const {
    return reverse_ ? event.position > after_ : event.position <= through_;
  }

  // Not yet reached by the walk: before its start, seen in its direction.
  [[nodiscard]] bool before_start(const StoredEvent& event) const {
    return reverse_ ? event.position > through_ : event.position <= after_;
  }

  // Goes to the first record inside, in this block or a later one.
  void load() {
    for (block_ = blocks_->next(); block_; block_ = blocks_->next()) {
      const auto& records = block_->records();
      for (std::size_t n = 0; n < records.size(); ++n) {
        at_ = reverse_ ? records.size() - 1 - n : n;
        if (before_start(records[at_])) continue;
        if (!inside(records[at_])) block_.reset();
        return;
      }
    }
  }

  std::unique_ptr<BlockStream> blocks_;
  const Position after_;
  const Position through_;
  const bool reverse_;
  std::optional<Block> block_;
  std::size_t at_ = 0;
};

// Visits the records of several streams in order of position. False if the visitor stopped it.
bool merge(std::vector<RecordStream>& streams, bool reverse, const LogReader::Visit& visit) {
  while (true) {
    RecordStream* next = nullptr;
    for (RecordStream& stream : streams) {
      if (stream.current() == nullptr) continue;
      const bool sooner =
          next == nullptr || (reverse ? stream.current()->position > next->current()->position
                                      : stream.current()->position < next->current()->position);
      if (sooner) next = &stream;
    }
    if (next == nullptr) return true;
    if (!visit(*next->current())) return false;
    next->advance();
  }
}

[[noreturn]] void gap(Position expected, Position found) {
  throw CorruptionError(fmt::format("the log has a gap: position {} is missing ({} follows)",
                                    expected.value, found.value));
}

// The filter, with texts hashed as records hold them.
class Matcher {
 public:
  Matcher(const LogFilter& filter, const StoreInfo& info) : filter_(filter) {
    if (filter.actor) actor_ = keyed_hash(info.hash_key, *filter.actor);
  }

  [[nodiscard]] const std::optional<Uuid>& actor() const { return actor_; }

  [[nodiscard]] bool matches(const StoredEvent& event) const {
    if (!filter_.kinds.empty() && !filter_.kinds.contains(event.kind)) return false;
    if (filter_.stream && event.stream != *filter_.stream) return false;
    if (actor_ && event.actor != *actor_) return false;
    const bool other_tenant = filter_.tenant && event.tenant != *filter_.tenant;
    const bool by_payload =
        other_tenant || filter_.user || filter_.channel || filter_.correlation_id;
    return !by_payload || matches_payload(event);
  }

 private:
  [[nodiscard]] bool matches_payload(const StoredEvent& event) const {
    const auto view = events::EventView::over(event.payload, events::Origin::kStored);
    if (filter_.tenant && event.tenant != *filter_.tenant && view.other_tenant() != filter_.tenant)
      return false;
    if (filter_.user && !view.concerns_user(*filter_.user)) return false;
    const auto facts = view.event();
    if (filter_.channel && *filter_.channel != facts.getChannel().cStr()) return false;
    return !filter_.correlation_id || *filter_.correlation_id == facts.getCorrelationId().cStr();
  }

  const LogFilter& filter_;
  std::optional<Uuid> actor_;
};

std::unique_ptr<BlockStream> open_blocks(const StorageReader& storage, events::Scope scope,
                                         const ScopeHead& end, const LogFilter& filter,
                                         const Matcher& matcher, Position through) {
  const auto indexed = [&](char kind, const Uuid& id) {
    return indexed_blocks(storage, scope, end, kind, id, filter.after, through, filter.reverse);
  };
  if (filter.stream) return indexed(keys::kStreamIndex, *filter.stream);
  if (filter.tenant) return indexed(keys::kTenantIndex, *filter.tenant);
  if (matcher.actor()) return indexed(keys::kActorIndex, *matcher.actor());
  return scan_blocks(storage, scope, filter.after, through, filter.reverse);
}

}  // namespace

void LogReader::read_after(Position after, Position through, const Visit& visit) const {
  const Position end = std::min(through, head_.tail);
  if (after >= end) return;
  std::vector<RecordStream> streams;
  for (const auto& [scope, scope_end] : head_.scopes) {
    if (scope_end.last <= after) continue;
    streams.emplace_back(scan_blocks(storage_, scope, after, end, false), after, end, false);
  }
  Position expected{after.value + 1};
  const bool finished = merge(streams, false, [&](const StoredEvent& event) {
    if (planted(Plant::kNoContinuity)) return visit(event);
    if (event.position != expected) gap(expected, event.position);
    ++expected.value;
    return visit(event);
  });
  const bool complete = expected.value == end.value + 1 || planted(Plant::kNoContinuity);
  if (finished && !complete) gap(expected, {end.value + 1});
}

void LogReader::read(const LogFilter& filter, const Visit& visit) const {
  const Position through = std::min(filter.through.value_or(head_.tail), head_.tail);
  if (filter.after >= through) return;
  const Matcher matcher(filter, info_);
  const auto visit_matching = [&](const StoredEvent& event) {
    return !matcher.matches(event) || visit(event);
  };
  const bool everything =
      !filter.scope && !filter.stream && !filter.tenant && !filter.actor && !filter.reverse;
  if (everything) {  // The path that checks every position.
    read_after(filter.after, through, visit_matching);
    return;
  }
  std::vector<RecordStream> streams;
  for (const auto& [scope, end] : head_.scopes) {
    if (filter.scope && *filter.scope != scope) continue;
    if (end.seq == 0) continue;
    streams.emplace_back(open_blocks(storage_, scope, end, filter, matcher, through), filter.after,
                         through, filter.reverse);
  }
  merge(streams, filter.reverse, visit_matching);
}

LogReader::Filter LogReader::filter(const LogFilter& filter) const {
  // Kept where it is: the matcher borrows it.
  const auto kept = std::make_shared<const LogFilter>(filter);
  return [kept, matcher = Matcher(*kept, info_)](const StoredEvent& event) {
    if (event.position <= kept->after) return false;
    if (kept->through && event.position > *kept->through) return false;
    return (!kept->scope || *kept->scope == event.scope) && matcher.matches(event);
  };
}

bool LogReader::read_one(Position position, const Visit& visit) const {
  if (position.value == 0 || position > head_.tail) return false;
  read_after({position.value - 1}, position, visit);
  return true;
}

Position LogReader::position_at(events::Timestamp time) const {
  if (head_.tail.value == 0) return {};
  if (time >= head_.last_recorded) return head_.tail;
  const auto cursor =
      storage_.cursor(Family::kIndex, std::string(1, keys::kTimeIndex),
                      keys::after_prefix(std::string(1, keys::kTimeIndex)), /*scan=*/false);
  cursor->seek_for_prev(keys::time_mark(time));
  if (!cursor->valid()) return {};  // The first event has a mark: `time` lies before it.
  Position last{read_le<std::uint64_t>(cursor->value(), 0)};
  read_after({last.value - 1}, head_.tail, [&](const StoredEvent& event) {
    if (event.recorded_at > time) return false;
    last = event.position;
    return true;
  });
  return last;
}

}  // namespace tenantry
