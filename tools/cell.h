#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "events/tables.h"
#include "events/values.h"

namespace tenantry::tools {

// A JSON document: embedded in JSON output, a text elsewhere.
struct JsonText {
  std::string text;
};

// One value of the output.
using Cell = std::variant<events::Null, bool, std::int64_t, events::Timestamp, events::Uuid,
                          std::string, JsonText>;

// Counts and positions, which are below 2^63.
[[nodiscard]] Cell number_cell(std::uint64_t value);
// NULL when empty.
[[nodiscard]] Cell text_cell(std::string_view text);
// NULL for zero, which stands for none.
[[nodiscard]] Cell uuid_cell(const events::Uuid& uuid);

// A column's value; a secret is masked unless `reveal`.
[[nodiscard]] Cell column_cell(const events::ColumnInfo& column, const events::Value& value,
                               bool reveal);

// The beginning of a secret and `…`: enough to tell two apart and to find one again.
[[nodiscard]] std::string mask_secret(std::string_view secret);

// As tables and CSV show it; NULL is empty.
[[nodiscard]] std::string plain_text(const Cell& cell);

}  // namespace tenantry::tools
