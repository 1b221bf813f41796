#pragma once

#include <string>
#include <string_view>

#include "events/tables.h"

// Pieces of statements that every kind of database reads the same.
namespace tenantry::projections {

// `name` as an identifier, always quoted.
[[nodiscard]] std::string identifier(std::string_view name);
// `text` as a literal; `text` has no U+0000, and a backslash in it is one.
[[nodiscard]] std::string text_literal(std::string_view text);
// Every column of the table in the order of its descriptor, quoted, each after `prefix`.
[[nodiscard]] std::string column_list(const events::TableInfo& table,
                                      const std::string& prefix = {});

}  // namespace tenantry::projections
