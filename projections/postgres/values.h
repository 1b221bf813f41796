#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "events/tables.h"

// Values as PostgreSQL takes them in binary and gives them as text, and their digest in SQL.
namespace tenantry::projections::postgres {

// The type's object id, which is the same in every database.
[[nodiscard]] std::uint32_t type_oid(const events::ColumnInfo& column);

// Of an array of them.
[[nodiscard]] std::uint32_t array_oid(const events::ColumnInfo& column);

// The beginning of the binary form of an array of one dimension, whose elements are fields as of a
// binary COPY.
[[nodiscard]] std::string array_header(const events::ColumnInfo& column, std::size_t elements);

// Appends the binary form of a value that is not NULL and has the type of the column.
void append_binary(std::string& out, const events::ColumnInfo& column, const events::Value& value);

// A field of a binary COPY: its length and the binary form; a length of -1 for NULL.
void append_copy_field(std::string& out, const events::ColumnInfo& column,
                       const events::Value& value);
void append_copy_row(std::string& out, const events::TableInfo& table,
                     const events::RowValues& row);
[[nodiscard]] std::string_view copy_header();
[[nodiscard]] std::string_view copy_trailer();

// What a server prints under the settings of our sessions. A value that the column's type could not
// hold in a log, such as `infinity`, is the text as it was found.
[[nodiscard]] events::Value parse_text(const events::ColumnInfo& column, std::string_view text);

// The statement that computes a table's fingerprint (projections/digest.h) inside the database: one
// row of nine numbers, the count and the eight lanes before the modulo. `condition` may be empty.
[[nodiscard]] std::string fingerprint_sql(const std::string& from, const events::TableInfo& table,
                                          const std::string& condition);

}  // namespace tenantry::projections::postgres
