#include "events/tables.h"

#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>

#include "events/annotation_reader.h"
#include "events/rows.capnp.h"
#include "events/typed_values.h"

namespace tenantry::events {
namespace {

ColumnInfo read_column(capnp::StructSchema::Field field) {
  ColumnInfo column;
  const auto annotations = field.getProto().getAnnotations();
  column.name = snake_case(to_string(field.getProto().getName()));
  column.place = place_of(field);
  const auto sql = find_annotation(annotations, annotation::sql);
  if (!sql) throw std::logic_error("row field without $sql: " + column.name);
  const auto declared = sql->getValue().getStruct().getAs<Column>();
  column.type = declared.getType();
  column.length = declared.getLength();
  column.nullable = declared.getNullable();
  column.secret = find_annotation(annotations, annotation::secret).has_value();
  column.application_owned = find_annotation(annotations, annotation::applicationOwned).has_value();
  column.is_owner = find_annotation(annotations, annotation::owner).has_value();
  if (const auto stamp = find_annotation(annotations, annotation::stamp)) {
    column.stamp = static_cast<Stamp>(stamp->getValue().getEnum());
  }
  column.references = annotation_text(annotations, annotation::references);
  return column;
}

std::size_t column_place(const TableInfo& table, capnp::Text::Reader name) {
  const auto place = table.find_column(to_string(name));
  if (!place) throw std::logic_error(table.name + " has no column " + to_string(name));
  return *place;
}

void read_claims(TableInfo& table, Annotations annotations) {
  const auto found = find_annotation(annotations, annotation::claims);
  if (!found) return;
  for (const auto declared : found->getValue().getList().getAs<capnp::List<Claim>>()) {
    ClaimInfo claim;
    claim.number = declared.getNumber();
    claim.fold = declared.getFold();
    claim.code = to_string(declared.getCode());
    for (const auto name : declared.getColumns())
      claim.columns.push_back(column_place(table, name));
    if (declared.hasWhereColumn()) {
      claim.where_column = column_place(table, declared.getWhereColumn());
      claim.where_value = to_string(declared.getWhereValue());
    }
    table.claims.push_back(std::move(claim));
  }
}

void read_lookups(TableInfo& table, Annotations annotations) {
  const auto found = find_annotation(annotations, annotation::lookups);
  if (!found) return;
  for (const auto declared : found->getValue().getList().getAs<capnp::List<Lookup>>()) {
    LookupInfo lookup;
    lookup.number = declared.getNumber();
    lookup.column = column_place(table, declared.getColumn());
    if (declared.hasWhereColumn()) {
      lookup.where_column = column_place(table, declared.getWhereColumn());
      lookup.where_value = to_string(declared.getWhereValue());
    }
    table.lookups.push_back(std::move(lookup));
  }
}

// What encode_row() takes for granted. Of words that no row is made of, it need not hold.
void check_places(const TableInfo& table) {
  const auto shape = table.schema.getProto().getStruct();
  if (shape.getDataWordCount() * sizeof(capnp::word) > kRowDataBytesMax)
    throw std::logic_error(table.name + " has too many numbers");
  std::uint32_t next = 0;
  for (const ColumnInfo& column : table.columns) {
    if (is_pointer(column.place) && column.place.offset != next++)
      throw std::logic_error(table.name + "." + column.name + " is not where it was expected");
  }
}

TableInfo read_table(capnp::StructSchema schema) {
  TableInfo table;
  table.schema = schema;
  const auto annotations = schema.getProto().getAnnotations();
  const auto found = find_annotation(annotations, annotation::table);
  if (!found) throw std::logic_error("row struct without $table");
  const auto declared = found->getValue().getStruct().getAs<Table>();
  table.name = to_string(declared.getName());
  table.scope = declared.getScope();
  table.entity = declared.getEntity();
  table.entity_name = entity_name(table.entity);
  table.integer_ids = declared.getIntegerIds();
  for (const auto field : schema.getFields()) table.columns.push_back(read_column(field));
  table.id_column = column_place(table, "id");
  for (std::size_t place = 0; place < table.columns.size(); ++place) {
    if (table.columns[place].is_owner) table.owner_column = place;
  }
  for (const auto name : declared.getKey()) table.key_columns.push_back(column_place(table, name));
  read_claims(table, annotations);
  read_lookups(table, annotations);
  return table;
}

std::vector<TableInfo> read_tables() {
  std::vector<TableInfo> all;
  for (const auto member : capnp::Schema::from<Rows>().getUnionFields()) {
    all.push_back(read_table(member.getType().asStruct()));
    check_places(all.back());
  }
  for (const TableInfo& table :
       all) {  // A cycle, or a reference forwards, cannot be loaded in order.
    for (const ColumnInfo& column : table.columns) {
      if (column.references.empty()) continue;
      const auto target = std::find_if(all.begin(), all.end(), [&](const TableInfo& other) {
        return other.name == column.references;
      });
      if (target == all.end() || &*target >= &table) {
        throw std::logic_error(table.name + "." + column.name +
                               " refers to a table that is not before it");
      }
    }
  }
  return all;
}

template <class Enum>
std::string_view enumerant_name(Enum value) {
  static const auto enumerants = capnp::Schema::from<Enum>().getEnumerants();
  const auto number = static_cast<std::uint16_t>(value);
  if (number >= enumerants.size()) return "unknown";
  return enumerants[number].getProto().getName().cStr();
}

}  // namespace

std::optional<std::size_t> TableInfo::find_column(std::string_view column) const {
  for (std::size_t place = 0; place < columns.size(); ++place) {
    if (columns[place].name == column) return place;
  }
  return std::nullopt;
}

const std::vector<TableInfo>& tables() {
  static const std::vector<TableInfo> all = read_tables();
  return all;
}

const TableInfo& store_words() {
  static const TableInfo words = read_table(capnp::Schema::from<StoreRow>());
  return words;
}

const TableInfo& table_of(EntityKind entity) {
  if (entity == EntityKind::STORE) return store_words();
  for (const TableInfo& table : tables()) {
    if (table.entity == entity) return table;
  }
  throw std::logic_error("no table holds entities of kind " +
                         std::to_string(static_cast<int>(entity)));
}

const TableInfo* find_table(std::string_view name) {
  for (const TableInfo& table : tables()) {
    if (table.name == name) return &table;
  }
  return nullptr;
}

bool is_of_type(SqlType type, const Value& value) {
  switch (type) {
    case SqlType::INTEGER:
    case SqlType::BIGINT:
      return std::holds_alternative<std::int64_t>(value);
    case SqlType::BOOLEAN:
      return std::holds_alternative<bool>(value);
    case SqlType::TIMESTAMPTZ:
      return std::holds_alternative<Timestamp>(value);
    case SqlType::UUID:
      return std::holds_alternative<Uuid>(value);
    case SqlType::VARCHAR:
    case SqlType::TEXT:
    case SqlType::JSONB:
      return std::holds_alternative<std::string>(value);
  }
  return false;
}

std::string_view scope_name(Scope scope) { return enumerant_name(scope); }

std::optional<Scope> find_scope(std::string_view name) {
  for (const auto enumerant : capnp::Schema::from<Scope>().getEnumerants()) {
    if (name == enumerant.getProto().getName().cStr())
      return static_cast<Scope>(enumerant.getOrdinal());
  }
  return std::nullopt;
}

std::vector<ScopeInfo> order_scopes(const std::vector<TableInfo>& all) {
  std::map<Scope, std::set<Scope>> needed;
  for (const TableInfo& table : all) {
    std::set<Scope>& needs = needed[table.scope];
    for (const ColumnInfo& column : table.columns) {
      if (column.references.empty()) continue;
      const auto target = std::ranges::find(all, column.references, &TableInfo::name);
      if (target == all.end()) {
        throw std::logic_error(table.name + " refers to " + column.references +
                               ", which is no table");
      }
      if (target->scope != table.scope) needs.insert(target->scope);
    }
  }
  std::vector<ScopeInfo> ordered;
  const auto is_placed = [&](Scope scope) {
    return std::ranges::find(ordered, scope, &ScopeInfo::scope) != ordered.end();
  };
  while (ordered.size() < needed.size()) {
    const auto next = std::ranges::find_if(needed, [&](const auto& scope) {
      return !is_placed(scope.first) && std::ranges::all_of(scope.second, is_placed);
    });
    if (next == needed.end()) throw std::logic_error("scopes depend on each other in a circle");
    ordered.push_back({next->first, {next->second.begin(), next->second.end()}});
  }
  return ordered;
}

const std::vector<ScopeInfo>& scopes() {
  static const std::vector<ScopeInfo> ordered = order_scopes(tables());
  return ordered;
}

std::string_view entity_name(EntityKind entity) { return enumerant_name(entity); }

EntityKind find_entity(std::string_view name) {
  for (const auto enumerant : capnp::Schema::from<EntityKind>().getEnumerants()) {
    if (name == enumerant.getProto().getName().cStr())
      return static_cast<EntityKind>(enumerant.getOrdinal());
  }
  return EntityKind::NONE;
}

std::string snake_case(std::string_view camel) {
  std::string snake;
  for (const char c : camel) {
    const bool upper = c >= 'A' && c <= 'Z';
    if (upper && !snake.empty()) snake += '_';
    snake += upper ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return snake;
}

Uuid entity_key(std::int64_t id) {
  Uuid key;
  auto bits = static_cast<std::uint64_t>(id);
  for (std::size_t at = 16; at > 8; --at) {
    key.bytes[at - 1] = static_cast<std::uint8_t>(bits & 0xffU);
    bits >>= 8U;
  }
  return key;
}

Uuid entity_key(const Value& id) {
  if (const auto* integer = std::get_if<std::int64_t>(&id)) return entity_key(*integer);
  return std::get<Uuid>(id);
}

std::int64_t integer_id(const Uuid& key) {
  std::uint64_t bits = 0;
  for (std::size_t at = 8; at < 16; ++at) bits = (bits << 8U) | key.bytes[at];
  return static_cast<std::int64_t>(bits);
}

Uuid stream_id(const TableInfo& table, const Uuid& key) {
  Uuid stream = key;
  if (table.integer_ids) stream.bytes[0] = static_cast<std::uint8_t>(table.entity);
  return stream;
}

std::string format_entity_id(const TableInfo& table, const Uuid& key) {
  return table.integer_ids ? std::to_string(integer_id(key)) : format_uuid(key);
}

Value id_value(const TableInfo& table, const Uuid& key) {
  if (table.integer_ids) return integer_id(key);
  return key;
}

}  // namespace tenantry::events
