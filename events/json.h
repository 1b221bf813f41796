#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

// JSON documents: read strictly, merged and printed without ever passing a number through a double.
namespace tenantry::events {

class Json;
struct JsonNumber {
  std::string text;  // As spelled in the source; a JSON number.
  bool operator==(const JsonNumber&) const = default;
};
using JsonArray = std::vector<Json>;
using JsonMember = std::pair<std::string, Json>;
using JsonObject = std::vector<JsonMember>;  // In the order of the source; keys are unique.

// One JSON value. A value type; copying copies the tree.
class Json {
 public:
  using Data = std::variant<std::monostate, bool, JsonNumber, std::string, JsonArray, JsonObject>;
  Json() = default;
  explicit Json(Data data) : data_(std::move(data)) {}

  [[nodiscard]] bool is_null() const { return std::holds_alternative<std::monostate>(data_); }
  [[nodiscard]] const bool* boolean() const { return std::get_if<bool>(&data_); }
  [[nodiscard]] const JsonNumber* number() const { return std::get_if<JsonNumber>(&data_); }
  [[nodiscard]] const std::string* string() const { return std::get_if<std::string>(&data_); }
  [[nodiscard]] const JsonArray* array() const { return std::get_if<JsonArray>(&data_); }
  [[nodiscard]] const JsonObject* object() const { return std::get_if<JsonObject>(&data_); }
  [[nodiscard]] JsonObject* object() { return std::get_if<JsonObject>(&data_); }
  [[nodiscard]] const Json* find(std::string_view key) const;  // Null when absent or no object.
  bool operator==(const Json&) const = default;

 private:
  Data data_;
};

// What is wrong with a text that should be JSON, in words for people. `offset` is where reading
// stopped, in bytes; 0 when no text was read.
struct JsonError {
  std::string message;
  std::size_t offset = 0;
};

inline constexpr std::size_t kJsonDepthMax = 32;                    // Nested arrays and objects.
inline constexpr std::size_t kJsonNumberDigitsMax = 400;            // When a number is written out.
inline constexpr std::size_t kJsonTextMax = std::size_t{64} << 20;  // Bytes of a document.

// Reads exactly one JSON value. Refused: invalid UTF-8, lone surrogates, U+0000 in a key or a text,
// duplicate keys, more than `depth_max` levels, more than kJsonTextMax bytes, anything after the
// value but blanks, and all that is not JSON. Numbers keep their spelling; their size is checked by
// to_jsonb_text().
[[nodiscard]] std::variant<Json, JsonError> parse_json(std::string_view text,
                                                       std::size_t depth_max = kJsonDepthMax);

// Exactly what PostgreSQL 15's jsonb prints for the document: keys by length in bytes, then by
// their bytes; `": "` and `", "`; numbers written out as numeric prints them. An error is a number
// of more than kJsonNumberDigitsMax digits when written out, and what only a tree built by hand can
// hold: a text that cannot be stored, a number that is none, a key that occurs twice.
[[nodiscard]] std::variant<std::string, JsonError> to_jsonb_text(const Json& document);

// RFC 7396: members of `patch` replace those of `target`, null removes, objects merge.
[[nodiscard]] Json merge_patch(Json target, const Json& patch);

// Appends `text`, quoted and escaped as jsonb prints a string.
void append_json_string(std::string& out, std::string_view text);

}  // namespace tenantry::events
