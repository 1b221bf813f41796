#include "tests/sim/redaction_watch.h"

#include <fmt/format.h>

#include "core/record.h"
#include "events/kinds.h"
#include "events/tables.h"

namespace tenantry::sim {
namespace {

std::vector<std::string> bytes_of_rows(const TenancyStore& store) {
  std::vector<std::string> rows;
  const RowsAt now = store.rows_now();
  for (const events::TableInfo& table : events::tables()) {
    now.rows->scan_rows(table, std::nullopt, [&](const StoredRow& row) {
      rows.push_back(table.name + events::format_uuid(row.key.id) + row.bytes);
      return true;
    });
  }
  return rows;
}

}  // namespace

RedactionWatch::RedactionWatch(const TenancyStore& store, const events::Uuid& tenant)
    : tenant_(tenant), before_(look(store)), rows_(bytes_of_rows(store)) {}

RedactionWatch::Seen RedactionWatch::look(const TenancyStore& store) const {
  const std::uint32_t told = events::find_kind("TenantRedacted")->number;
  Seen seen;
  store.read_log({}, [&](const StoredEvent& stored) {
    Event event;
    event.chain = stored.chain_hash;
    event.payload = stored.payload;
    event.of_tenant = stored.tenant == tenant_;
    event.redacted = is_redacted(stored);
    if (stored.kind == told) {
      seen.told = true;
      event.of_tenant = false;  // It speaks of it, and is the store's.
    } else if (!event.redacted) {
      event.of_another = view_of(stored).other_tenant().has_value();
    }
    seen.events.emplace(stored.position, std::move(event));
    return true;
  });
  return seen;
}

bool RedactionWatch::check(const TenancyStore& store, std::vector<std::string>& wrong) const {
  const Seen now = look(store);
  std::uint64_t taken = 0;
  for (const auto& [position, before] : before_.events) {
    const auto found = now.events.find(position);
    if (found == now.events.end() || found->second.chain != before.chain) {
      wrong.push_back(fmt::format("event {} is not what it was", position.value));
      continue;
    }
    const bool goes = now.told && before.of_tenant && !before.of_another;
    if (found->second.redacted != goes) {
      wrong.push_back(fmt::format("event {} {} its payload though the log says {}", position.value,
                                  goes ? "has" : "lacks",
                                  now.told ? "that it was taken" : "nothing of that"));
    } else if (!goes && found->second.payload != before.payload) {
      wrong.push_back(fmt::format("event {} has another payload", position.value));
    }
    if (goes) ++taken;
  }
  if (now.told && taken == 0) wrong.emplace_back("a redaction has taken nothing");
  if (bytes_of_rows(store) != rows_) wrong.emplace_back("a redaction has changed rows");
  return now.told;
}

std::optional<events::Uuid> first_tenant(const TenancyStore& store) {
  std::optional<events::Uuid> tenant;
  store.read_log({}, [&](const StoredEvent& event) {
    if (event.tenant != events::Uuid{}) tenant = event.tenant;
    return !tenant;
  });
  return tenant;
}

}  // namespace tenantry::sim
