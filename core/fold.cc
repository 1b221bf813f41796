#include "core/fold.h"

#include <utility>

#include "core/event_source.h"

namespace tenantry {
namespace {

constexpr std::size_t kPendingMax = 20'000;
constexpr std::size_t kPendingBytesMax = std::size_t{1} << 20;

}  // namespace

void Fold::put_entry(std::string key, std::string value) {
  begins_with_.put(Family::kState, std::move(key), std::move(value));
  if (begins_with_.bytes() >= kPendingBytesMax) write();
}

void Fold::apply(const StoredEvent& event) {
  if (!begins_with_.empty()) write();
  require_payload(event);
  const auto view = events::EventView::over(event.payload, events::Origin::kStored);
  check_version(event, state_.apply(view, event.recorded_at, event.position));
  if (state_.pending() >= kPendingMax) write();
}

void Fold::write() {
  ChangeSet changes = std::exchange(begins_with_, {});
  state_.take_changes(changes, counters_);
  scratch_.write(changes);
}

const StorageReader& Fold::entries() {
  write();
  return scratch_.storage();
}

}  // namespace tenantry
