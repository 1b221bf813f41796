#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/ids.h"
#include "events/encoding.h"
#include "events/tables.h"

namespace tenantry {

// Where a row is found: its tenant (zero for a row of no tenant; a tenant's own row belongs to
// itself) and its id, in the 128-bit form of events::entity_key().
struct RowKey {
  events::Uuid tenant;
  events::Uuid id;
  auto operator<=>(const RowKey&) const = default;
};

struct StoredRow {
  RowKey key;
  Version version;                                     // Of the row's stream.
  Position last;                                       // The last event that changed it.
  std::string bytes;                                   // Canonical.
  events::Origin origin = events::Origin::kElsewhere;  // Of the bytes.
};

// The current rows, as deciders and readers see them: every accepted command's effects, also those
// of commands that are accepted but not durable yet when it is the writer's view. Lifetime: what is
// passed to a visitor is borrowed for the call. A visitor returns false to stop.
class StateView {
 public:
  virtual ~StateView() = default;

  [[nodiscard]] virtual std::optional<StoredRow> row(const events::TableInfo& table,
                                                     const RowKey& key) const = 0;
  // By id alone, whatever tenant the row belongs to.
  [[nodiscard]] virtual std::optional<StoredRow> row_by_id(const events::TableInfo& table,
                                                           const events::Uuid& id) const = 0;
  // Who holds a unique value; `value` comes from claim_value().
  [[nodiscard]] virtual std::optional<RowKey> claim_holder(const events::TableInfo& table,
                                                           const events::ClaimInfo& claim,
                                                           std::string_view value) const = 0;
  // All who hold it, in key order: of imported rows there may be several.
  [[nodiscard]] virtual std::vector<RowKey> claim_holders(const events::TableInfo& table,
                                                          const events::ClaimInfo& claim,
                                                          std::string_view value) const;
  // Rows in key order: all, or those of one tenant.
  virtual void scan_rows(const events::TableInfo& table, const std::optional<events::Uuid>& tenant,
                         const std::function<bool(const StoredRow&)>& visit) const = 0;
  // The same, behind a key; none for all.
  virtual void scan_rows_after(const events::TableInfo& table,
                               const std::optional<events::Uuid>& tenant,
                               const std::optional<RowKey>& after,
                               const std::function<bool(const StoredRow&)>& visit) const;
  // One row of the tenant of which `holds` is true, any of them; nullopt when there is none.
  [[nodiscard]] virtual std::optional<StoredRow> find_row(
      const events::TableInfo& table, const events::Uuid& tenant,
      const std::function<bool(const StoredRow&)>& holds) const;
  // Rows whose lookup column has a value in [first, last], by value, then key. Integers and times;
  // of a text its lookup_value().
  virtual void scan_lookup(const events::TableInfo& table, const events::LookupInfo& lookup,
                           std::int64_t first, std::int64_t last,
                           const std::function<bool(const RowKey&)>& visit) const = 0;
  // The largest integer id ever used in the table; 0 for none.
  [[nodiscard]] virtual std::int64_t largest_id(const events::TableInfo& table) const = 0;
  // Events in the stream of an entity, also of one that is gone.
  [[nodiscard]] virtual Version stream_version(const events::TableInfo& table,
                                               const events::Uuid& id) const = 0;
};

// The bytes under which a claim is held: each value in order, text folded where the claim says so.
// The values are those of the claim's columns. nullopt when one is NULL: nothing is claimed.
[[nodiscard]] std::optional<std::string> claim_value(const events::ClaimInfo& claim,
                                                     std::span<const events::Value> values);
// The same of what `row` claims; nullopt also for a row that the claim does not speak of.
[[nodiscard]] std::optional<std::string> claimed_by(const events::ClaimInfo& claim,
                                                    const events::RowValues& row);
// The claim of `table` over exactly these columns; it exists.
[[nodiscard]] const events::ClaimInfo& claim_on(const events::TableInfo& table,
                                                std::initializer_list<std::string_view> columns);
// The value under which rows with that text, in whatever ASCII case, are looked up. Rows with
// another text may share it.
[[nodiscard]] std::int64_t lookup_value(std::string_view text);
[[nodiscard]] const events::LookupInfo& lookup_on(const events::TableInfo& table,
                                                  std::string_view column);

}  // namespace tenantry
