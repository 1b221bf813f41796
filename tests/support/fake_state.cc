#include "tests/support/fake_state.h"

#include <algorithm>
#include <set>
#include <stdexcept>

namespace tenantry {
namespace {

using events::ClaimInfo;
using events::LookupInfo;
using events::RowValues;
using events::TableInfo;
using events::Uuid;
using events::Value;

bool meets(const RowValues& row, const std::optional<std::size_t>& column,
           const std::string& value) {
  return !column || row[*column] == Value(value);
}

std::optional<std::string> claimed(const ClaimInfo& claim, const RowValues& row) {
  if (!meets(row, claim.where_column, claim.where_value)) return std::nullopt;
  std::vector<Value> values;
  for (const std::size_t column : claim.columns) values.push_back(row[column]);
  return claim_value(claim, values);
}

std::optional<std::int64_t> looked_up(const LookupInfo& lookup, const RowValues& row) {
  if (!meets(row, lookup.where_column, lookup.where_value)) return std::nullopt;
  const Value& value = row[lookup.column];
  if (const auto* number = std::get_if<std::int64_t>(&value)) return *number;
  if (const auto* time = std::get_if<events::Timestamp>(&value)) return time->micros;
  const auto* text = std::get_if<std::string>(&value);
  if (text != nullptr && !text->empty()) return lookup_value(*text);
  return std::nullopt;
}

RowKey key_of(const TableInfo& table, const RowValues& row) {
  RowKey key;
  key.id = events::entity_key(row[table.id_column]);
  if (table.owner_column) key.tenant = std::get<Uuid>(row[*table.owner_column]);
  return key;
}

}  // namespace

void FakeState::apply(std::string_view event, events::Timestamp recorded_at) {
  events::EventView view(event);
  ++tail_;
  ++tables_[view.kind().table->name].versions[view.entity()].value;
  for (const events::RowChange& change : events::row_changes(view, recorded_at)) apply(change);
}

void FakeState::apply(const events::RowChange& change) {
  Table& table = tables_[change.table->name];
  if (change.effect == events::Effect::RESERVE) {
    table.largest_id = std::max(table.largest_id, events::integer_id(change.id));
    return;
  }
  const auto at = std::find_if(table.rows.begin(), table.rows.end(),
                               [&](const auto& row) { return row.first.id == change.id; });
  const bool insert = change.effect == events::Effect::INSERT;
  if (insert != (at == table.rows.end())) {
    throw std::logic_error("the event does not fit the rows of " + change.table->name);
  }
  RowValues values(change.table->columns.size(), events::Null{});
  if (!insert) {
    if (at->first.tenant != change.tenant) {
      throw std::logic_error("the event names another tenant than the row of " +
                             change.table->name);
    }
    values = at->second.values;
    table.rows.erase(at);
    if (change.effect == events::Effect::REMOVE) return;
  }
  events::apply_patch(values, change);
  const RowKey key = key_of(*change.table, values);
  if (change.table->integer_ids) {
    table.largest_id = std::max(table.largest_id, events::integer_id(key.id));
  }
  table.rows[key] = {Position{tail_}, std::move(values)};
}

std::vector<std::string> FakeState::breaches() const {
  std::vector<std::string> found;
  for (const TableInfo& info : events::tables()) {
    add_double_claims(info, found);
    add_lost_references(info, found);
  }
  return found;
}

void FakeState::add_double_claims(const TableInfo& info, std::vector<std::string>& found) const {
  std::set<std::pair<int, std::string>> seen;
  for (const auto& [key, row] : table_named(info.name).rows) {
    for (const ClaimInfo& claim : info.claims) {
      const auto value = claimed(claim, row.values);
      if (value && !seen.emplace(claim.number, *value).second) {
        found.push_back("claim " + std::to_string(claim.number) + " of " + info.name);
      }
    }
  }
}

void FakeState::add_lost_references(const TableInfo& info, std::vector<std::string>& found) const {
  for (const auto& [key, row] : table_named(info.name).rows) {
    for (std::size_t place = 0; place < info.columns.size(); ++place) {
      const std::string& target = info.columns[place].references;
      const Value& value = row.values[place];
      if (target.empty() || std::holds_alternative<events::Null>(value)) continue;
      if (!row_by_id(*events::find_table(target), events::entity_key(value))) {
        found.push_back(info.name + "." + info.columns[place].name + " points nowhere");
      }
    }
  }
}

std::optional<StoredRow> FakeState::row(const TableInfo& table, const RowKey& key) const {
  const auto& rows = table_named(table.name).rows;
  const auto at = rows.find(key);
  if (at == rows.end()) return std::nullopt;
  return stored(table, key, at->second);
}

std::optional<StoredRow> FakeState::row_by_id(const TableInfo& table, const Uuid& id) const {
  for (const auto& [key, row] : table_named(table.name).rows) {
    if (key.id == id) return stored(table, key, row);
  }
  return std::nullopt;
}

std::optional<RowKey> FakeState::claim_holder(const TableInfo& table, const ClaimInfo& claim,
                                              std::string_view value) const {
  for (const auto& [key, row] : table_named(table.name).rows) {
    if (claimed(claim, row.values) == value) return key;
  }
  return std::nullopt;
}

void FakeState::scan_rows(const TableInfo& table, const std::optional<Uuid>& tenant,
                          const std::function<bool(const StoredRow&)>& visit) const {
  for (const auto& [key, row] : table_named(table.name).rows) {
    if (tenant && key.tenant != *tenant) continue;
    if (!visit(stored(table, key, row))) return;
  }
}

void FakeState::scan_lookup(const TableInfo& table, const LookupInfo& lookup, std::int64_t first,
                            std::int64_t last,
                            const std::function<bool(const RowKey&)>& visit) const {
  std::set<std::pair<std::int64_t, RowKey>> hits;
  for (const auto& [key, row] : table_named(table.name).rows) {
    const auto value = looked_up(lookup, row.values);
    if (value && *value >= first && *value <= last) hits.emplace(*value, key);
  }
  for (const auto& hit : hits) {
    if (!visit(hit.second)) return;
  }
}

std::int64_t FakeState::largest_id(const TableInfo& table) const {
  return table_named(table.name).largest_id;
}

Version FakeState::stream_version(const TableInfo& table, const Uuid& id) const {
  const auto& versions = table_named(table.name).versions;
  const auto at = versions.find(id);
  return at == versions.end() ? Version{} : at->second;
}

RowValues FakeState::values(const TableInfo& table, const Uuid& id) const {
  for (const auto& [key, row] : table_named(table.name).rows) {
    if (key.id == id) return row.values;
  }
  return {};
}

const FakeState::Table& FakeState::table_named(const std::string& name) const {
  static const Table kNone;
  const auto at = tables_.find(name);
  return at == tables_.end() ? kNone : at->second;
}

StoredRow FakeState::stored(const TableInfo& table, const RowKey& key, const Row& row) const {
  return {key, stream_version(table, key.id), row.last, events::encode_row(table, row.values)};
}

}  // namespace tenantry
