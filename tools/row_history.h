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
  events::Value before;         // NULL where there was no row.
  events::Value after;          // NULL where there is none any more.
  bool is_before_known = true;  // Else the event that told was discarded or redacted.
};

// Finds what events replaced, by folding the streams of their entities. Reading events in order
// costs one fold a stream; memory is bounded.
class RowHistory {
 public:
  explicit RowHistory(const TenancyStore& store) : store_(store) {}

  // The columns that `event` changed, without those that only tell its time. `view` is the event's.
  [[nodiscard]] std::vector<FieldChange> changes(const StoredEvent& event, events::EventView& view);
  // Whether any of them were unknown before.
  [[nodiscard]] bool met_unknown() const { return met_unknown_; }

 private:
  // A row as the events that are left tell it.
  struct Known {
    Version version;                       // The stream's.
    std::optional<events::RowValues> row;  // None when there is none.
    std::vector<bool> unknown;             // Its columns that no event tells; empty: none.

    void forget(const events::TableInfo& table);
    void apply(const events::RowChange& change);
    [[nodiscard]] bool is_unknown(std::size_t place) const {
      return !unknown.empty() && unknown[place];
    }
  };

  void add_changes(const Known& known, const events::RowChange& change,
                   std::vector<FieldChange>& changes);

  // Before `event`.
  [[nodiscard]] Known before(const StoredEvent& event, const events::TableInfo& table) const;

  const TenancyStore& store_;
  std::map<events::Uuid, Known> known_;  // By stream.
  bool met_unknown_ = false;
};

// `row` after `change`.
void apply_change(std::optional<events::RowValues>& row, const events::RowChange& change);

}  // namespace tenantry::tools
