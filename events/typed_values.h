#pragma once

#include <cstddef>
#include <span>

#include <capnp/any.h>
#include <capnp/schema.h>

#include "events/tables.h"
#include "events/values.h"

// Between fields of Cap'n Proto structs and values. For the files of this folder.
namespace tenantry::events {

// Throws std::logic_error for a field that no row and no fact may have: in a group or a union, with
// a default of its own, or of a type that no column has.
[[nodiscard]] FieldPlace place_of(capnp::StructSchema::Field field);

// Whether the pointer at `place` leads anywhere; whether a Flag is `unchanged`.
[[nodiscard]] bool has_pointer(capnp::AnyStruct::Reader source, const FieldPlace& place);
[[nodiscard]] bool is_unchanged(capnp::AnyStruct::Reader source, const FieldPlace& place);

// The value of a field that has the type of `column`, in a row or in an event. NULL for a null
// pointer. Throws MalformedError when the field holds what no such column can: an id of no 16
// bytes, a text that is not valid UTF-8 or has U+0000 in it, a number of more bits than the column,
// a time outside the years 1 to 9999, no Flag. The length of a text is not checked.
[[nodiscard]] Value get_field(capnp::AnyStruct::Reader source, const FieldPlace& place,
                              const ColumnInfo& column);

// The data section of a row is no larger; read_table() sees to it.
inline constexpr std::size_t kRowDataBytesMax = 64;

// Writing a row: its numbers into the data section; what its pointers lead to, none for NULL, and
// the words that takes.
[[nodiscard]] bool is_pointer(const FieldPlace& place);
void set_number(std::span<kj::byte> data, const FieldPlace& place, const Value& value);
void set_pointer(capnp::AnyPointer::Builder pointer, const Value& value);
[[nodiscard]] std::size_t object_words(const Value& value);
[[nodiscard]] constexpr std::size_t words_for(std::size_t bytes) {
  return (bytes + sizeof(capnp::word) - 1) / sizeof(capnp::word);
}

}  // namespace tenantry::events
