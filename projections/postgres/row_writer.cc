#include "projections/postgres/row_writer.h"

#include <algorithm>

#include "core/error.h"
#include "projections/postgres/maintenance.h"
#include "projections/postgres/schema.h"
#include "projections/postgres/values.h"

namespace tenantry::projections::postgres {
namespace {

using events::Effect;
using events::TableInfo;
using events::Value;

constexpr std::size_t kColumnsMax = 63;  // What a set of columns has bits for.
// Answers are read after so many statements or bytes: the server never has more to say than the
// buffers between us hold, so that neither side waits for the other.
constexpr std::size_t kPendingMax = 256;
constexpr std::size_t kUnsentMax = std::size_t{1} << 20;
constexpr std::size_t kNull = static_cast<std::size_t>(-1);

std::uint64_t bit(std::size_t place) { return std::uint64_t{1} << place; }

}  // namespace

RowWriter::RowWriter(Connection& connection, std::function<std::string(const TableInfo&)> name_of)
    : connection_(connection), name_of_(std::move(name_of)) {
  for (const TableInfo& table : events::tables())
    TENANTRY_ASSERT(table.columns.size() <= kColumnsMax);
}

void RowWriter::apply(const events::RowChange& change) {
  const TableInfo& table = *change.table;
  gather(change);
  std::uint64_t columns = 0;
  switch (change.effect) {
    case Effect::INSERT:
      columns = bit(table.columns.size()) - 1;
      if (table.integer_ids) note_id(change);
      break;
    case Effect::PATCH:
      for (std::size_t place = 0; place < values_.size(); ++place) {
        if (values_[place] != nullptr) columns |= bit(place);
      }
      break;
    case Effect::REMOVE:
      break;
    case Effect::RESERVE:
      return note_id(change);
  }
  send(table, change.effect, columns, change.id);
}

void RowWriter::note_id(const events::RowChange& change) {
  std::int64_t& largest = largest_ids_[change.table];
  largest = std::max(largest, events::integer_id(change.id));
}

// Named twice: the last counts.
void RowWriter::gather(const events::RowChange& change) {
  values_.assign(change.table->columns.size(), nullptr);
  for (const auto& [place, value] : change.columns) values_[place] = &value;
}

void RowWriter::send(const TableInfo& table, Effect effect, std::uint64_t columns,
                     const events::Uuid& id) {
  if (!piping_) {
    connection_.enter_pipeline();
    piping_ = true;
  }
  const Prepared& statement = prepared(table, effect, columns);
  bytes_.clear();
  ends_.clear();
  const auto add = [&](std::size_t place, const Value* value) {
    if (value == nullptr || std::holds_alternative<events::Null>(*value)) {
      return ends_.push_back(kNull);
    }
    append_binary(bytes_, table.columns[place], *value);
    ends_.push_back(bytes_.size());
  };
  for (std::size_t place = 0; place < table.columns.size(); ++place) {
    if ((columns & bit(place)) != 0) add(place, values_[place]);
  }
  const Value key = events::id_value(table, id);
  if (effect != Effect::INSERT) add(table.id_column, &key);
  std::vector<BinaryParameter> parameters;
  parameters.reserve(ends_.size());
  std::size_t begin = 0;
  for (const std::size_t end : ends_) {
    if (end == kNull) {
      parameters.emplace_back();
      continue;
    }
    parameters.emplace_back(std::string_view(bytes_).substr(begin, end - begin));
    begin = end;
  }
  connection_.send(statement.name, parameters);
  pending_.push_back({&table, effect, id});
  unsent_bytes_ += bytes_.size();
  if (pending_.size() >= kPendingMax || unsent_bytes_ >= kUnsentMax) drain();
}

void RowWriter::drain() {
  connection_.sync();
  for (const Pending& pending : pending_) receive(pending);
  connection_.receive_sync();
  pending_.clear();
  unsent_bytes_ = 0;
}

void RowWriter::flush() {
  if (!piping_) return;
  drain();
  connection_.leave_pipeline();
  piping_ = false;
}

std::map<const TableInfo*, std::int64_t> RowWriter::take_largest_ids() {
  return std::exchange(largest_ids_, {});
}

void RowWriter::receive(const Pending& pending) {
  if (pending.table == nullptr) return static_cast<void>(connection_.receive());
  const std::string id = events::format_entity_id(*pending.table, pending.id);
  try {
    const Result result = connection_.receive();
    if (result.affected() == 1) return;
  } catch (const ConstraintViolation& violation) {
    if (violation.foreign_key()) {  // Of a key that is not deferrable.
      connection_.abandon_pipeline();
      raise_referenced(connection_, violation.error(), text_literal(id));
    }
    raise_conflict(pending.table->name +
                   (pending.effect == Effect::INSERT ? " cannot take the new row with id "
                                                     : " cannot change the row with id ") +
                   id + ": " + violation.what());
  }
  raise_conflict(pending.table->name + " has no row with id " + id + " to change");
}

void RowWriter::raise_conflict(const std::string& what) const {
  throw UsageError("read_model_conflict", connection_.name() + ": " + what,
                   "`tenantry verify` names the rows that differ, `tenantry rebuild` mends them",
                   4);
}

const RowWriter::Prepared& RowWriter::prepared(const TableInfo& table, Effect effect,
                                               std::uint64_t columns) {
  // A few dozen at most: as many as there are kinds of events.
  const auto found = std::ranges::find_if(prepared_, [&](const Prepared& known) {
    return known.table == &table && known.effect == effect && known.columns == columns;
  });
  if (found != prepared_.end()) return *found;
  std::vector<std::uint32_t> types;
  for (std::size_t place = 0; place < table.columns.size(); ++place) {
    if ((columns & bit(place)) != 0) types.push_back(type_oid(table.columns[place]));
  }
  if (effect != Effect::INSERT) types.push_back(type_oid(table.columns[table.id_column]));
  const std::string name = "tenantry_" + std::to_string(prepared_.size()) + "_" + name_of_(table);
  prepared_.push_back({&table, effect, columns, name});
  connection_.send_prepare(name, sql(table, effect, columns), types);
  pending_.emplace_back();
  return prepared_.back();
}

std::string RowWriter::sql(const TableInfo& table, Effect effect, std::uint64_t columns) const {
  const std::string name = name_of_(table);
  const std::string id = identifier(table.columns[table.id_column].name);
  if (effect == Effect::REMOVE) return "DELETE FROM " + name + " WHERE " + id + " = $1";
  std::string list;
  std::size_t parameter = 0;
  for (std::size_t place = 0; place < table.columns.size(); ++place) {
    if ((columns & bit(place)) == 0) continue;
    list += (list.empty() ? "" : ", ");
    if (effect == Effect::PATCH) list += identifier(table.columns[place].name) + " = ";
    list += "$" + std::to_string(++parameter);
  }
  if (effect == Effect::INSERT) {
    return "INSERT INTO " + name + " (" + column_list(table) + ") VALUES (" + list + ")";
  }
  // Nothing but the key: the row must be there all the same.
  if (list.empty()) list = id + " = " + id;
  return "UPDATE " + name + " SET " + list + " WHERE " + id + " = $" +
         std::to_string(parameter + 1);
}

}  // namespace tenantry::projections::postgres
