#pragma once

#include <optional>

#include <capnp/dynamic.h>

#include "events/tables.h"
#include "events/values.h"

// Between fields of Cap'n Proto structs and values. For the files of this folder.
namespace tenantry::events {

// The value of a field that has the type of `column`, in a row or in an event. NULL for a null
// pointer. Throws MalformedError when the field holds what no such column can: an id of no 16
// bytes, a text that is not valid UTF-8 or has U+0000 in it, a number of more bits than the column,
// a time outside the years 1 to 9999, no Flag. The length of a text is not checked.
[[nodiscard]] Value get_field(capnp::DynamicStruct::Reader source, capnp::StructSchema::Field field,
                              const ColumnInfo& column);

// Sets a row's field; NULL leaves a null pointer.
void set_field(capnp::DynamicStruct::Builder target, capnp::StructSchema::Field field,
               const Value& value);

}  // namespace tenantry::events
