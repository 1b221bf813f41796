#include "projections/sqlite/row_writer.h"

#include <algorithm>

#include "core/error.h"
#include "projections/sql_text.h"
#include "projections/sqlite/schema.h"
#include "projections/sqlite/values.h"

namespace tenantry::projections::sqlite {
namespace {

using events::Effect;
using events::TableInfo;
using events::Value;

constexpr std::size_t kColumnsMax = 63;  // What a set of columns has bits for.

std::uint64_t bit(std::size_t place) { return std::uint64_t{1} << place; }

[[noreturn]] void raise_conflict(const Connection& connection, const std::string& what) {
  throw UsageError("read_model_conflict", connection.path().string() + ": " + what,
                   "`tenantry verify` names the rows that differ, `tenantry rebuild` mends them",
                   4);
}

}  // namespace

std::string prefixed(const std::string& prefix, const TableInfo& table) {
  const auto dot = prefix.find('.') + 1;
  return prefix.substr(0, dot) + identifier(prefix.substr(dot) + table.name);
}

RowWriter::RowWriter(Connection& connection, std::string prefix)
    : connection_(connection), prefix_(std::move(prefix)), scratch_(kColumnsMax + 1) {
  for (const TableInfo& table : events::tables())
    TENANTRY_ASSERT(table.columns.size() <= kColumnsMax);
}

void RowWriter::insert(const TableInfo& table, std::span<const events::RowValues> rows) {
  const std::size_t count = table.columns.size();
  Statement& statement = prepared(table, Effect::INSERT, bit(count) - 1, rows.size());
  scratch_.resize(std::max(scratch_.size(), rows.size() * count));
  std::size_t parameter = 0;
  for (const events::RowValues& row : rows) {
    TENANTRY_ASSERT(row.size() == count);
    for (std::size_t place = 0; place < count; ++place, ++parameter) {
      bind_value(statement, static_cast<int>(parameter) + 1, table.columns[place], row[place],
                 scratch_[parameter]);
    }
  }
  try {
    statement.run();
  } catch (const ConstraintViolation& violation) {
    statement.reset();
    const auto id_of = [&](const events::RowValues& row) {
      return events::format_entity_id(table, events::entity_key(row[table.id_column]));
    };
    const std::string which = rows.size() == 1 ? "row with id " + id_of(rows.front())
                                               : "rows with ids from " + id_of(rows.front()) +
                                                     " to " + id_of(rows.back());
    raise_conflict(connection_,
                   table.name + " cannot take the new " + which + ": " + violation.what());
  }
}

void RowWriter::apply(const events::RowChange& change) {
  switch (change.effect) {
    case Effect::INSERT: {
      events::RowValues row(change.table->columns.size(), events::Null{});
      events::apply_patch(row, change);
      return insert(*change.table, {&row, 1});
    }
    case Effect::PATCH:
      return patch(change);
    case Effect::REMOVE:
      return remove(change);
    case Effect::RESERVE:
      return raise_sequence(connection_, *change.table, events::integer_id(change.id));
    case Effect::NOTE:  // Changes no row.
      return;
  }
}

void RowWriter::patch(const events::RowChange& change) {
  const TableInfo& table = *change.table;
  std::vector<const Value*> values(table.columns.size(), nullptr);
  std::uint64_t columns = 0;
  for (const auto& [place, value] : change.columns) {  // Named twice: the last counts.
    values[place] = &value;
    columns |= bit(place);
  }
  // Nothing but the key: the row must be there all the same.
  if (columns == 0) columns = bit(table.id_column);
  const Value id = events::id_value(table, change.id);
  Statement& statement = prepared(table, Effect::PATCH, columns);
  int parameter = 0;
  for (std::size_t place = 0; place < values.size(); ++place) {
    if ((columns & bit(place)) == 0) continue;
    const Value& value = values[place] == nullptr ? id : *values[place];
    bind_value(statement, ++parameter, table.columns[place], value, scratch_[place]);
  }
  bind_value(statement, ++parameter, table.columns[table.id_column], id, scratch_[kColumnsMax]);
  run(statement, table, events::format_entity_id(table, change.id));
}

void RowWriter::remove(const events::RowChange& change) {
  const TableInfo& table = *change.table;
  const Value id = events::id_value(table, change.id);
  Statement& statement = prepared(table, Effect::REMOVE, 0);
  bind_value(statement, 1, table.columns[table.id_column], id, scratch_.front());
  run(statement, table, events::format_entity_id(table, change.id));
}

void RowWriter::run(Statement& statement, const TableInfo& table, const std::string& id) {
  try {
    statement.run();
  } catch (const ConstraintViolation& violation) {
    statement.reset();
    raise_conflict(connection_,
                   table.name + " cannot change the row with id " + id + ": " + violation.what());
  }
  if (connection_.changes() != 1) {
    raise_conflict(connection_, table.name + " has no row with id " + id + " to change");
  }
}

Statement& RowWriter::prepared(const TableInfo& table, Effect effect, std::uint64_t columns,
                               std::size_t rows) {
  // A few dozen at most: as many as there are kinds of events.
  const auto found = std::ranges::find_if(prepared_, [&](const Prepared& known) {
    return known.table == &table && known.effect == effect && known.columns == columns &&
           known.rows == rows;
  });
  if (found != prepared_.end()) return found->statement;
  prepared_.push_back(
      {&table, effect, columns, rows, connection_.prepare(sql(table, effect, columns, rows))});
  return prepared_.back().statement;
}

std::string RowWriter::sql(const TableInfo& table, Effect effect, std::uint64_t columns,
                           std::size_t rows) const {
  const std::string name = prefixed(prefix_, table);
  const std::string where = " WHERE " + identifier(table.columns[table.id_column].name) + " = ?";
  if (effect == Effect::REMOVE) return "DELETE FROM " + name + where;
  if (effect == Effect::INSERT) {
    std::string row = "(?";
    for (std::size_t more = 1; more < table.columns.size(); ++more) row += ", ?";
    row += ')';
    std::string all = row;
    for (std::size_t more = 1; more < rows; ++more) all += ", " + row;
    return "INSERT INTO " + name + " (" + column_list(table) + ") VALUES " + all;
  }
  std::string list;
  for (std::size_t place = 0; place < table.columns.size(); ++place) {
    if ((columns & bit(place)) == 0) continue;
    list += (list.empty() ? "" : ", ") + identifier(table.columns[place].name) + " = ?";
  }
  return "UPDATE " + name + " SET " + list + where;
}

}  // namespace tenantry::projections::sqlite
