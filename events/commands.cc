#include "events/commands.h"

#include <algorithm>
#include <array>
#include <stdexcept>

#include "events/annotation_reader.h"

namespace tenantry::events {
namespace {

[[noreturn]] void inconsistent(std::string_view command, std::string_view field,
                               std::string_view why) {
  throw std::logic_error("commands.capnp: " + std::string(command) + "." + std::string(field) +
                         " " + std::string(why));
}

FieldType type_of_struct(capnp::StructSchema schema, std::string_view command,
                         std::string_view field) {
  struct Known {
    capnp::StructSchema schema;
    FieldType type;
  };
  static const std::array kKnown = {
      Known{capnp::Schema::from<NullableText>(), FieldType::kNullableText},
      Known{capnp::Schema::from<OptionalBool>(), FieldType::kBoolean},
      Known{capnp::Schema::from<OptionalInt>(), FieldType::kInteger},
      Known{capnp::Schema::from<OptionalTime>(), FieldType::kTime},
      Known{capnp::Schema::from<ClearableTime>(), FieldType::kNullableTime},
      Known{capnp::Schema::from<UserRef>(), FieldType::kUser},
      Known{capnp::Schema::from<ClearableUserRef>(), FieldType::kNullableUser},
      Known{capnp::Schema::from<TenantRef>(), FieldType::kTenant},
      Known{capnp::Schema::from<DomainRef>(), FieldType::kDomain},
      Known{capnp::Schema::from<InvitationRef>(), FieldType::kInvitation},
      Known{capnp::Schema::from<ProteinRef>(), FieldType::kProtein},
      Known{capnp::Schema::from<RegisterUser>(), FieldType::kNewUser},
  };
  for (const Known& candidate : kKnown) {
    if (candidate.schema == schema) return candidate.type;
  }
  inconsistent(command, field, "has a struct that no field may have");
}

FieldType type_of(capnp::Type type, Syntax syntax, std::string_view command,
                  std::string_view field) {
  if (type.isText()) {
    if (syntax == Syntax::JSON_OBJECT) return FieldType::kJsonObject;
    if (syntax == Syntax::JSON_ARRAY) return FieldType::kJsonArray;
    return FieldType::kText;
  }
  if (syntax != Syntax::FREE) inconsistent(command, field, "has a syntax but is no text");
  if (type.isData()) return FieldType::kUuid;
  if (type.isStruct()) return type_of_struct(type.asStruct(), command, field);
  inconsistent(command, field, "cannot be absent");
}

const ColumnInfo* find_column(const TableInfo* table, std::string_view name) {
  if (table == nullptr) return nullptr;
  const auto place = table->find_column(name);
  return place ? &table->columns[*place] : nullptr;
}

// `table.column`; null when there is none.
const ColumnInfo* find_column(std::string_view path) {
  const std::size_t dot = path.find('.');
  if (dot == std::string_view::npos) return nullptr;
  return find_column(find_table(path.substr(0, dot)), path.substr(dot + 1));
}

// The column that a reference's name is looked up in; empty for fields that are no reference.
std::string_view name_column(FieldType type) {
  switch (type) {
    case FieldType::kUser:
    case FieldType::kNullableUser:
      return "auth_user.username";
    case FieldType::kTenant:
      return "tenants_tenant.slug";
    case FieldType::kDomain:
      return "tenants_tenantdomain.domain";
    case FieldType::kInvitation:
      return "tenants_invitation.token";
    case FieldType::kProtein:
      return "core_protein.name";
    default:
      return {};
  }
}

bool fits(const CommandField& field) {
  const SqlType type = field.column->type;
  switch (field.type) {
    case FieldType::kText:
      return type == SqlType::VARCHAR || type == SqlType::TEXT;
    case FieldType::kNullableText:
      return type == SqlType::VARCHAR && field.column->nullable;
    case FieldType::kInteger:
      return type == SqlType::INTEGER || type == SqlType::BIGINT;
    case FieldType::kUuid:
      return type == SqlType::UUID;
    case FieldType::kJsonObject:
    case FieldType::kJsonArray:
      return type == SqlType::JSONB;
    default:
      return true;
  }
}

// Whether what the field holds can only be checked with the column that it is for.
bool needs_column(FieldType type) {
  switch (type) {
    case FieldType::kText:
    case FieldType::kNullableText:
    case FieldType::kInteger:
    case FieldType::kUuid:
    case FieldType::kJsonObject:
    case FieldType::kJsonArray:
      return true;
    default:
      return false;
  }
}

void find_own_column(const CommandInfo& command, CommandField& field, Annotations annotations) {
  if (const std::string_view name = name_column(field.type); !name.empty()) {
    field.column = find_column(name);
    if (field.column == nullptr) inconsistent(command.name, field.name, "refers to no column");
    return;
  }
  if (!needs_column(field.type)) return;
  const std::string of = annotation_text(annotations, annotation::of);
  if (!of.empty()) {
    field.column = find_column(of);
  } else if (command.on != EntityKind::NONE) {
    field.column = find_column(&table_of(command.on), field.name);
  }
  if (field.column == nullptr) inconsistent(command.name, field.name, "is of no column");
  if (!fits(field)) inconsistent(command.name, field.name, "does not fit its column");
  if (field.secret != field.column->secret) {
    inconsistent(command.name, field.name, "and its column do not agree on being secret");
  }
}

// A host name has a syntax, and so a code of its own for an empty text.
bool is_reference_without_syntax(FieldType type) {
  return !name_column(type).empty() && type != FieldType::kDomain;
}

bool is_free_text(const CommandField& field) {
  const bool text = field.type == FieldType::kText || field.type == FieldType::kNullableText;
  return text && field.syntax == Syntax::FREE;
}

CommandField read_field(const CommandInfo& command, capnp::StructSchema::Field declared) {
  CommandField field;
  const auto annotations = declared.getProto().getAnnotations();
  field.field = declared;
  field.name = snake_case(to_string(declared.getProto().getName()));
  if (const auto syntax = find_annotation(annotations, annotation::syntax)) {
    field.syntax = static_cast<Syntax>(syntax->getValue().getEnum());
  }
  field.type = type_of(declared.getType(), field.syntax, command.name, field.name);
  field.required = find_annotation(annotations, annotation::required).has_value();
  field.secret = find_annotation(annotations, annotation::secret).has_value();
  field.help = annotation_text(annotations, annotation::help);
  find_own_column(command, field, annotations);
  field.nonempty =
      field.required && (is_free_text(field) || is_reference_without_syntax(field.type));
  return field;
}

// The fields of a command of which exactly one must be given; its $rules say so to people.
std::vector<std::string_view> alternatives(Command::Which which) {
  switch (which) {
    case Command::CHANGE_TENANT_SETTINGS:
      return {"merge", "replace"};
    case Command::ACCEPT_INVITATION:
      return {"user", "new_user"};
    default:
      return {};
  }
}

void find_alternatives(CommandInfo& command) {
  const std::uint16_t which = command.member.getProto().getDiscriminantValue();
  for (const std::string_view name : alternatives(static_cast<Command::Which>(which))) {
    const auto found = std::ranges::find(command.fields, name, &CommandField::name);
    if (found == command.fields.end()) inconsistent(command.name, name, "does not exist");
    command.exactly_one_of.push_back(
        static_cast<std::size_t>(std::distance(command.fields.begin(), found)));
  }
}

CommandInfo read_command(capnp::StructSchema::Field member) {
  CommandInfo command;
  command.member = member;
  command.schema = member.getType().asStruct();
  command.name = snake_case(to_string(member.getProto().getName()));
  const auto annotations = command.schema.getProto().getAnnotations();
  const auto on = find_annotation(annotations, annotation::on);
  if (!on) throw std::logic_error("commands.capnp: " + command.name + " has no $on");
  command.on = static_cast<EntityKind>(on->getValue().getEnum());
  command.help = annotation_text(annotations, annotation::help);
  if (command.help.empty()) {
    throw std::logic_error("commands.capnp: " + command.name + " has no $help");
  }
  if (const auto rules = find_annotation(annotations, annotation::rules)) {
    for (const auto rule : rules->getValue().getList().getAs<capnp::List<capnp::Text>>()) {
      command.rules.push_back(to_string(rule));
    }
  }
  for (const auto field : command.schema.getFields()) {
    command.fields.push_back(read_field(command, field));
  }
  find_alternatives(command);
  return command;
}

bool is_claimed(const ColumnInfo& column) {
  for (const TableInfo& table : tables()) {
    for (const ClaimInfo& claim : table.claims) {
      const auto is_column = [&](std::size_t place) { return &table.columns[place] == &column; };
      if (std::ranges::any_of(claim.columns, is_column)) return true;
    }
  }
  return false;
}

bool is_required_somewhere(const std::vector<CommandInfo>& all, const ColumnInfo& column) {
  for (const CommandInfo& command : all) {
    for (const CommandField& field : command.fields) {
      if (field.column == &column && field.required && is_free_text(field)) return true;
    }
  }
  return false;
}

// What may not be empty when a row is made may not be emptied later, and an empty text claims no
// name: null does, where there is none.
void find_nonempty(std::vector<CommandInfo>& all) {
  for (CommandInfo& command : all) {
    for (CommandField& field : command.fields) {
      if (!is_free_text(field)) continue;
      field.nonempty = is_required_somewhere(all, *field.column) || is_claimed(*field.column);
    }
  }
}

std::vector<CommandInfo> read_commands() {
  std::vector<CommandInfo> all;
  for (const auto member : capnp::Schema::from<Command>().getUnionFields()) {
    if (member.getProto().getDiscriminantValue() != all.size()) {
      throw std::logic_error("commands.capnp: the union's members are not numbered in order");
    }
    all.push_back(read_command(member));
  }
  find_nonempty(all);
  return all;
}

}  // namespace

const std::vector<CommandInfo>& commands() {
  static const std::vector<CommandInfo> kAll = read_commands();
  return kAll;
}

const CommandInfo* find_command(std::string_view name) {
  const auto found = std::ranges::find(commands(), name, &CommandInfo::name);
  return found == commands().end() ? nullptr : &*found;
}

const CommandInfo& command_info(Command::Which which) {
  const auto place = static_cast<std::size_t>(which);
  if (place >= commands().size()) {
    throw MalformedError("no command has the number " + std::to_string(place));
  }
  return commands()[place];
}

std::string_view field_type_name(FieldType type) {
  switch (type) {
    case FieldType::kText:
      return "text";
    case FieldType::kNullableText:
      return "text or null";
    case FieldType::kBoolean:
      return "true|false";
    case FieldType::kInteger:
      return "integer";
    case FieldType::kTime:
      return "time";
    case FieldType::kNullableTime:
      return "time or null";
    case FieldType::kUuid:
      return "UUID";
    case FieldType::kJsonObject:
      return "JSON object";
    case FieldType::kJsonArray:
      return "JSON array";
    case FieldType::kUser:
      return "id:N or username";
    case FieldType::kNullableUser:
      return "id:N, username or null";
    case FieldType::kTenant:
      return "UUID or slug";
    case FieldType::kDomain:
      return "host name";
    case FieldType::kInvitation:
      return "UUID or token";
    case FieldType::kProtein:
      return "id:N or name";
    case FieldType::kNewUser:
      return "JSON object of register_user's fields";
  }
  throw std::logic_error("a field of no known type");
}

const std::vector<std::string>& roles() {
  static const std::vector<std::string> kAll = {"owner", "admin", "manager", "user", "readonly"};
  return kAll;
}

const std::vector<std::string>& themes() {
  static const std::vector<std::string> kAll = {"light", "dark", "auto"};
  return kAll;
}

void set_circumstances(Event::Builder event, const Circumstances& circumstances) {
  if (!circumstances.actor.empty()) event.setActor(circumstances.actor);
  if (!circumstances.channel.empty()) event.setChannel(circumstances.channel);
  if (!circumstances.reason.empty()) event.setReason(circumstances.reason);
  if (!circumstances.correlation_id.empty()) event.setCorrelationId(circumstances.correlation_id);
}

}  // namespace tenantry::events
