#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <capnp/schema.h>

#include "events/commands.capnp.h"
#include "events/encoding.h"
#include "events/events.capnp.h"
#include "events/json.h"
#include "events/tables.h"
#include "events/values.h"

// Commands: what the schemas say about them, and how they are read from JSON.
namespace tenantry::events {

enum class FieldType {
  kText,
  kNullableText,
  kBoolean,
  kInteger,
  kTime,
  kNullableTime,
  kUuid,
  kJsonObject,
  kJsonArray,
  kUser,
  kNullableUser,
  kTenant,
  kDomain,
  kInvitation,
  kProtein,
  kNewUser,
};

struct CommandField {
  std::string name;
  FieldType type = FieldType::kText;
  Syntax syntax = Syntax::FREE;
  bool required = false;
  bool secret = false;
  bool nonempty = false;  // An empty text counts as a missing field.
  // Whose length a text or the name in a reference has, and whose range an integer has; null for
  // the other types.
  const ColumnInfo* column = nullptr;
  std::string help;
  capnp::StructSchema::Field field;
};

struct CommandInfo {
  std::string name;                  // `create_tenant`.
  EntityKind on = EntityKind::NONE;  // What `entity` and `expected_version` mean.
  std::string help;
  std::vector<std::string> rules;
  std::vector<CommandField> fields;         // In the order in which they are checked.
  std::vector<std::size_t> exactly_one_of;  // Places in `fields`; empty for no such rule.
  capnp::StructSchema::Field member;
  capnp::StructSchema schema;
};

// Every command, in the order of Command's union. Made once, immutable, safe from any thread.
// Throws std::logic_error when commands.capnp contradicts itself or the tables.
[[nodiscard]] const std::vector<CommandInfo>& commands();
[[nodiscard]] const CommandInfo* find_command(std::string_view name);  // Null for none.
// `which` may come from bytes: MalformedError when there is no such command.
[[nodiscard]] const CommandInfo& command_info(Command::Which which);

// For help texts: `text`, `true|false`, `id:N or username`, …
[[nodiscard]] std::string_view field_type_name(FieldType type);
// The roles, highest first, and the themes.
[[nodiscard]] const std::vector<std::string>& roles();
[[nodiscard]] const std::vector<std::string>& themes();

// The version that the entity's stream must have. `kNone`: it must not exist.
struct ExpectedVersion {
  enum class Kind { kAny, kNone, kExact };
  Kind kind = Kind::kAny;
  std::uint64_t version = 0;
  bool operator==(const ExpectedVersion&) const = default;
};

// Who asks, how and why; stands beside the command.
struct Circumstances {
  std::optional<Uuid> id;      // The command's own, for retries.
  std::string actor;           // <= 200 characters; empty for none, as are the next three.
  std::string channel;         // <= 50
  std::string reason;          // <= 500
  std::string correlation_id;  // <= 200
  std::optional<std::uint64_t> causation_position;
  ExpectedVersion expected_version;
  std::optional<Timestamp> at;  // The time to record, for history.
};

// What of them stands in each of the command's events.
void set_circumstances(Event::Builder event, const Circumstances& circumstances);

struct CommandRequest {
  EncodedCommand command;
  Circumstances circumstances;
};

// Why a command was not carried out. Nothing was changed.
struct Refusal {
  // No well-formed command, rather than refused by a rule: true exactly for unknown_command,
  // unknown_field, missing_field, invalid_type, too_long, too_large, invalid_text, invalid_json.
  bool invalid = false;
  std::string code;
  std::string field;  // The key in `data` or in the line; empty for none.
  std::string message;
};

// What lines that say nothing of their own get (`--defaults`).
struct CommandDefaults {
  std::string actor;
  std::string channel;
  std::string reason;
  std::string correlation_id;
};

inline constexpr std::size_t kTextBytesMax = std::size_t{256} << 10;  // A text or document.
inline constexpr std::size_t kLineBytesMax = std::size_t{1} << 20;

// Reads one line of NDJSON, with or without its line end. `historic` allows `at`. The first failure
// answers, in this order: the line as a whole, its `command`, its other keys, then parse_command().
// Of `data`, an escaped U+0000 or half of a surrogate pair is the fault of the field that holds it.
[[nodiscard]] std::variant<CommandRequest, Refusal> parse_command_line(
    std::string_view line, const CommandDefaults& defaults, bool historic);

// Reads the fields of a command. Checks, in this order: unknown fields, missing ones, fields of
// which exactly one may be given, then field by field type, text, length and syntax. Commands that
// say the same give equal bytes: slugs and host names are lower-cased, documents are spelled as
// jsonb prints them. No message repeats the value of a field.
[[nodiscard]] std::variant<EncodedCommand, Refusal> parse_command(const CommandInfo& info,
                                                                  const Json& data);

// What a command that sets the column to this text would answer; none if it takes it. `text` is
// storable.
[[nodiscard]] std::optional<Refusal> check_column_text(const ColumnInfo& column,
                                                       const std::string& text);

}  // namespace tenantry::events
