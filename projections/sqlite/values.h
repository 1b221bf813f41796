#pragma once

#include <string>
#include <string_view>

#include "events/tables.h"
#include "projections/sqlite/connection.h"

// How Django keeps values in SQLite: UUIDs as 32 hexadecimal digits, times as `YYYY-MM-DD
// HH:MM:SS[.ffffff]`, JSON in ASCII, booleans as 0 and 1.
namespace tenantry::projections::sqlite {

// Binds without copying: `value` and `scratch` live until the statement is reset.
void bind_value(Statement& statement, int parameter, const events::ColumnInfo& column,
                const events::Value& value, std::string& scratch);

// What a column of that type cannot hold comes back as a number or text.
[[nodiscard]] events::Value read_value(const Statement& statement, int index,
                                       const events::ColumnInfo& column);
// A statement that selects every column of `table`, in order.
[[nodiscard]] events::RowValues read_row(const Statement& statement,
                                         const events::TableInfo& table);

[[nodiscard]] std::string to_django_time(events::Timestamp time);
[[nodiscard]] std::string to_django_uuid(const events::Uuid& uuid);
// From jsonb's text, as Python's json.dumps() spells it: all but printable ASCII is escaped.
[[nodiscard]] std::string to_django_json(std::string_view jsonb);

}  // namespace tenantry::projections::sqlite
