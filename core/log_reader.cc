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
    // A later block may begin with what was given already: an archive's are others than the log's.
    (reverse_ ? through_ : after_) = {current()->position.value - (reverse_ ? 1 : 0)};
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
  Position after_;    // What is left to be given: behind this one,
  Position through_;  // up to this one.
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
    const auto view = view_of(event, events::Origin::kStored);
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

// The index that has what a filter asks for, if there is one.
std::optional<IndexedBy> index_for(const LogFilter& filter, const Matcher& matcher) {
  if (filter.stream) return IndexedBy{keys::kStreamIndex, *filter.stream};
  if (filter.tenant) return IndexedBy{keys::kTenantIndex, *filter.tenant};
  if (matcher.actor()) return IndexedBy{keys::kActorIndex, *matcher.actor()};
  return std::nullopt;
}

[[noreturn]] void redacted_meanwhile() {
  throw_history_redacted("events were redacted meanwhile", "ask again");
}

void require_complete(const Catalogue& catalogue, Position after) {
  const Position complete = catalogue.complete_after();
  if (after >= complete) return;
  const Position discarded = catalogue.discarded();
  if (after >= discarded) {
    throw_history_redacted(
        fmt::format(
            "events of a tenant were redacted, up to position {}: what some of those behind "
            "position {} did is not known any more",
            complete.value, after.value),
        "ask for what lies behind it; a read model that is behind is brought up by `tenantry "
        "rebuild`");
  }
  throw_history_discarded(
      fmt::format("a squash has discarded events up to position {}: of those behind position {} "
                  "not all are left",
                  discarded.value, after.value),
      "ask for what lies behind it; a read model that is behind is brought up by `tenantry "
      "rebuild`");
}

}  // namespace

void LogReader::read_after(Position after, Position through, const Visit& visit) const {
  if (after < std::min(through, head_.tail)) require_complete(*history_.now(), after);
  read_gapless(after, through, [&](const StoredEvent& event) {
    if (is_redacted(event)) redacted_meanwhile();
    return visit(event);
  });
}

void LogReader::read_gapless(Position after, Position through, const Visit& visit) const {
  const Position end = std::min(through, head_.tail);
  if (after >= end) return;
  std::vector<RecordStream> streams;
  for (const auto& [scope, scope_end] : head_.scopes) {
    if (scope_end.last <= after) continue;
    streams.emplace_back(
        history_blocks(storage_, history_, scope, std::nullopt, after, end, /*reverse=*/false),
        after, end, false);
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
    if (!matcher.matches(event)) return true;
    if (filter.whole && is_redacted(event)) redacted_meanwhile();
    return visit(event);
  };
  const std::shared_ptr<const Catalogue> catalogue = history_.now();
  if (filter.whole) require_complete(*catalogue, filter.after);
  const bool everything = !filter.scope && !filter.stream && !filter.tenant && !filter.actor &&
                          !filter.reverse && !filter.live_only &&
                          filter.after >= catalogue->discarded();
  if (everything) {  // The path that checks every position.
    read_gapless(filter.after, through, visit_matching);
    return;
  }
  std::vector<RecordStream> streams;
  for (const auto& [scope, end] : head_.scopes) {
    if (filter.scope && *filter.scope != scope) continue;
    if (end.seq == 0) continue;
    const Position base = catalogue->of(scope).base.base.position;
    const Position after = filter.live_only ? std::max(filter.after, base) : filter.after;
    streams.emplace_back(history_blocks(storage_, history_, scope, index_for(filter, matcher),
                                        after, through, filter.reverse),
                         after, through, filter.reverse);
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
  LogFilter filter;
  filter.after = {position.value - 1};
  filter.through = position;
  bool found = false;
  read(filter, [&](const StoredEvent& event) {
    found = true;
    return visit(event);
  });
  return found;
}

namespace {

// What a fold of the scope up to `through` begins with; null for nothing. Tenants of which it knows
// nothing are added to `unknown`.
const Snapshot* first_state(events::Scope scope, const ScopeCatalogue& catalogue, Position through,
                            std::map<events::Uuid, Position>& unknown) {
  if (!catalogue.redactions.empty()) {
    const Snapshot* const known = catalogue.known_from();
    if (known == nullptr) {
      throw CorruptionError(fmt::format("scope {}: there is no snapshot of what was redacted",
                                        events::scope_name(scope)));
    }
    if (known->at.position <= through) return known;
    for (const Redaction& redaction : catalogue.redactions) {
      Position& from = unknown[redaction.tenant];
      from = std::max(from, known->at.position);
    }
  }
  const ScopePoint& discarded = catalogue.base.discarded;
  if (discarded.seq == 0) return nullptr;
  const auto snapshot = std::ranges::find(catalogue.snapshots, discarded, &Snapshot::at);
  if (snapshot != catalogue.snapshots.end()) return &*snapshot;
  throw CorruptionError(fmt::format("scope {}: there is no snapshot of what was discarded",
                                    events::scope_name(scope)));
}

}  // namespace

Beginning LogReader::read_beginning(Position through, const VisitEntry& visit) const {
  Beginning beginning;
  std::vector<std::shared_ptr<const SegmentReader>> states;
  for (std::shared_ptr<const Catalogue> catalogue; catalogue != history_.now();) {
    catalogue = history_.now();  // None of its files was removed before it was opened.
    beginning = {};
    states.clear();
    beginning.discarded = catalogue->discarded();
    beginning.complete_after = catalogue->complete_after();
    for (const auto& [scope, of_scope] : catalogue->scopes) {
      const Snapshot* const snapshot = first_state(scope, of_scope, through, beginning.unknown);
      if (snapshot == nullptr) continue;
      beginning.scopes[scope] = snapshot->at;
      try {
        states.push_back(history_.open(*snapshot));
      } catch (const CorruptionError&) {
        if (catalogue == history_.now()) throw;
      }
    }
  }
  bool goes_on = static_cast<bool>(visit);
  for (const auto& reader : states) {
    for (std::size_t block = 0; goes_on && block < reader->blocks().size(); ++block) {
      goes_on = reader->visit_entries(block, visit);
    }
  }
  return beginning;
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
  LogFilter behind;
  behind.after = {last.value - 1};
  read(behind, [&](const StoredEvent& event) {
    if (event.recorded_at > time) return false;
    last = event.position;
    return true;
  });
  return last;
}

}  // namespace tenantry
