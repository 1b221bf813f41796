#include "tests/sim/plain_model.h"

#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "events/encoding.h"

namespace tenantry::sim {
namespace {

using events::TableInfo;
using events::Value;

std::string text_of(const Value& value) {
  struct Print {
    std::string operator()(const events::Null& /*value*/) const { return "NULL"; }
    std::string operator()(bool value) const { return value ? "true" : "false"; }
    std::string operator()(std::int64_t value) const { return std::to_string(value); }
    std::string operator()(const events::Timestamp& value) const {
      return events::format_timestamp(value);
    }
    std::string operator()(const events::Uuid& value) const { return events::format_uuid(value); }
    std::string operator()(const std::string& value) const { return "'" + value + "'"; }
  };
  return std::visit(Print{}, value);
}

std::string fold_case(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

void compare_tables(const TableInfo& table, const PlainModel::Rows& expected,
                    const PlainModel::Rows& found, bool all_columns,
                    std::vector<std::string>& wrong) {
  const auto name = [&](const events::Uuid& id) {
    return table.name + " " + events::format_entity_id(table, id);
  };
  for (const auto& [id, row] : expected) {
    const auto other = found.find(id);
    if (other == found.end()) {
      wrong.push_back(name(id) + " is missing");
      continue;
    }
    for (std::size_t column = 0; column < row.size(); ++column) {
      if (row[column] == other->second[column]) continue;
      if (table.columns[column].application_owned && !all_columns) continue;
      wrong.push_back(fmt::format("{} has {} {} instead of {}", name(id),
                                  table.columns[column].name, text_of(other->second[column]),
                                  text_of(row[column])));
    }
  }
  for (const auto& [id, row] : found) {
    if (!expected.contains(id)) wrong.push_back(name(id) + " should not be there");
  }
}

// What the row claims, in words; empty for nothing.
std::string claimed(const events::ClaimInfo& claim, const events::RowValues& row) {
  if (claim.where_column && text_of(row[*claim.where_column]) != claim.where_value &&
      text_of(row[*claim.where_column]) != "'" + claim.where_value + "'") {
    return {};
  }
  std::string words;
  for (const std::size_t column : claim.columns) {
    if (std::holds_alternative<events::Null>(row[column])) return {};
    words += text_of(row[column]) + " ";
  }
  return claim.fold ? fold_case(words) : words;
}

}  // namespace

void PlainModel::fold(Tables& tables, const Known& event) {
  const events::EventView view(event.payload, events::Origin::kStored);
  for (const events::RowChange& change : events::row_changes(view, event.recorded_at)) {
    Rows& rows = tables[change.table];
    switch (change.effect) {
      case events::Effect::INSERT:
        rows[change.id] = events::RowValues(change.table->columns.size());
        events::apply_patch(rows[change.id], change);
        break;
      case events::Effect::REMOVE:
        rows.erase(change.id);
        break;
      case events::Effect::RESERVE:
        break;
      default:
        events::apply_patch(rows.at(change.id), change);
    }
  }
}

PlainModel::Tables PlainModel::rows_at(Position position) const {
  Tables tables;
  for (const TableInfo& table : events::tables()) tables[&table];
  for (std::size_t n = 0; n < position.value; ++n) fold(tables, known_[n]);
  return tables;
}

void PlainModel::forget_after(Position position) {
  known_.resize(std::min<std::size_t>(known_.size(), position.value));
}

std::vector<std::string> PlainModel::compare_log(const EventSource& store) {
  std::vector<std::string> wrong;
  const Position tail = store.tail().tail;
  if (tail < Position{known_.size()}) {
    wrong.push_back(fmt::format("the log ends at {}, {} was known", tail.value, known_.size()));
    return wrong;
  }
  std::uint64_t next = 1;
  store.read_after({}, tail, [&](const StoredEvent& event) {
    const Known found{std::string(event.payload), event.recorded_at,      event.command,
                      event.index_in_command,     event.count_in_command, event.chain_hash};
    if (event.position.value != next) {
      wrong.push_back(fmt::format("position {} where {} should be", event.position.value, next));
      return false;
    }
    if (next <= known_.size()) {
      if (found != known_[next - 1]) wrong.push_back(fmt::format("event {} has changed", next));
    } else {
      if (!known_.empty() && found.recorded_at < known_.back().recorded_at) {
        wrong.push_back(fmt::format("event {} is older than the one before it", next));
      }
      known_.push_back(found);
    }
    ++next;
    return true;
  });
  if (next != tail.value + 1) {
    wrong.push_back(fmt::format("a scan ends at {} of {} events", next - 1, tail.value));
  }
  // Of a command all events are there, or none.
  for (std::size_t n = 0; n < known_.size(); ++n) {
    const Known& event = known_[n];
    const std::size_t last = n + event.count - event.index - 1;
    if (event.index >= event.count || last >= known_.size() ||
        known_[last].index + 1 != event.count || known_[last].command != event.command) {
      wrong.push_back(fmt::format("the command of event {} is there in part", n + 1));
    }
  }
  return wrong;
}

std::vector<std::string> PlainModel::compare_state(const StateView& state) const {
  Tables found;
  for (const TableInfo& table : events::tables()) {
    Rows& rows = found[&table];
    state.scan_rows(table, std::nullopt, [&](const StoredRow& row) {
      rows[row.key.id] = events::decode_row(table, row.bytes);
      return true;
    });
  }
  return compare_rows(tail(), found, /*all_columns=*/true);
}

std::vector<std::string> PlainModel::compare_rows(Position position, const Tables& found,
                                                  bool all_columns) const {
  std::vector<std::string> wrong;
  const Tables expected = rows_at(position);
  for (const TableInfo& table : events::tables()) {
    compare_tables(table, expected.at(&table), found.at(&table), all_columns, wrong);
  }
  return wrong;
}

std::vector<std::string> PlainModel::broken_rules() const {
  std::vector<std::string> wrong;
  const Tables tables = rows_at(tail());
  for (const auto& [table, rows] : tables) {
    std::set<std::string> taken;
    for (const auto& [id, row] : rows) {
      for (const events::ClaimInfo& claim : table->claims) {
        const std::string words = claimed(claim, row);
        if (words.empty()) continue;
        if (!taken.insert(std::to_string(claim.number) + " " + words).second) {
          wrong.push_back(fmt::format("{} {}: {} is taken twice", table->name, claim.code, words));
        }
      }
      for (std::size_t column = 0; column < row.size(); ++column) {
        const TableInfo* other = events::find_table(table->columns[column].references);
        if (other == nullptr || std::holds_alternative<events::Null>(row[column])) continue;
        if (tables.at(other).contains(events::entity_key(row[column]))) continue;
        wrong.push_back(fmt::format("{}.{} refers to {}, which is not there", table->name,
                                    table->columns[column].name, text_of(row[column])));
      }
    }
  }
  return wrong;
}

}  // namespace tenantry::sim
