#pragma once

#include <cstdint>
#include <set>
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
  // How many it was given that the beginning does not count.
  [[nodiscard]] std::uint64_t events() const { return events_; }

 private:
  [[nodiscard]] bool is_unknown(const events::Uuid& tenant) const {
    return beginning_.unknown.contains(tenant);
  }
  void remove_row(const StoredEvent& event, const events::EventView& view);

  const Beginning& beginning_;
  std::uint64_t events_ = 0;
  std::set<events::Uuid> unknown_rows_;  // Streams of those that came from an unknown tenant.
  StoredEvent removal_;
  std::string removal_payload_;
};

}  // namespace tenantry
