#include "projections/postgres/mark.h"

#include <charconv>

#include "core/error.h"
#include "projections/postgres/schema.h"

namespace tenantry::projections::postgres {
namespace {

std::uint64_t parse_counter(std::string_view text) {
  std::uint64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) {
    throw CorruptionError("tenantry.mark holds the number " + std::string(text));
  }
  return number;
}

std::string parse_bytea(std::string_view text) {
  std::string bytes;
  const auto digit = [&](std::size_t at) {
    const char c = text[at];
    return static_cast<unsigned>(c <= '9' ? c - '0' : c - 'a' + 10);
  };
  for (std::size_t at = 2; at + 1 < text.size(); at += 2) {  // After `\x`.
    bytes += static_cast<char>(digit(at) << 4U | digit(at + 1));
  }
  return bytes;
}

std::vector<std::string> parameters_of(const std::string& schema, const Mark& mark) {
  return {schema,
          events::format_uuid(mark.store_id),
          std::to_string(mark.incarnation),
          std::to_string(mark.epoch),
          std::to_string(mark.position.value),
          "\\x" + events::hex(mark.log_digest)};
}

void insert_mark(Connection& connection, const std::string& schema, const Mark& mark) {
  if (connection.query(kHasMarkTable).text(0, 0) != "t") {
    const Result there = connection.query("SELECT to_regnamespace('tenantry') IS NOT NULL");
    for (const std::string& sql : mark_table_statements()) {
      // Making a schema that exists already would still ask for the right to make one.
      if (sql.starts_with("CREATE SCHEMA") && there.text(0, 0) == "t") continue;
      connection.execute(sql);
    }
  }
  static_cast<void>(connection.query(
      "INSERT INTO tenantry.mark (schema_name, store_id, incarnation, epoch, \"position\","
      " log_digest) VALUES ($1, $2::uuid, $3::bigint, $4::bigint, $5::bigint, $6::bytea)",
      parameters_of(schema, mark)));
}

}  // namespace

const char* const kHasMarkTable = "SELECT to_regclass('tenantry.mark') IS NOT NULL";

const char* const kSelectMark =
    "SELECT store_id, incarnation, epoch, \"position\", log_digest FROM tenantry.mark"
    " WHERE schema_name = $1";

Mark parse_mark(const std::function<std::string_view(int)>& field) {
  const auto store = events::parse_uuid(field(0));
  TENANTRY_ASSERT(store.has_value());
  return {*store, parse_counter(field(1)), parse_counter(field(2)),
          Position{parse_counter(field(3))}, parse_bytea(field(4))};
}

std::optional<Mark> lock_mark(Connection& connection, const std::string& schema) {
  if (connection.query(kHasMarkTable).text(0, 0) != "t") return std::nullopt;
  const Result found = connection.repeat(std::string(kSelectMark) + " FOR UPDATE", {schema});
  if (found.rows() == 0) return std::nullopt;
  return parse_mark([&](int column) { return found.text(0, column); });
}

bool move_mark(Connection& connection, const std::string& schema, const Mark& before,
               const Mark& after) {
  std::vector<std::string> parameters = parameters_of(schema, after);
  parameters.push_back(std::to_string(before.position.value));
  parameters.push_back(std::to_string(before.epoch));
  const Result moved = connection.repeat(
      "UPDATE tenantry.mark SET store_id = $2::uuid, incarnation = $3::bigint,"
      " epoch = $4::bigint, \"position\" = $5::bigint, log_digest = $6::bytea"
      " WHERE schema_name = $1 AND \"position\" = $7::bigint AND epoch = $8::bigint",
      parameters);
  return moved.affected() == 1;
}

bool write_mark(Connection& connection, const std::string& schema, const std::optional<Mark>& found,
                const Mark& mark) {
  if (found) return move_mark(connection, schema, *found, mark);
  try {
    insert_mark(connection, schema, mark);
  } catch (const AlreadyThere&) {
    return false;
  } catch (const ConstraintViolation&) {
    return false;
  }
  return true;
}

}  // namespace tenantry::projections::postgres
