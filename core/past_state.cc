#include "core/past_state.h"

#include <algorithm>
#include <memory>
#include <string>

#include <fmt/format.h>

#include "core/error.h"
#include "core/fold.h"
#include "core/head.h"
#include "core/known_events.h"
#include "core/row_fold.h"

namespace tenantry {
namespace {

constexpr std::uint64_t kEventsPerProgress = 4096;

// The rows at `position` must follow from what is left.
void require_left(const Beginning& beginning, Position position) {
  if (position >= beginning.discarded) return;
  throw_history_discarded(
      fmt::format("a squash has discarded the events up to position {}: nobody knows the rows at "
                  "position {}",
                  beginning.discarded.value, position.value),
      "ask for that position or a later one");
}

// Whoever has begun must be able to go on.
void require_payload_still(const TenancyStore& log, const Beginning& beginning, Position position,
                           const StoredEvent& event) {
  if (!is_redacted(event) || log.read_beginning(position, {}) == beginning) return;
  throw_history_redacted("events were redacted meanwhile", "ask again");
}

// Every event that is left must have been met.
void require_all(const TenancyStore& log, const Beginning& beginning, std::uint64_t events,
                 Position position) {
  if (beginning.events() + events == position.value) return;
  if (log.read_beginning(position, {}) != beginning) {
    throw_history_discarded("a squash has discarded or redacted events meanwhile", "ask again");
  }
  throw CorruptionError(
      fmt::format("up to position {} the log gives {} events behind the {} that it begins with",
                  position.value, events, beginning.events()));
}

LogFilter left_until(Position position) {
  LogFilter filter;
  filter.through = position;
  return filter;
}

}  // namespace

PastFold fold_until(const TenancyStore& log, Fold& fold, Position position,
                    const std::function<void(const StoredEvent&)>& seen) {
  require_left(log.read_beginning(position, {}), position);
  const Beginning beginning =
      log.read_beginning(position, [&](std::string_view key, std::string_view value) {
        fold.put_entry(std::string(key), std::string(value));
        return true;
      });
  KnownEvents known(beginning);
  log.read_log(left_until(position), [&](const StoredEvent& event) {
    if (const StoredEvent* const taken = known.take(event)) {
      require_payload_still(log, beginning, position, *taken);
      fold.apply(*taken);
    }
    seen(event);
    return true;
  });
  require_all(log, beginning, known.events(), position);
  return {beginning, known.missing()};
}

RowsAt past_rows(const TenancyStore& log, const std::filesystem::path& scratch, Position position,
                 const Progress& progress) {
  const Position tail = log.tail().tail;
  if (position > tail) {
    throw UsageError("position_ahead", fmt::format("the log ends at position {}", tail.value));
  }
  const auto fold = std::make_shared<Fold>(scratch, position.value);
  const StoreIdentity identity = log.identity();
  Head past;
  past.incarnation = identity.incarnation;
  const PastFold begun = fold_until(log, *fold, position, [&](const StoredEvent& event) {
    past.tail = event.position;
    past.last_recorded = event.recorded_at;
    past.scopes[event.scope].seq = event.scope_seq;
    past.scopes[event.scope].chain = event.chain_hash;
    if (progress && event.position.value % kEventsPerProgress == 0) {
      progress(event.position.value, position.value);
    }
  });
  past.tail = std::max(past.tail, begun.beginning.last());
  for (const auto& [scope, point] : begun.beginning.scopes) {
    ScopeHead& end = past.scopes[scope];
    if (end.seq >= point.seq) continue;  // Events of it were met behind that.
    end.seq = point.seq;
    end.chain = point.chain;
  }
  return {{past.tail, past.last_recorded, head_digest(identity.store, past)},
          {fold, &fold->state()},
          begun.beginning.unknown,
          begun.missing};
}

void fold_log_rows(const TenancyStore& log, const std::filesystem::path& scratch, Position through,
                   const std::function<bool(const StoredEvent&)>& seen,
                   const std::function<bool(const FoldedRow&)>& visit) {
  RowFold fold(scratch, through.value);
  const Beginning begins = log.read_beginning(through, {});
  require_left(begins, through);
  const Beginning beginning =
      log.read_beginning(through, [&](std::string_view key, std::string_view value) {
        fold.take_entry(key, value);
        return true;
      });
  require_all_known({{}, nullptr, beginning.unknown});
  KnownEvents known(beginning);
  bool goes_on = true;
  log.read_log(left_until(through), [&](const StoredEvent& event) {
    if (const StoredEvent* const taken = known.take(event)) {
      require_payload_still(log, beginning, through, *taken);
      fold.take(*taken);
    }
    return goes_on = seen(event);
  });
  if (!goes_on) return;
  require_all(log, beginning, known.events(), through);
  fold.fold(visit);
}

}  // namespace tenantry
