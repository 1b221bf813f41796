#include "tools/row_filter.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/error.h"
#include "events/json.h"
#include "tools/near_matches.h"

namespace tenantry::tools {
namespace {

using events::SqlType;
using events::Value;

std::optional<Value> parse_integer(const std::string& text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<Value> parse_boolean(const std::string& text) {
  if (text == "true" || text == "t" || text == "1") return true;
  if (text == "false" || text == "f" || text == "0") return false;
  return std::nullopt;
}

std::optional<Value> parse_document(const std::string& text) {
  const auto json = events::parse_json(text);
  if (!std::holds_alternative<events::Json>(json)) return std::nullopt;
  const auto spelled = events::to_jsonb_text(std::get<events::Json>(json));
  if (!std::holds_alternative<std::string>(spelled)) return std::nullopt;
  return std::get<std::string>(spelled);
}

std::optional<Value> parse_value(const events::ColumnInfo& column, const std::string& text,
                                 events::Timestamp now) {
  if (column.nullable && text == "null") return events::Null{};
  switch (column.type) {
    case SqlType::INTEGER:
    case SqlType::BIGINT:
      return parse_integer(text);
    case SqlType::BOOLEAN:
      return parse_boolean(text);
    case SqlType::TIMESTAMPTZ:
      return events::parse_time_argument(text, now);
    case SqlType::UUID:
      return events::parse_uuid(text);
    case SqlType::JSONB:
      return parse_document(text);
    case SqlType::VARCHAR:
    case SqlType::TEXT:
      return text;
  }
  return std::nullopt;
}

}  // namespace

RowFilter::RowFilter(const events::TableInfo& table, const std::vector<std::string>& conditions,
                     events::Timestamp now) {
  for (const std::string& text : conditions) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos) {
      throw UsageError("usage", fmt::format("\"{}\" is no condition", text),
                       "--where column=value");
    }
    const std::string name = text.substr(0, equals);
    const auto column = table.find_column(name);
    if (!column) {
      std::vector<std::string> names;
      for (const auto& known : table.columns) names.push_back(known.name);
      throw UsageError("unknown_field", fmt::format("{} has no column \"{}\"", table.name, name),
                       fmt::format("its columns: {}", fmt::join(names, ", ")));
    }
    auto value = parse_value(table.columns[*column], text.substr(equals + 1), now);
    if (!value) {
      throw UsageError("invalid_type", fmt::format("\"{}\" is no value of {}.{}",
                                                   text.substr(equals + 1), table.name, name));
    }
    conditions_.push_back({*column, *std::move(value)});
  }
}

bool RowFilter::matches(const events::RowValues& row) const {
  return std::ranges::all_of(conditions_, [&row](const Condition& condition) {
    return row[condition.column] == condition.value;
  });
}

}  // namespace tenantry::tools
