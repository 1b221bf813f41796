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
  const bool is_missing = missing_.contains(event.stream);
  if (events::may_have_other_tenant(*kind) && !is_redacted(event)) {
    const auto view = view_of(event, events::Origin::kStored);
    if (view.other_tenant()) return move(event, view, *view.other_tenant(), is_missing);
  }
  if (!is_missing) return is_unknown(event.tenant) ? nullptr : &event;
  if (kind->effect == events::Effect::REMOVE) missing_.erase(event.stream);
  return nullptr;
}

const StoredEvent* KnownEvents::move(const StoredEvent& event, const events::EventView& view,
                                     const events::Uuid& to, bool is_missing) {
  const bool is_known = !is_missing && !is_unknown(event.tenant);
  if (!is_unknown(to)) {
    if (is_known) return &event;
    missing_[event.stream] = to;
    return nullptr;
  }
  missing_.erase(event.stream);
  if (!is_known) return nullptr;
  remove_row(event, view);
  return &removal_;
}

void KnownEvents::remove_row(const StoredEvent& event, const events::EventView& view) {
  removal_payload_ = events::domain_removed(view.entity(), view.tenant());
  removal_ = event;
  removal_.payload = removal_payload_;
}

}  // namespace tenantry
