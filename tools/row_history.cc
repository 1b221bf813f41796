#include "tools/row_history.h"

namespace tenantry::tools {
namespace {

constexpr std::size_t kKnownMax = 4096;

using events::Effect;
using events::RowChange;
using events::RowValues;

void add_change(const events::ColumnInfo& column, const events::Value& before,
                const events::Value& after, std::vector<FieldChange>& changes) {
  if (!column.stamp && before != after) changes.push_back({&column, before, after});
}

void add_changes(const RowChange& change, const std::optional<RowValues>& row,
                 std::vector<FieldChange>& changes) {
  const auto& columns = change.table->columns;
  if (change.effect == Effect::REMOVE) {
    for (std::size_t place = 0; row && place < columns.size(); ++place) {
      add_change(columns[place], (*row)[place], events::Null{}, changes);
    }
    return;
  }
  for (const auto& [place, value] : change.columns) {
    const events::Value before = row ? (*row)[place] : events::Value{};
    add_change(columns[place], before, value, changes);
  }
}

}  // namespace

void apply_change(std::optional<RowValues>& row, const RowChange& change) {
  switch (change.effect) {
    case Effect::INSERT:
      row.emplace(change.table->columns.size());
      apply_patch(*row, change);
      break;
    case Effect::PATCH:
      if (row) apply_patch(*row, change);
      break;
    case Effect::REMOVE:
      row.reset();
      break;
    case Effect::RESERVE:
    case Effect::NOTE:
      break;
  }
}

RowHistory::Known RowHistory::before(const StoredEvent& event,
                                     const events::TableInfo& table) const {
  const auto known = known_.find(event.stream);
  if (known != known_.end() && known->second.version.value + 1 == event.version.value) {
    return known->second;
  }
  Known found{{event.version.value - 1}, std::nullopt, false};
  if (event.version.value <= 1) return found;
  LogFilter filter;
  filter.stream = event.stream;
  filter.through = Position{event.position.value - 1};
  store_.read_log(filter, [&](const StoredEvent& earlier) {
    events::EventView view = view_of(earlier);
    found.is_redacted = found.is_redacted || view.is_redacted();
    for (const RowChange& change : row_changes(view, earlier.recorded_at)) {
      if (change.table == &table) apply_change(found.row, change);
    }
    return true;
  });
  return found;
}

std::vector<FieldChange> RowHistory::changes(const StoredEvent& event, events::EventView& view) {
  std::vector<FieldChange> changes;
  for (const RowChange& change : row_changes(view, event.recorded_at)) {
    Known known = before(event, *change.table);
    if (!known.is_redacted) add_changes(change, known.row, changes);
    apply_change(known.row, change);
    known.version = event.version;
    if (known_.size() >= kKnownMax) known_.clear();
    known_[event.stream] = std::move(known);
  }
  return changes;
}

}  // namespace tenantry::tools
