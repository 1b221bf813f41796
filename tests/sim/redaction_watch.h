#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/tenancy_store.h"

namespace tenantry::sim {

// What a redaction of one tenant may come to: the payloads of its events are gone, all of them, or
// all are there; everybody else's events, all that a chain covers, and the rows are what they were.
class RedactionWatch {
 public:
  // The store before it.
  RedactionWatch(const TenancyStore& store, const events::Uuid& tenant);

  // Whether it is done. What is wrong with the store afterwards is added to `wrong`, in words.
  [[nodiscard]] bool check(const TenancyStore& store, std::vector<std::string>& wrong) const;

 private:
  struct Event {
    Hash chain{};
    std::string payload;
    bool of_tenant = false;
    bool of_another = false;  // That has come from the tenant, or gone to it.
    bool redacted = false;
  };
  struct Seen {
    std::map<Position, Event> events;
    bool told = false;  // The log says that the tenant was redacted.
  };

  [[nodiscard]] Seen look(const TenancyStore& store) const;

  const events::Uuid tenant_;
  Seen before_;
  std::vector<std::string> rows_;
};

// The tenant of the first event that has one; none if there is no such event.
[[nodiscard]] std::optional<events::Uuid> first_tenant(const TenancyStore& store);

}  // namespace tenantry::sim
