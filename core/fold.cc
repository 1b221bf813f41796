#include "core/fold.h"

#include "core/event_source.h"

namespace tenantry {
namespace {

constexpr std::size_t kPendingMax = 20'000;

}  // namespace

void Fold::apply(const StoredEvent& event) {
  const auto view = events::EventView::over(event.payload, events::Origin::kStored);
  check_version(event, state_.apply(view, event.recorded_at, event.position));
  if (state_.pending() < kPendingMax) return;
  ChangeSet changes;
  state_.take_changes(changes, counters_);
  scratch_.write(changes);
}

}  // namespace tenantry
