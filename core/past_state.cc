#include "core/past_state.h"

#include <memory>

#include <fmt/format.h>

#include "core/error.h"
#include "core/fold.h"
#include "core/head.h"
#include "core/row_fold.h"

namespace tenantry {
namespace {

constexpr std::uint64_t kEventsPerProgress = 4096;

}  // namespace

RowsAt past_rows(const EventSource& log, const std::filesystem::path& scratch, Position position,
                 const Progress& progress) {
  const Position tail = log.tail().tail;
  if (position > tail) {
    throw UsageError("position_ahead", fmt::format("the log ends at position {}", tail.value));
  }
  const auto fold = std::make_shared<Fold>(scratch, position.value);
  const StoreIdentity identity = log.identity();
  Head past;
  past.incarnation = identity.incarnation;
  log.read_after({}, position, [&](const StoredEvent& event) {
    fold->apply(event);
    past.tail = event.position;
    past.last_recorded = event.recorded_at;
    past.scopes[event.scope].seq = event.scope_seq;
    past.scopes[event.scope].chain = event.chain_hash;
    if (progress && event.position.value % kEventsPerProgress == 0) {
      progress(event.position.value, position.value);
    }
    return true;
  });
  return {{past.tail, past.last_recorded, head_digest(identity.store, past)},
          {fold, &fold->state()}};
}

void fold_log_rows(const EventSource& log, const std::filesystem::path& scratch, Position through,
                   const std::function<bool(const StoredEvent&)>& seen,
                   const std::function<bool(const FoldedRow&)>& visit) {
  RowFold fold(scratch, through.value);
  bool goes_on = true;
  log.read_after({}, through, [&](const StoredEvent& event) {
    fold.take(event);
    return goes_on = seen(event);
  });
  if (goes_on) fold.fold(visit);
}

}  // namespace tenantry
