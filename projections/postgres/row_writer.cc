#include "projections/postgres/row_writer.h"

#include <algorithm>
#include <utility>

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

// So many new rows travel as arrays: a savepoint costs what is saved for some of them, and a
// transaction of a thousand events makes no more than the 64 that a server knows by heart.
constexpr std::size_t kArraysFrom = 16;
constexpr std::size_t kNewRowsMax = 1000;
constexpr const char* kSavepoint = "SAVEPOINT tenantry_rows";
constexpr const char* kRelease = "RELEASE SAVEPOINT tenantry_rows";

std::uint64_t bit(std::size_t place) { return std::uint64_t{1} << place; }
std::uint64_t all_columns(const TableInfo& table) { return bit(table.columns.size()) - 1; }

// The field at `at` of fields as of a binary COPY, which moves behind it.
BinaryParameter take_field(std::string_view fields, std::size_t& at) {
  constexpr std::size_t kLength = 4;  // Big-endian; all ones for NULL.
  std::uint32_t length = 0;
  for (const char byte : fields.substr(at, kLength)) {
    length = length << 8U | static_cast<std::uint8_t>(byte);
  }
  at += kLength;
  if (length == ~std::uint32_t{0}) return std::nullopt;
  const std::string_view bytes = fields.substr(at, length);
  at += length;
  return bytes;
}

// The fields of rows, row by row, from their columns.
class FieldReader {
 public:
  explicit FieldReader(const std::vector<std::string>& columns)
      : columns_(columns), at_(columns.size()) {}
  std::vector<BinaryParameter> next() {
    std::vector<BinaryParameter> fields;
    fields.reserve(columns_.size());
    for (std::size_t place = 0; place < columns_.size(); ++place) {
      fields.push_back(take_field(columns_[place], at_[place]));
    }
    return fields;
  }

 private:
  const std::vector<std::string>& columns_;
  std::vector<std::size_t> at_;
};

}  // namespace

RowWriter::RowWriter(Connection& connection, std::function<std::string(const TableInfo&)> name_of)
    : connection_(connection), name_of_(std::move(name_of)) {
  for (const TableInfo& table : events::tables())
    TENANTRY_ASSERT(table.columns.size() <= kColumnsMax);
}

void RowWriter::apply(const events::RowChange& change) {
  TENANTRY_ASSERT(!refused_);
  const TableInfo& table = *change.table;
  if (change.effect == Effect::RESERVE) return note_id(change);
  gather(change);
  if (change.effect == Effect::INSERT) {
    if (table.integer_ids) note_id(change);
    return add_new(change);
  }
  end_new_rows();
  std::uint64_t columns = 0;
  for (std::size_t place = 0; place < values_.size(); ++place) {
    if (change.effect == Effect::PATCH && values_[place] != nullptr) columns |= bit(place);
  }
  send_change(change, columns);
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

void RowWriter::add_new(const events::RowChange& change) {
  if (new_rows_.table != change.table) end_new_rows();
  const TableInfo& table = *change.table;
  if (new_rows_.ids.empty()) {
    new_rows_.table = &table;
    new_rows_.columns.resize(table.columns.size());
  }
  new_rows_.ids.push_back(change.id);
  for (std::size_t place = 0; place < table.columns.size(); ++place) {
    static const Value kNothing = events::Null{};
    std::string& column = new_rows_.columns[place];
    const std::size_t before = column.size();
    const Value* const value = values_[place];
    append_copy_field(column, table.columns[place], value == nullptr ? kNothing : *value);
    new_rows_.bytes += column.size() - before;
  }
  if (new_rows_.ids.size() >= kNewRowsMax || new_rows_.bytes >= kUnsentMax) end_new_rows();
}

void RowWriter::end_new_rows() {
  if (new_rows_.ids.empty()) return;
  if (new_rows_.ids.size() >= kArraysFrom) {
    send_arrays();
  } else {
    FieldReader reader(new_rows_.columns);
    for (const events::Uuid& id : new_rows_.ids) send_one(*new_rows_.table, id, reader.next());
  }
  new_rows_ = {};
}

void RowWriter::send_arrays() {
  NewRows& rows = new_rows_;
  const TableInfo& table = *rows.table;
  std::vector<std::string> arrays;
  for (std::size_t place = 0; place < table.columns.size(); ++place) {
    arrays.push_back(array_header(table.columns[place], rows.ids.size()) + rows.columns[place]);
  }
  const std::string& name = prepared({&table, Effect::INSERT, all_columns(table), true});
  // The row that is refused can be found after going back to here.
  savepoint(kSavepoint);
  connection_.send(name, Fields(arrays.begin(), arrays.end()));
  const std::size_t bytes = rows.bytes;
  sent({&table, Effect::INSERT, {}, std::move(rows)}, bytes);
  savepoint(kRelease);
  // Nothing is left on its way: a server that got part of a pipeline waits for the rest without
  // end.
  drain();
}

void RowWriter::send_one(const TableInfo& table, const events::Uuid& id, const Fields& fields) {
  connection_.send(prepared({&table, Effect::INSERT, all_columns(table)}), fields);
  std::size_t bytes = 0;
  for (const BinaryParameter& field : fields) bytes += field ? field->size() : 0;
  sent({&table, Effect::INSERT, id, {}}, bytes);
}

void RowWriter::send_change(const events::RowChange& change, std::uint64_t columns) {
  const TableInfo& table = *change.table;
  const std::string& name = prepared({&table, change.effect, columns});
  bytes_.clear();
  for (std::size_t place = 0; place < table.columns.size(); ++place) {
    if ((columns & bit(place)) == 0) continue;
    append_copy_field(bytes_, table.columns[place], *values_[place]);
  }
  append_copy_field(bytes_, table.columns[table.id_column], events::id_value(table, change.id));
  Fields parameters;
  for (std::size_t at = 0; at < bytes_.size();) parameters.push_back(take_field(bytes_, at));
  connection_.send(name, parameters);
  sent({&table, change.effect, change.id, {}}, bytes_.size());
}

void RowWriter::sent(Pending pending, std::size_t bytes) {
  pending_.push_back(std::move(pending));
  unsent_bytes_ += bytes;
  if (pending_.size() >= kPendingMax || unsent_bytes_ >= kUnsentMax) drain();
}

void RowWriter::savepoint(const char* sql) {
  std::string& name = savepoints_[sql];
  if (name.empty()) {
    name = "tenantry_" + std::to_string(savepoints_.size()) + "_savepoint";
    connection_.send_prepare(name, sql, {});
    pending_.emplace_back();
  }
  connection_.send(name, {});
  pending_.emplace_back();
}

void RowWriter::drain() {
  connection_.sync();
  unsent_bytes_ = 0;
  for (const Pending& pending : std::exchange(pending_, {})) receive(pending);
  connection_.receive_sync();
}

void RowWriter::flush() {
  end_new_rows();
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
  const bool many = !pending.many.ids.empty();
  try {
    const Result result = connection_.receive();
    if (result.affected() == (many ? pending.many.ids.size() : 1)) return;
  } catch (const ConstraintViolation& violation) {
    refused_ = true;
    connection_.skip_pipeline();
    if (many) find_refused(pending.many);
    connection_.roll_back();
    raise_refused(pending, violation);
  }
  if (many) {
    raise_conflict(pending.table->name + " did not take all of " +
                   std::to_string(pending.many.ids.size()) + " new rows, the first with id " +
                   events::format_entity_id(*pending.table, pending.many.ids.front()));
  }
  raise_conflict(pending.table->name + " has no row with id " +
                 events::format_entity_id(*pending.table, pending.id) + " to change");
}

void RowWriter::raise_refused(const Pending& pending, const ConstraintViolation& violation) {
  const std::string id = events::format_entity_id(*pending.table, pending.id);
  if (violation.foreign_key()) {  // Of a key that is not deferrable.
    raise_referenced(connection_, violation.error(), text_literal(id));
  }
  raise_conflict(pending.table->name +
                 (pending.effect == Effect::INSERT ? " cannot take the new row with id "
                                                   : " cannot change the row with id ") +
                 id + ": " + violation.what());
}

void RowWriter::find_refused(const NewRows& rows) {
  connection_.execute("ROLLBACK TO SAVEPOINT tenantry_rows");
  prepared_.clear();  // What was prepared behind the error was not.
  piping_ = false;
  FieldReader reader(rows.columns);
  for (const events::Uuid& id : rows.ids) {
    send_one(*rows.table, id, reader.next());
    drain();  // Throws for the row that is refused.
  }
  connection_.leave_pipeline();
  connection_.roll_back();
  throw UnavailableError(
      connection_.name() + ": a row of " + rows.table->name + " was in the way, and is gone",
      "try again");
}

void RowWriter::raise_conflict(const std::string& what) const {
  throw UsageError("read_model_conflict", connection_.name() + ": " + what,
                   "`tenantry verify` names the rows that differ, `tenantry rebuild` mends them",
                   4);
}

const std::string& RowWriter::prepared(const Statement& statement) {
  if (!piping_) {
    connection_.enter_pipeline();
    piping_ = true;
  }
  // A few dozen at most: as many as there are kinds of events.
  const auto found = std::ranges::find(prepared_, statement, &Prepared::statement);
  if (found != prepared_.end()) return found->name;
  const TableInfo& table = *statement.table;
  std::vector<std::uint32_t> types;
  for (std::size_t place = 0; place < table.columns.size(); ++place) {
    if ((statement.columns & bit(place)) == 0) continue;
    types.push_back(statement.many ? array_oid(table.columns[place])
                                   : type_oid(table.columns[place]));
  }
  if (statement.effect != Effect::INSERT) types.push_back(type_oid(table.columns[table.id_column]));
  const std::string name = "tenantry_" + std::to_string(names_++) + "_" + name_of_(table);
  prepared_.push_back({statement, name});
  connection_.send_prepare(name, sql(statement), types);
  pending_.emplace_back();
  return prepared_.back().name;
}

std::string RowWriter::sql(const Statement& statement) const {
  const TableInfo& table = *statement.table;
  const std::string name = name_of_(table);
  const std::string id = identifier(table.columns[table.id_column].name);
  if (statement.effect == Effect::REMOVE) return "DELETE FROM " + name + " WHERE " + id + " = $1";
  std::string list;
  std::size_t parameter = 0;
  for (std::size_t place = 0; place < table.columns.size(); ++place) {
    if ((statement.columns & bit(place)) == 0) continue;
    list += (list.empty() ? "" : ", ");
    if (statement.effect == Effect::PATCH) list += identifier(table.columns[place].name) + " = ";
    list += "$" + std::to_string(++parameter);
  }
  if (statement.effect == Effect::INSERT) {
    return "INSERT INTO " + name + " (" + column_list(table) + ") " +
           (statement.many ? "SELECT * FROM unnest(" + list + ")" : "VALUES (" + list + ")");
  }
  // Nothing but the key: the row must be there all the same.
  if (list.empty()) list = id + " = " + id;
  return "UPDATE " + name + " SET " + list + " WHERE " + id + " = $" +
         std::to_string(parameter + 1);
}

}  // namespace tenantry::projections::postgres
