#include "tools/command_output.h"

#include <stdexcept>
#include <string>

#include <capnp/dynamic.h>
#include <fmt/format.h>

#include "core/error.h"
#include "events/commands.capnp.h"

namespace tenantry::tools {
namespace {

using events::CommandField;
using events::FieldType;

std::string text_of(capnp::Text::Reader text) { return {text.cStr(), text.size()}; }

events::Uuid uuid_of(capnp::Data::Reader data) {
  events::Uuid uuid;
  TENANTRY_ASSERT(data.size() == uuid.bytes.size());
  std::copy(data.begin(), data.end(), uuid.bytes.begin());
  return uuid;
}

Cell user_cell(events::UserRef::Reader user) {
  return user.isId() ? Cell(user.getId()) : Cell(text_of(user.getUsername()));
}

// One field of a command, present, as a value.
class FieldWriter {
 public:
  FieldWriter(JsonBuilder& json, const CommandOutput& options) : json_(json), options_(options) {}

  void write_fields(const events::CommandInfo& info, capnp::DynamicStruct::Reader command) {
    json_.begin_object();
    for (const CommandField& field : info.fields) {
      if (!command.has(field.field)) continue;
      const bool hidden = field.secret && !options_.reveal;
      if (hidden && !field.required) continue;
      json_.key(field.name);
      if (hidden) {
        json_.string(fmt::format("!left-out-{}", options_.number));
      } else {
        write(field, command.get(field.field));
      }
    }
    json_.end_object();
  }

 private:
  template <class Struct>
  static typename Struct::Reader as(const capnp::DynamicValue::Reader& value) {
    return value.as<capnp::DynamicStruct>().as<Struct>();
  }

  void write(const CommandField& field, const capnp::DynamicValue::Reader& value) {
    switch (field.type) {
      case FieldType::kText:
        json_.string(text_of(value.as<capnp::Text>()));
        return;
      case FieldType::kJsonObject:
      case FieldType::kJsonArray:
        json_.value(JsonText{text_of(value.as<capnp::Text>())});
        return;
      case FieldType::kUuid:
        json_.value(uuid_of(value.as<capnp::Data>()));
        return;
      case FieldType::kNewUser:
        write_fields(events::command_info(events::Command::REGISTER_USER),
                     value.as<capnp::DynamicStruct>());
        return;
      default:
        json_.value(cell_of(field.type, value));
        return;
    }
  }

  static Cell cell_of(FieldType type, const capnp::DynamicValue::Reader& value) {
    switch (type) {
      case FieldType::kNullableText: {
        const auto text = as<events::NullableText>(value);
        return text.isNull() ? Cell(events::Null{}) : Cell(text_of(text.getValue()));
      }
      case FieldType::kBoolean:
        return as<events::OptionalBool>(value).getValue();
      case FieldType::kInteger:
        return as<events::OptionalInt>(value).getValue();
      case FieldType::kTime:
        return events::Timestamp{as<events::OptionalTime>(value).getMicros()};
      case FieldType::kNullableTime: {
        const auto time = as<events::ClearableTime>(value);
        return time.isNull() ? Cell(events::Null{}) : Cell(events::Timestamp{time.getMicros()});
      }
      case FieldType::kNullableUser: {
        const auto user = as<events::ClearableUserRef>(value);
        return user.isNull() ? Cell(events::Null{}) : user_cell(user.getUser());
      }
      default:
        return reference_cell(type, value);
    }
  }

  static Cell reference_cell(FieldType type, const capnp::DynamicValue::Reader& value) {
    switch (type) {
      case FieldType::kUser:
        return user_cell(as<events::UserRef>(value));
      case FieldType::kTenant: {
        const auto tenant = as<events::TenantRef>(value);
        return tenant.isId() ? Cell(uuid_of(tenant.getId())) : Cell(text_of(tenant.getSlug()));
      }
      case FieldType::kDomain:
        return text_of(as<events::DomainRef>(value).getHost());
      case FieldType::kInvitation: {
        const auto invitation = as<events::InvitationRef>(value);
        return invitation.isId() ? Cell(uuid_of(invitation.getId()))
                                 : Cell(text_of(invitation.getToken()));
      }
      case FieldType::kProtein: {
        const auto protein = as<events::ProteinRef>(value);
        return protein.isId() ? Cell(protein.getId()) : Cell(text_of(protein.getName()));
      }
      default:
        break;
    }
    throw std::logic_error("a field of no known type");
  }

  JsonBuilder& json_;
  const CommandOutput& options_;
};

void write_circumstances(JsonBuilder& json, const events::Circumstances& circumstances,
                         bool with_causation) {
  const auto add = [&json](const char* key, const std::string& text) {
    if (!text.empty()) json.key(key).string(text);
  };
  if (circumstances.id) json.member("id", *circumstances.id);
  add("actor", circumstances.actor);
  add("channel", circumstances.channel);
  add("reason", circumstances.reason);
  add("correlation_id", circumstances.correlation_id);
  if (circumstances.causation_position && with_causation) {
    json.member("causation_position", number_cell(*circumstances.causation_position));
  }
  using Kind = events::ExpectedVersion::Kind;
  const events::ExpectedVersion& expected = circumstances.expected_version;
  if (expected.kind == Kind::kNone) json.key("expected_version").string("none");
  if (expected.kind == Kind::kExact) {
    json.member("expected_version", number_cell(expected.version));
  }
  if (circumstances.at) json.member("at", *circumstances.at);
}

}  // namespace

void build_command(JsonBuilder& json, const events::CommandRequest& request,
                   const CommandOutput& options) {
  events::MessageView view(request.command);
  const auto command = view.root<events::Command>();
  const events::CommandInfo& info = events::command_info(command.which());
  json.begin_object();
  json.key("command").string(info.name);
  json.key("data");
  FieldWriter(json, options)
      .write_fields(
          info, capnp::DynamicStruct::Reader(command).get(info.member).as<capnp::DynamicStruct>());
  write_circumstances(json, request.circumstances, options.with_causation);
  json.end_object();
}

}  // namespace tenantry::tools
