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

void RowHistory::Known::forget(const events::TableInfo& table) {
  row.emplace(table.columns.size());
  unknown.assign(table.columns.size(), true);
}

void RowHistory::Known::apply(const RowChange& change) {
  apply_change(row, change);
  if (change.effect == Effect::INSERT || change.effect == Effect::REMOVE) unknown.clear();
  if (change.effect != Effect::PATCH || unknown.empty()) return;
  for (const auto& [place, value] : change.columns) unknown[place] = false;
}

void RowHistory::add_changes(const Known& known, const RowChange& change,
                             std::vector<FieldChange>& changes) {
  const auto& columns = change.table->columns;
  if (change.effect == Effect::REMOVE) {
    for (std::size_t place = 0; known.row && place < columns.size(); ++place) {
      if (known.is_unknown(place)) {
        met_unknown_ = true;
      } else {
        add_change(columns[place], (*known.row)[place], events::Null{}, changes);
      }
    }
    return;
  }
  for (const auto& [place, value] : change.columns) {
    if (known.is_unknown(place) && change.effect == Effect::PATCH && !columns[place].stamp) {
      met_unknown_ = true;
      changes.push_back({&columns[place], events::Null{}, value, /*is_before_known=*/false});
      continue;
    }
    add_change(columns[place], known.row ? (*known.row)[place] : events::Value{}, value, changes);
  }
}

RowHistory::Known RowHistory::before(const StoredEvent& event,
                                     const events::TableInfo& table) const {
  const auto found = known_.find(event.stream);
  if (found != known_.end() && found->second.version.value + 1 == event.version.value) {
    return found->second;
  }
  Known known{{event.version.value - 1}, std::nullopt, {}};
  if (event.version.value <= 1) return known;
  LogFilter filter;
  filter.stream = event.stream;
  filter.through = Position{event.position.value - 1};
  std::uint64_t version = 0;
  store_.read_log(filter, [&](const StoredEvent& earlier) {
    events::EventView view = view_of(earlier);
    const bool is_gap = earlier.version.value != version + 1;
    version = earlier.version.value;
    if (is_gap || view.is_redacted()) known.forget(table);
    for (const RowChange& change : row_changes(view, earlier.recorded_at)) {
      if (change.table == &table) known.apply(change);
    }
    return true;
  });
  if (version + 1 != event.version.value) known.forget(table);
  return known;
}

std::vector<FieldChange> RowHistory::changes(const StoredEvent& event, events::EventView& view) {
  std::vector<FieldChange> changes;
  for (const RowChange& change : row_changes(view, event.recorded_at)) {
    Known known = before(event, *change.table);
    add_changes(known, change, changes);
    known.apply(change);
    known.version = event.version;
    if (known_.size() >= kKnownMax) known_.clear();
    known_[event.stream] = std::move(known);
  }
  return changes;
}

}  // namespace tenantry::tools
