#include "projections/postgres/values.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "core/error.h"
#include "projections/postgres/schema.h"

namespace tenantry::projections::postgres {
namespace {

using events::ColumnInfo;
using events::SqlType;
using events::TableInfo;
using events::Value;

constexpr std::int64_t kMicrosTo2000 = 946'684'800'000'000;
constexpr char kJsonbVersion = 1;

template <class Integer>
std::array<char, sizeof(Integer)> big_endian(Integer value) {
  const auto bits = static_cast<std::make_unsigned_t<Integer>>(value);
  std::array<char, sizeof(Integer)> bytes{};
  for (std::size_t place = 0; place < bytes.size(); ++place) {
    bytes[place] =
        static_cast<char>(static_cast<std::uint8_t>(bits >> (8 * (bytes.size() - 1 - place))));
  }
  return bytes;
}

template <class Integer>
void append_big_endian(std::string& out, Integer value) {
  const auto bytes = big_endian(value);
  out.append(bytes.data(), bytes.size());
}

// The text of a column that is not NULL, as projections/digest.h describes it, with its length in
// bytes before it. Databases of read models are encoded in UTF-8, so octet_length() counts right.
std::string measured_sql(const ColumnInfo& column) {
  const std::string name = identifier(column.name);
  const auto measured = [](const std::string& text) {
    return "octet_length(" + text + ")::text || ':' || " + text;
  };
  switch (column.type) {
    case SqlType::BOOLEAN:
      return "CASE WHEN " + name + " THEN '1:t' ELSE '1:f' END";
    case SqlType::TIMESTAMPTZ:
      return "CASE WHEN " + name +
             " BETWEEN '0001-01-01 00:00:00+00'::timestamptz AND"
             " '9999-12-31 23:59:59.999999+00'::timestamptz THEN '27:' || to_char(" +
             name + " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') ELSE '!' || " +
             measured(name + "::text") + " END";
    case SqlType::VARCHAR:
    case SqlType::TEXT:
      return measured(name);
    default:
      return measured(name + "::text");
  }
}

std::string row_text_sql(const TableInfo& table) {
  std::string sql;
  for (const ColumnInfo& column : table.columns) {
    if (column.application_owned) continue;
    const std::string text = measured_sql(column);
    sql += (sql.empty() ? "" : " || ");
    sql += column.nullable
               ? "CASE WHEN " + identifier(column.name) + " IS NULL THEN '-' ELSE " + text + " END"
               : "(" + text + ")";
  }
  return sql;
}

std::int64_t parse_integer(std::string_view text) {
  std::int64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  TENANTRY_ASSERT(parsed.ec == std::errc() && parsed.ptr == text.data() + text.size());
  return number;
}

// `2026-01-31 09:30:00.000001+00`, a fraction only where there is one.
Value parse_time(std::string_view text) {
  constexpr std::string_view kUtc = "+00";
  if (text.ends_with(kUtc)) {
    const std::string iso = std::string(text.substr(0, text.size() - kUtc.size())) + "Z";
    if (const auto time = events::parse_timestamp(iso)) return *time;
  }
  return std::string(text);
}

struct TypeOids {
  std::uint32_t element = 0;
  std::uint32_t array = 0;
};

TypeOids oids_of(SqlType type) {
  switch (type) {
    case SqlType::BOOLEAN:
      return {16, 1000};
    case SqlType::BIGINT:
      return {20, 1016};
    case SqlType::INTEGER:
      return {23, 1007};
    case SqlType::TEXT:
      return {25, 1009};
    case SqlType::VARCHAR:
      return {1043, 1015};
    case SqlType::TIMESTAMPTZ:
      return {1184, 1185};
    case SqlType::UUID:
      return {2950, 2951};
    case SqlType::JSONB:
      return {3802, 3807};
  }
  return {};
}

}  // namespace

std::uint32_t type_oid(const ColumnInfo& column) { return oids_of(column.type).element; }
std::uint32_t array_oid(const ColumnInfo& column) { return oids_of(column.type).array; }

std::string array_header(const ColumnInfo& column, std::size_t elements) {
  std::string header;
  append_big_endian(header, std::int32_t{1});  // One dimension,
  append_big_endian(header, std::int32_t{1});  // maybe NULLs,
  append_big_endian(header, type_oid(column));
  append_big_endian(header, static_cast<std::int32_t>(elements));
  append_big_endian(header, std::int32_t{1});  // numbered from 1.
  return header;
}

void append_binary(std::string& out, const ColumnInfo& column, const Value& value) {
  switch (column.type) {
    case SqlType::BOOLEAN:
      out += std::get<bool>(value) ? '\1' : '\0';
      return;
    case SqlType::BIGINT:
      return append_big_endian(out, std::get<std::int64_t>(value));
    case SqlType::INTEGER: {
      const std::int64_t wide = std::get<std::int64_t>(value);
      TENANTRY_ASSERT(wide == static_cast<std::int32_t>(wide));
      return append_big_endian(out, static_cast<std::int32_t>(wide));
    }
    case SqlType::TIMESTAMPTZ:
      return append_big_endian(out, std::get<events::Timestamp>(value).micros - kMicrosTo2000);
    case SqlType::UUID: {
      const events::Uuid& uuid = std::get<events::Uuid>(value);
      out.append(reinterpret_cast<const char*>(uuid.bytes.data()), uuid.bytes.size());
      return;
    }
    case SqlType::JSONB:
      out += kJsonbVersion;
      out += std::get<std::string>(value);
      return;
    case SqlType::VARCHAR:
    case SqlType::TEXT:
      out += std::get<std::string>(value);
      return;
  }
}

void append_copy_field(std::string& out, const ColumnInfo& column, const Value& value) {
  if (std::holds_alternative<events::Null>(value)) {
    return append_big_endian(out, std::int32_t{-1});
  }
  const std::size_t at = out.size();
  append_big_endian(out, std::int32_t{0});
  append_binary(out, column, value);
  const auto length = big_endian(static_cast<std::int32_t>(out.size() - at - 4));
  std::ranges::copy(length, out.begin() + static_cast<std::ptrdiff_t>(at));
}

void append_copy_row(std::string& out, const TableInfo& table, const events::RowValues& row) {
  TENANTRY_ASSERT(row.size() == table.columns.size());
  append_big_endian(out, static_cast<std::int16_t>(row.size()));
  for (std::size_t place = 0; place < row.size(); ++place) {
    append_copy_field(out, table.columns[place], row[place]);
  }
}

std::string_view copy_header() {
  // Signature, flags, length of the header's extension.
  constexpr std::string_view kHeader("PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19);
  return kHeader;
}

std::string_view copy_trailer() { return "\xff\xff"; }

Value parse_text(const ColumnInfo& column, std::string_view text) {
  switch (column.type) {
    case SqlType::BOOLEAN:
      return text == "t";
    case SqlType::BIGINT:
    case SqlType::INTEGER:
      return parse_integer(text);
    case SqlType::TIMESTAMPTZ:
      return parse_time(text);
    case SqlType::UUID: {
      const auto uuid = events::parse_uuid(text);
      TENANTRY_ASSERT(uuid.has_value());
      return *uuid;
    }
    case SqlType::VARCHAR:
    case SqlType::TEXT:
    case SqlType::JSONB:
      return std::string(text);
  }
  return events::Null{};
}

std::string fingerprint_sql(const std::string& from, const TableInfo& table,
                            const std::string& condition) {
  // The hash of a row as 256 bits; each lane is the sum of one eighth of them.
  std::string lanes;
  for (int lane = 0; lane < 8; ++lane) {
    lanes += ", coalesce(sum(substring(h FROM " + std::to_string(1 + 32 * lane) +
             " FOR 32)::bigint), 0) % 18446744073709551616";
  }
  // OFFSET keeps the planner from hashing each row eight times. It stands in quotes because only a
  // constant without a cast lets several processes share the work.
  return "SELECT count(*)" + lanes + " FROM (SELECT ('x' || encode(sha256(convert_to(" +
         row_text_sql(table) + ", 'UTF8')), 'hex'))::bit(256) AS h FROM " + from +
         (condition.empty() ? "" : " WHERE " + condition) + " OFFSET '0') AS hashed";
}

}  // namespace tenantry::projections::postgres
