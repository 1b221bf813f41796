#include "projections/sqlite/values.h"

#include <algorithm>

#include "core/error.h"
#include "events/json.h"

namespace tenantry::projections::sqlite {
namespace {

using events::ColumnInfo;
using events::SqlType;
using events::Value;

void append_escape(std::string& out, std::uint32_t unit) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  out += "\\u";
  for (const unsigned shift : {12U, 8U, 4U, 0U}) out += kDigits[unit >> shift & 0xfU];
}

// The code point that starts at `place` of valid UTF-8; moves `place` past it.
std::uint32_t take_code_point(std::string_view text, std::size_t& place) {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  const std::uint32_t first = byte(place);
  const std::size_t length = first < 0x80 ? 1U : first < 0xe0 ? 2U : first < 0xf0 ? 3U : 4U;
  TENANTRY_ASSERT(place + length <= text.size());
  std::uint32_t point = length == 1 ? first : first & (0xffU >> (length + 1));
  for (std::size_t more = 1; more < length; ++more)
    point = point << 6U | (byte(place + more) & 0x3fU);
  place += length;
  return point;
}

bool is_printable_ascii(char c) { return c >= ' ' && c <= '~'; }

struct Binder {
  Statement& statement;
  int parameter;
  const ColumnInfo& column;
  std::string& scratch;

  void operator()(events::Null) const { statement.bind_null(parameter); }
  void operator()(bool value) const { statement.bind(parameter, std::int64_t{value ? 1 : 0}); }
  void operator()(std::int64_t value) const { statement.bind(parameter, value); }
  void operator()(events::Timestamp value) const { bind_scratch(to_django_time(value)); }
  void operator()(const events::Uuid& value) const { bind_scratch(to_django_uuid(value)); }
  void operator()(const std::string& value) const {
    if (column.type == SqlType::JSONB && !std::ranges::all_of(value, is_printable_ascii)) {
      bind_scratch(to_django_json(value));
    } else {
      statement.bind_borrowed(parameter, value);
    }
  }
  void bind_scratch(std::string text) const {
    scratch = std::move(text);
    statement.bind_borrowed(parameter, scratch);
  }
};

std::optional<Value> read_uuid(std::string_view text) {
  // Another spelling is another value: the application compares the text.
  const auto is_upper = [](char c) { return c >= 'A' && c <= 'F'; };
  if (text.size() != 32 || std::ranges::any_of(text, is_upper)) return std::nullopt;
  std::string dashed;
  dashed.reserve(36);
  for (const std::size_t length : {8, 4, 4, 4, 12}) {
    if (!dashed.empty()) dashed += '-';
    dashed += text.substr(0, length);
    text.remove_prefix(length);
  }
  const auto uuid = events::parse_uuid(dashed);
  if (!uuid) return std::nullopt;
  return Value(*uuid);
}

std::optional<Value> read_time(const std::string& text) {
  const auto time = events::parse_timestamp(text + "Z");
  if (!time) return std::nullopt;
  return Value(*time);
}

std::optional<Value> read_json(const std::string& text) {
  if (text == "{}" || text == "[]") return Value(text);  // By far the most frequent.
  const auto document = events::parse_json(text);
  if (!std::holds_alternative<events::Json>(document)) return std::nullopt;
  auto jsonb = events::to_jsonb_text(std::get<events::Json>(document));
  if (!std::holds_alternative<std::string>(jsonb)) return std::nullopt;
  return Value(std::get<std::string>(std::move(jsonb)));
}

Value read_text(std::string text, SqlType type) {
  std::optional<Value> value;
  if (type == SqlType::UUID) value = read_uuid(text);
  if (type == SqlType::TIMESTAMPTZ) value = read_time(text);
  if (type == SqlType::JSONB) value = read_json(text);
  return value ? *std::move(value) : Value(std::move(text));
}

}  // namespace

void bind_value(Statement& statement, int parameter, const ColumnInfo& column, const Value& value,
                std::string& scratch) {
  std::visit(Binder{statement, parameter, column, scratch}, value);
}

Value read_value(const Statement& statement, int index, const ColumnInfo& column) {
  switch (statement.storage(index)) {
    case Storage::kNull:
      return events::Null{};
    case Storage::kInteger: {
      const std::int64_t number = statement.integer(index);
      if (column.type == SqlType::BOOLEAN && (number == 0 || number == 1)) return number == 1;
      return number;
    }
    case Storage::kText:
      return read_text(statement.text(index), column.type);
    case Storage::kReal:
      return "real " + statement.text(index);
    case Storage::kBlob:
      return "blob " + events::hex(statement.text(index));
  }
  return events::Null{};
}

events::RowValues read_row(const Statement& statement, const events::TableInfo& table) {
  events::RowValues row;
  row.reserve(table.columns.size());
  for (std::size_t place = 0; place < table.columns.size(); ++place) {
    row.push_back(read_value(statement, static_cast<int>(place), table.columns[place]));
  }
  return row;
}

std::string to_django_time(events::Timestamp time) {
  std::string text = events::format_timestamp(time);  // 2026-01-31T09:30:00.000000Z
  text.pop_back();
  text[10] = ' ';
  if (text.ends_with(".000000")) text.resize(19);
  return text;
}

std::string to_django_uuid(const events::Uuid& uuid) {
  return events::hex({reinterpret_cast<const char*>(uuid.bytes.data()), uuid.bytes.size()});
}

std::string to_django_json(std::string_view jsonb) {
  std::string out;
  out.reserve(jsonb.size() * 2);
  for (std::size_t place = 0; place < jsonb.size();) {
    if (is_printable_ascii(jsonb[place])) {
      out += jsonb[place++];
      continue;
    }
    const std::uint32_t point = take_code_point(jsonb, place);
    if (point < 0x10000) {
      append_escape(out, point);
    } else {
      append_escape(out, 0xd800U + ((point - 0x10000U) >> 10U));
      append_escape(out, 0xdc00U + ((point - 0x10000U) & 0x3ffU));
    }
  }
  return out;
}

}  // namespace tenantry::projections::sqlite
