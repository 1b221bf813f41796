#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "projections/postgres/connection.h"
#include "projections/read_model.h"

// The mark of one schema's tables, a row of tenantry.mark.
namespace tenantry::projections::postgres {

// Whether the table of marks is there: one row, `t` or `f`.
extern const char* const kHasMarkTable;
// The mark of the schema $1: five texts, or no row.
extern const char* const kSelectMark;
// Field 0 to 4 of a row of kSelectMark.
[[nodiscard]] Mark parse_mark(const std::function<std::string_view(int)>& field);

// In the caller's transaction; the row stays locked until its end.
[[nodiscard]] std::optional<Mark> lock_mark(Connection& connection, const std::string& schema);
// Moves the mark only from `before`. Returns false, having changed nothing, when it is another.
[[nodiscard]] bool move_mark(Connection& connection, const std::string& schema, const Mark& before,
                             const Mark& after);
// Moves the mark that was `found`, or makes the first one, and the table of marks if there is none.
// Returns false when another session made one meanwhile; then the transaction is of no use.
[[nodiscard]] bool write_mark(Connection& connection, const std::string& schema,
                              const std::optional<Mark>& found, const Mark& mark);

}  // namespace tenantry::projections::postgres
