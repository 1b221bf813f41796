#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <capnp/schema.h>

#include "events/annotations.capnp.h"
#include "events/values.h"

// What the annotations of rows.capnp say, as plain descriptors. Made once, immutable, safe from any
// thread.
namespace tenantry::events {

// Of what events make of rows. Raised with every change after which a read model that was filled
// before differs from one that is filled now: a column more, another type or meaning. One of an
// older version has to be filled anew.
inline constexpr std::uint32_t kSchemaVersion = 1;
inline constexpr std::uint32_t kFirstSchemaVersion = 1;

// Where a field lies in its struct. Looked up once: to ask a schema costs more than to read a
// field.
struct FieldPlace {
  capnp::schema::Type::Which type = capnp::schema::Type::VOID;
  std::uint32_t offset = 0;  // In the data, in units of its own size; of a pointer: which one.
};

struct ColumnInfo {
  std::string name;  // In SQL and in JSON.
  SqlType type = SqlType::TEXT;
  std::uint16_t length = 0;  // Characters; 0 for none.
  bool nullable = false;
  bool secret = false;
  bool application_owned = false;
  bool is_owner = false;       // Holds the tenant that the row belongs to.
  std::optional<Stamp> stamp;  // Set from the event's time.
  std::string references;      // Table whose id it holds; empty for none.
  FieldPlace place;            // In the row's struct; pointers stand in the order of the columns.
};

// A uniqueness rule; the columns are places in TableInfo::columns.
struct ClaimInfo {
  std::uint8_t number = 0;
  std::vector<std::size_t> columns;
  bool fold = false;
  std::optional<std::size_t> where_column;
  std::string where_value;
  std::string code;
};

// A non-unique way to find rows: by the value of one column.
struct LookupInfo {
  std::uint8_t number = 0;
  std::size_t column = 0;
  std::optional<std::size_t> where_column;
  std::string where_value;
};

struct TableInfo {
  std::string name;
  Scope scope = Scope::SYSTEM;
  EntityKind entity = EntityKind::NONE;
  std::string entity_name;  // As streams print it: `user`, `tenant`, …
  bool integer_ids = false;
  std::vector<ColumnInfo> columns;  // In the order of the contract; `id` is columns[id_column].
  std::vector<ClaimInfo> claims;
  std::vector<LookupInfo> lookups;
  std::vector<std::size_t> key_columns;  // What people know a row by.
  std::size_t id_column = 0;
  std::optional<std::size_t> owner_column;
  capnp::StructSchema schema;

  [[nodiscard]] std::optional<std::size_t> find_column(std::string_view column) const;
};

// A row as values, one for each column of its table, in their order.
using RowValues = std::vector<Value>;

// Whether a value that is not NULL is of the kind that columns of the type hold.
[[nodiscard]] bool is_of_type(SqlType type, const Value& value);

// Every table, in an order in which rows can be loaded: references point backwards.
[[nodiscard]] const std::vector<TableInfo>& tables();
[[nodiscard]] const TableInfo& table_of(EntityKind entity);  // `entity` has one, or is the store.
// Not a table, and none of tables(): the words in which events speak of the store itself.
[[nodiscard]] const TableInfo& store_words();
[[nodiscard]] const TableInfo* find_table(std::string_view name);
[[nodiscard]] std::string_view scope_name(Scope scope);
[[nodiscard]] std::optional<Scope> find_scope(std::string_view name);
// A scope that has tables, and those whose rows its own refer to.
struct ScopeInfo {
  Scope scope = Scope::SYSTEM;
  std::vector<Scope> depends_on;
};
// All of them, each behind those that it depends on. Throws std::logic_error where tables of two
// scopes refer to each other, or one to no table: the schema is wrong.
[[nodiscard]] const std::vector<ScopeInfo>& scopes();
[[nodiscard]] std::vector<ScopeInfo> order_scopes(const std::vector<TableInfo>& tables);
[[nodiscard]] std::string_view entity_name(EntityKind entity);
[[nodiscard]] EntityKind find_entity(
    std::string_view name);  // NONE when there is none of that name.

// `userId` -> `user_id`, `UserRegistered` -> `user_registered`.
[[nodiscard]] std::string snake_case(std::string_view camel);

// The 128-bit form that keys and record headers hold: a UUID as it is, an integer in the last eight
// bytes, big-endian.
[[nodiscard]] Uuid entity_key(std::int64_t id);
[[nodiscard]] Uuid entity_key(const Value& id);
[[nodiscard]] std::int64_t integer_id(const Uuid& key);
// The entity's stream in record headers and indexes: the key, with the kind of entity in the first
// byte where ids are integers, so that domain 5 and member 5 are two streams.
[[nodiscard]] Uuid stream_id(const TableInfo& table, const Uuid& key);
// As people read it: decimal or UUID, by the table's kind of id.
[[nodiscard]] std::string format_entity_id(const TableInfo& table, const Uuid& key);
[[nodiscard]] Value id_value(const TableInfo& table, const Uuid& key);

}  // namespace tenantry::events
