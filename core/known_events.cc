#include "core/known_events.h"

#include "core/error.h"
#include "events/store_events.h"

namespace tenantry {

const StoredEvent* KnownEvents::take(const StoredEvent& event) {
  const auto begins = beginning_.scopes.find(event.scope);
  if (begins != beginning_.scopes.end() && event.scope_seq <= begins->second.seq) return nullptr;
  ++events_;
  if (beginning_.unknown.empty()) return &event;
  const events::KindInfo* const kind = events::find_kind(event.kind);
  if (kind == nullptr || kind->effect == events::Effect::NOTE) return &event;
  const bool from_unknown = is_unknown(event.tenant);
  if (events::may_have_other_tenant(*kind) && !is_redacted(event)) {
    const auto view = view_of(event, events::Origin::kStored);
    const bool to_unknown = view.other_tenant() && is_unknown(*view.other_tenant());
    const bool row_is_known = !from_unknown && !unknown_rows_.contains(event.stream);
    if (to_unknown) {
      unknown_rows_.erase(event.stream);
      if (!row_is_known) return nullptr;
      remove_row(event, view);
      return &removal_;
    }
    if (from_unknown && view.other_tenant()) unknown_rows_.insert(event.stream);
  }
  return from_unknown || unknown_rows_.contains(event.stream) ? nullptr : &event;
}

void KnownEvents::remove_row(const StoredEvent& event, const events::EventView& view) {
  removal_payload_ = events::domain_removed(view.entity(), view.tenant());
  removal_ = event;
  removal_.payload = removal_payload_;
}

}  // namespace tenantry
