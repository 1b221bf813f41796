#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "core/tenancy_store.h"

namespace tenantry {

// The events that a fold takes, of all that there are up to its end: none that its beginning counts
// already, and none about a row of a tenant that is not known. Threads: one.
class KnownEvents {
 public:
  // `beginning` is borrowed.
  explicit KnownEvents(const Beginning& beginning) : beginning_(beginning) {}

  // The events in order, as the log has them. Null for one that the fold does not take; else what
  // it takes, valid until the next call. A row that goes to an unknown tenant is removed.
  [[nodiscard]] const StoredEvent* take(const StoredEvent& event);
  // Rows of known tenants, by stream, that came from an unknown one; whose they are.
  [[nodiscard]] const std::map<events::Uuid, events::Uuid>& missing() const { return missing_; }
  // How many it was given that the beginning does not count.
  [[nodiscard]] std::uint64_t events() const { return events_; }

 private:
  [[nodiscard]] bool is_unknown(const events::Uuid& tenant) const {
    return beginning_.unknown.contains(tenant);
  }
  [[nodiscard]] const StoredEvent* move(const StoredEvent& event, const events::EventView& view,
                                        const events::Uuid& to, bool is_missing);
  void remove_row(const StoredEvent& event, const events::EventView& view);

  const Beginning& beginning_;
  std::uint64_t events_ = 0;
  std::map<events::Uuid, events::Uuid> missing_;
  StoredEvent removal_;
  std::string removal_payload_;
};

}  // namespace tenantry
