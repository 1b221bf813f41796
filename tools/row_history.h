#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/tenancy_store.h"
#include "events/kinds.h"

namespace tenantry::tools {

// What one event changed in a column.
struct FieldChange {
  const events::ColumnInfo* column = nullptr;
  events::Value before;  // NULL where there was no row.
  events::Value after;   // NULL where there is none any more.
};

// Finds what events replaced, by folding the streams of their entities. Reading events in order
// costs one fold a stream; memory is bounded.
class RowHistory {
 public:
  explicit RowHistory(const TenancyStore& store) : store_(store) {}

  // The columns that `event` changed, without those that only tell its time. `view` is the event's.
  // None where a redaction leaves unknown what they were before.
  [[nodiscard]] std::vector<FieldChange> changes(const StoredEvent& event, events::EventView& view);

 private:
  struct Known {
    Version version;                       // The stream's.
    std::optional<events::RowValues> row;  // None when there is none.
    bool is_redacted = false;              // Nobody knows.
  };

  // Before `event`.
  [[nodiscard]] Known before(const StoredEvent& event, const events::TableInfo& table) const;

  const TenancyStore& store_;
  std::map<events::Uuid, Known> known_;  // By stream.
};

// `row` after `change`.
void apply_change(std::optional<events::RowValues>& row, const events::RowChange& change);

}  // namespace tenantry::tools
