#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <map>
#include <optional>
#include <stdexcept>
#include <vector>

#include <capnp/dynamic.h>
#include <capnp/message.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "events/commands.h"
#include "events/refusal.h"
#include "events/text.h"

namespace tenantry::events {
namespace {

// --- Values -------------------------------------------------------------------------------------

constexpr std::int64_t kUserIdMax = std::numeric_limits<std::int32_t>::max();
constexpr std::int64_t kIdMax = std::numeric_limits<std::int64_t>::max();

std::optional<std::int64_t> integer_in(const Json& value, std::int64_t min, std::int64_t max) {
  const JsonNumber* const number = value.number();
  if (number == nullptr) return std::nullopt;
  const char* const end = number->text.data() + number->text.size();
  std::int64_t integer = 0;
  const auto [rest, error] = std::from_chars(number->text.data(), end, integer);
  if (error != std::errc() || rest != end || integer < min || integer > max) return std::nullopt;
  return integer;
}

std::optional<Timestamp> time_in(const Json& value) {
  return value.string() == nullptr ? std::nullopt : parse_timestamp(*value.string());
}

std::optional<Uuid> uuid_in(const Json& value) {
  return value.string() == nullptr ? std::nullopt : parse_uuid(*value.string());
}

// What a field of the type takes, after `must be`.
std::string expectation(const CommandField& field) {
  switch (field.type) {
    case FieldType::kText:
      return "a text";
    case FieldType::kNullableText:
      return "a text or null";
    case FieldType::kBoolean:
      return "true or false";
    case FieldType::kInteger:
      return fmt::format("a whole number from 1 to {}",
                         field.column->type == SqlType::INTEGER ? kUserIdMax : kIdMax);
    case FieldType::kTime:
      return std::string(kTimeForm);
    case FieldType::kNullableTime:
      return fmt::format("{}, or null", kTimeForm);
    case FieldType::kUuid:
      return "a UUID of 32 hexadecimal digits in the form 8-4-4-4-12, not all zero";
    case FieldType::kJsonObject:
      return "a JSON object";
    case FieldType::kJsonArray:
      return "a JSON array";
    case FieldType::kUser:
      return fmt::format("a user's id (a number from 1 to {}) or username (a text)", kUserIdMax);
    case FieldType::kNullableUser:
      return fmt::format("a user's id (a number from 1 to {}), username (a text) or null",
                         kUserIdMax);
    case FieldType::kTenant:
      return "a tenant's id (a UUID) or slug, as a text";
    case FieldType::kDomain:
      return "a host name, as a text";
    case FieldType::kInvitation:
      return "an invitation's id (a UUID) or token, as a text";
    case FieldType::kProtein:
      return fmt::format("a protein's id (a number from 1 to {}) or name (a text)", kIdMax);
    case FieldType::kNewUser:
      return "a JSON object of register_user's fields";
  }
  return {};
}

Refusal wrong_type(const CommandField& field) {
  return refuse("invalid_type", field.name,
                fmt::format("{} must be {}", field.name, expectation(field)));
}

// --- Texts --------------------------------------------------------------------------------------

Fault check_storage(const CommandField& field, std::string_view text) {
  if (!is_storable_text(text)) return refuse_unstorable(field.name);
  const std::size_t length_max = field.column->length;
  if (length_max != 0 && is_longer(text, length_max)) {
    return refuse("too_long", field.name,
                  fmt::format("{} must have at most {} characters", field.name, length_max));
  }
  if (text.size() > kTextBytesMax) {
    return refuse("too_large", field.name,
                  fmt::format("{} must have at most {} bytes", field.name, kTextBytesMax));
  }
  return std::nullopt;
}

// 22 characters of an alphabet of 64 hold 128 bits: fewer might be guessed.
bool is_token(std::string_view text) {
  constexpr std::size_t kLengthMin = 22;
  const auto is_url_safe = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
  };
  return text.size() >= kLengthMin && std::ranges::all_of(text, is_url_safe);
}

bool is_role(std::string_view text) { return std::ranges::find(roles(), text) != roles().end(); }

bool is_theme(std::string_view text) { return std::ranges::find(themes(), text) != themes().end(); }

struct SyntaxRule {
  bool (*holds)(std::string_view text);
  std::string_view code;
  std::string allowed;
};

// Null for a text without a syntax.
const SyntaxRule* syntax_rule(Syntax syntax) {
  static const SyntaxRule kUsername{is_username, "invalid_username",
                                    "letters, digits and the signs @ . + - _"};
  static const SyntaxRule kEmail{is_email, "invalid_email",
                                 "an e-mail address in ASCII, such as name@example.com"};
  static const SyntaxRule kSlug{is_slug, "invalid_slug",
                                "letters a-z, digits, - and _, and not of the form of a UUID"};
  static const SyntaxRule kHost{is_host_name, "invalid_domain",
                                "a host name: labels of 1 to 63 letters a-z, digits and -, without "
                                "a - at either end, joined by dots"};
  static const SyntaxRule kRole{is_role, "invalid_role",
                                fmt::format("one of {}", fmt::join(roles(), ", "))};
  static const SyntaxRule kTheme{is_theme, "invalid_theme",
                                 fmt::format("one of {}", fmt::join(themes(), ", "))};
  static const SyntaxRule kPassword{is_password_hash, "invalid_password_hash",
                                    "an encoded hash as Django stores it (algorithm$…, or !… for "
                                    "an unusable one), never a password"};
  static const SyntaxRule kToken{is_token, "invalid_token",
                                 "22 to 64 characters of A-Z, a-z, 0-9, - and _"};
  switch (syntax) {
    case Syntax::USERNAME:
      return &kUsername;
    case Syntax::EMAIL:
      return &kEmail;
    case Syntax::SLUG:
      return &kSlug;
    case Syntax::HOST:
      return &kHost;
    case Syntax::ROLE:
      return &kRole;
    case Syntax::THEME:
      return &kTheme;
    case Syntax::PASSWORD_HASH:
      return &kPassword;
    case Syntax::TOKEN:
      return &kToken;
    default:
      return nullptr;
  }
}

// A user need not have an e-mail address; a tenant and an invitation do.
bool may_be_empty(const CommandField& field) {
  return field.syntax == Syntax::EMAIL && !field.required && field.column->name == "email";
}

Fault check_syntax(const CommandField& field, Syntax syntax, std::string_view text) {
  const SyntaxRule* const rule = syntax_rule(syntax);
  if (rule == nullptr || rule->holds(text) || (text.empty() && may_be_empty(field))) {
    return std::nullopt;
  }
  return refuse(rule->code, field.name, fmt::format("{} must be {}", field.name, rule->allowed));
}

// The text fields that set a column, and have a syntax.
const std::map<const ColumnInfo*, const CommandField*>& fields_with_syntax() {
  static const auto found = [] {
    std::map<const ColumnInfo*, const CommandField*> all;
    for (const CommandInfo& command : commands()) {
      for (const CommandField& field : command.fields) {
        const bool sets = field.type == FieldType::kText || field.type == FieldType::kNullableText;
        if (sets && field.column != nullptr && syntax_rule(field.syntax) != nullptr) {
          all.emplace(field.column, &field);
        }
      }
    }
    return all;
  }();
  return found;
}

// --- Fields into the message --------------------------------------------------------------------

using Builder = capnp::DynamicStruct::Builder;

Fault fill(const CommandInfo& info, const Json& data, Builder out);

capnp::Text::Reader as_text(const std::string& text) { return {text.c_str(), text.size()}; }

capnp::Data::Reader as_data(const Uuid& uuid) { return {uuid.bytes.data(), uuid.bytes.size()}; }

template <class Struct>
typename Struct::Builder init(const CommandField& field, Builder out) {
  return out.init(field.field).as<Struct>();
}

// Checks `value` as a text of the field; `folded` receives it, lower-cased where its syntax is.
Fault read_text(const CommandField& field, Syntax syntax, const Json& value, std::string& folded) {
  const std::string* const text = value.string();
  if (text == nullptr) return wrong_type(field);
  if (auto fault = check_storage(field, *text)) return fault;
  const bool folds = syntax == Syntax::SLUG || syntax == Syntax::HOST;
  folded = folds ? to_ascii_lower(*text) : *text;
  return check_syntax(field, syntax, folded);
}

Fault set_text(const CommandField& field, const Json& value, Builder out) {
  std::string text;
  if (auto fault = read_text(field, field.syntax, value, text)) return fault;
  out.set(field.field, as_text(text));
  return std::nullopt;
}

Fault set_nullable_text(const CommandField& field, const Json& value, Builder out) {
  if (value.is_null()) {
    init<NullableText>(field, out).setNull();
    return std::nullopt;
  }
  std::string text;
  if (auto fault = read_text(field, field.syntax, value, text)) return fault;
  init<NullableText>(field, out).setValue(as_text(text));
  return std::nullopt;
}

Fault set_boolean(const CommandField& field, const Json& value, Builder out) {
  if (value.boolean() == nullptr) return wrong_type(field);
  init<OptionalBool>(field, out).setValue(*value.boolean());
  return std::nullopt;
}

Fault set_integer(const CommandField& field, const Json& value, Builder out) {
  const std::int64_t max = field.column->type == SqlType::INTEGER ? kUserIdMax : kIdMax;
  const auto integer = integer_in(value, 1, max);
  if (!integer) return wrong_type(field);
  init<OptionalInt>(field, out).setValue(*integer);
  return std::nullopt;
}

Fault set_time(const CommandField& field, const Json& value, Builder out) {
  const auto time = time_in(value);
  if (!time) return wrong_type(field);
  init<OptionalTime>(field, out).setMicros(time->micros);
  return std::nullopt;
}

Fault set_nullable_time(const CommandField& field, const Json& value, Builder out) {
  if (value.is_null()) {
    init<ClearableTime>(field, out).setNull();
    return std::nullopt;
  }
  const auto time = time_in(value);
  if (!time) return wrong_type(field);
  init<ClearableTime>(field, out).setMicros(time->micros);
  return std::nullopt;
}

Fault set_uuid(const CommandField& field, const Json& value, Builder out) {
  const auto uuid = uuid_in(value);
  if (!uuid || *uuid == Uuid{}) return wrong_type(field);
  out.set(field.field, as_data(*uuid));
  return std::nullopt;
}

Fault set_document(const CommandField& field, const Json& value, Builder out) {
  const bool fits =
      field.type == FieldType::kJsonObject ? value.object() != nullptr : value.array() != nullptr;
  if (!fits) return wrong_type(field);
  const auto printed = to_jsonb_text(value);
  if (const auto* error = std::get_if<JsonError>(&printed)) {
    return refuse("invalid_json", field.name, fmt::format("{}: {}", field.name, error->message));
  }
  const std::string& text = std::get<std::string>(printed);
  if (text.size() > kTextBytesMax) {
    return refuse("too_large", field.name,
                  fmt::format("{} must have at most {} bytes", field.name, kTextBytesMax));
  }
  out.set(field.field, as_text(text));
  return std::nullopt;
}

// `make` gives the reference; it is not called before the value is known to be good, so that a
// refused one leaves nothing behind.
template <class MakeReference>
Fault set_user(const CommandField& field, const Json& value, MakeReference make) {
  if (value.number() != nullptr) {
    const auto id = integer_in(value, 1, kUserIdMax);
    if (!id) return wrong_type(field);
    make().setId(*id);
    return std::nullopt;
  }
  std::string username;
  if (auto fault = read_text(field, Syntax::FREE, value, username)) return fault;
  make().setUsername(as_text(username));
  return std::nullopt;
}

Fault set_nullable_user(const CommandField& field, const Json& value, Builder out) {
  if (value.is_null()) {
    init<ClearableUserRef>(field, out).setNull();
    return std::nullopt;
  }
  return set_user(field, value, [&] { return init<ClearableUserRef>(field, out).initUser(); });
}

// A slug that no tenant can have is looked up like any other.
Fault set_tenant(const CommandField& field, const Json& value, Builder out) {
  if (const auto id = uuid_in(value)) {
    init<TenantRef>(field, out).setId(as_data(*id));
    return std::nullopt;
  }
  std::string slug;
  if (auto fault = read_text(field, Syntax::FREE, value, slug)) return fault;
  init<TenantRef>(field, out).setSlug(as_text(to_ascii_lower(slug)));
  return std::nullopt;
}

Fault set_domain(const CommandField& field, const Json& value, Builder out) {
  std::string host;
  if (auto fault = read_text(field, Syntax::HOST, value, host)) return fault;
  init<DomainRef>(field, out).setHost(as_text(host));
  return std::nullopt;
}

Fault set_invitation(const CommandField& field, const Json& value, Builder out) {
  if (const auto id = uuid_in(value)) {
    init<InvitationRef>(field, out).setId(as_data(*id));
    return std::nullopt;
  }
  std::string token;
  if (auto fault = read_text(field, Syntax::FREE, value, token)) return fault;
  init<InvitationRef>(field, out).setToken(as_text(token));
  return std::nullopt;
}

Fault set_protein(const CommandField& field, const Json& value, Builder out) {
  if (value.number() != nullptr) {
    const auto id = integer_in(value, 1, kIdMax);
    if (!id) return wrong_type(field);
    init<ProteinRef>(field, out).setId(*id);
    return std::nullopt;
  }
  std::string name;
  if (auto fault = read_text(field, Syntax::FREE, value, name)) return fault;
  init<ProteinRef>(field, out).setName(as_text(name));
  return std::nullopt;
}

// A rejection names a key directly in `data`, so which of the user's fields it was is in words.
Fault set_new_user(const CommandField& field, const Json& value, Builder out) {
  if (value.object() == nullptr) return wrong_type(field);
  Fault fault = fill(command_info(Command::REGISTER_USER), value,
                     out.init(field.field).as<capnp::DynamicStruct>());
  if (fault) {
    fault->message = fmt::format("in {}: {}", field.name, fault->message);
    fault->field = field.name;
  }
  return fault;
}

Fault set_field(const CommandField& field, const Json& value, Builder out) {
  switch (field.type) {
    case FieldType::kText:
      return set_text(field, value, out);
    case FieldType::kNullableText:
      return set_nullable_text(field, value, out);
    case FieldType::kBoolean:
      return set_boolean(field, value, out);
    case FieldType::kInteger:
      return set_integer(field, value, out);
    case FieldType::kTime:
      return set_time(field, value, out);
    case FieldType::kNullableTime:
      return set_nullable_time(field, value, out);
    case FieldType::kUuid:
      return set_uuid(field, value, out);
    case FieldType::kJsonObject:
    case FieldType::kJsonArray:
      return set_document(field, value, out);
    case FieldType::kUser:
      return set_user(field, value, [&] { return init<UserRef>(field, out); });
    case FieldType::kNullableUser:
      return set_nullable_user(field, value, out);
    case FieldType::kTenant:
      return set_tenant(field, value, out);
    case FieldType::kDomain:
      return set_domain(field, value, out);
    case FieldType::kInvitation:
      return set_invitation(field, value, out);
    case FieldType::kProtein:
      return set_protein(field, value, out);
    case FieldType::kNewUser:
      return set_new_user(field, value, out);
  }
  throw std::logic_error("a field of no known type: " + field.name);
}

// --- Commands -----------------------------------------------------------------------------------

// What `data` gives for each field of a command, null for what it leaves out.
using GivenFields = std::vector<const Json*>;

Fault find_given(const CommandInfo& info, const JsonObject& data, GivenFields& given) {
  given.resize(info.fields.size());
  for (const auto& [key, value] : data) {
    const auto field = std::ranges::find(info.fields, key, &CommandField::name);
    if (field == info.fields.end()) {
      std::vector<std::string_view> names;
      for (const CommandField& known : info.fields) names.emplace_back(known.name);
      return refuse("unknown_field", excerpt(key),
                    fmt::format("{} has no field \"{}\"; it has {}", info.name, excerpt(key),
                                fmt::join(names, ", ")));
    }
    given[static_cast<std::size_t>(std::distance(info.fields.begin(), field))] = &value;
  }
  return std::nullopt;
}

Fault check_missing(const CommandInfo& info, const GivenFields& given) {
  for (std::size_t place = 0; place < given.size(); ++place) {
    const CommandField& field = info.fields[place];
    if (given[place] == nullptr) {
      if (!field.required) continue;
      return refuse("missing_field", field.name,
                    fmt::format("{} needs {}: {}", info.name, field.name, expectation(field)));
    }
    const std::string* const text = given[place]->string();
    if (field.nonempty && text != nullptr && text->empty()) {
      return refuse("missing_field", field.name, fmt::format("{} must not be empty", field.name));
    }
  }
  return std::nullopt;
}

Fault check_alternatives(const CommandInfo& info, const GivenFields& given) {
  if (info.exactly_one_of.empty()) return std::nullopt;
  std::vector<std::string_view> names;
  const CommandField* last_given = nullptr;
  std::size_t count = 0;
  for (const std::size_t place : info.exactly_one_of) {
    names.emplace_back(info.fields[place].name);
    if (given[place] == nullptr) continue;
    last_given = &info.fields[place];
    ++count;
  }
  if (count == 1) return std::nullopt;
  std::string message = fmt::format("give exactly one of {}", fmt::join(names, " and "));
  if (count == 0) return refuse("missing_field", names.front(), std::move(message));
  return refuse("invalid_type", last_given->name, std::move(message));
}

Fault fill(const CommandInfo& info, const Json& data, Builder out) {
  GivenFields given;
  if (auto fault = find_given(info, *data.object(), given)) return fault;
  if (auto fault = check_missing(info, given)) return fault;
  if (auto fault = check_alternatives(info, given)) return fault;
  for (std::size_t place = 0; place < given.size(); ++place) {
    if (given[place] == nullptr) continue;
    if (auto fault = set_field(info.fields[place], *given[place], out)) return fault;
  }
  return std::nullopt;
}

Fault check_document(const ColumnInfo& column, const std::string& text) {
  if (text == "{}" || text == "[]") return std::nullopt;  // By far the most frequent.
  const auto wrong = [&](const JsonError& error) {
    return refuse("invalid_json", column.name, fmt::format("{}: {}", column.name, error.message));
  };
  const auto parsed = parse_json(text);
  if (const auto* error = std::get_if<JsonError>(&parsed)) return wrong(*error);
  const auto printed = to_jsonb_text(std::get<Json>(parsed));
  if (const auto* error = std::get_if<JsonError>(&printed)) return wrong(*error);
  return std::nullopt;
}

}  // namespace

std::variant<EncodedCommand, Refusal> parse_command(const CommandInfo& info, const Json& data) {
  if (data.object() == nullptr) {
    return refuse("invalid_type", "data",
                  fmt::format("data must be a JSON object of {}'s fields", info.name));
  }
  constexpr std::size_t kScratchWords = 512;  // Enough for all but commands with long texts.
  capnp::word scratch[kScratchWords] = {};
  capnp::MallocMessageBuilder message(kj::arrayPtr(scratch, kScratchWords));
  auto root = message.initRoot<capnp::DynamicStruct>(capnp::Schema::from<Command>());
  if (auto fault = fill(info, data, root.init(info.member).as<capnp::DynamicStruct>())) {
    return *std::move(fault);
  }
  return encode_canonical(message.getRoot<Command>().asReader());
}

std::optional<Refusal> check_column_text(const ColumnInfo& column, const std::string& text) {
  if (text.size() > kTextBytesMax) {
    return refuse("too_large", column.name,
                  fmt::format("{} has more than {} bytes", column.name, kTextBytesMax));
  }
  if (column.type == SqlType::JSONB) return check_document(column, text);
  if (column.length != 0 && is_longer(text, column.length)) {
    return refuse("too_long", column.name,
                  fmt::format("{} has more than {} characters", column.name, column.length));
  }
  const auto found = fields_with_syntax().find(&column);
  if (found == fields_with_syntax().end()) return std::nullopt;
  return check_syntax(*found->second, found->second->syntax, text);
}

}  // namespace tenantry::events
