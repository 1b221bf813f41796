#include "events/typed_values.h"

#include <cstring>
#include <string>
#include <string_view>

#include "events/encoding.h"
#include "events/events.capnp.h"
#include "events/rows.capnp.h"
#include "events/text.h"

namespace tenantry::events {
namespace {

// The years 1 to 9999, which is what the log stores.
constexpr Timestamp kFirstTime{-62'135'596'800'000'000};
constexpr Timestamp kLastTime{253'402'300'799'999'999};

[[noreturn]] void malformed(const ColumnInfo& column, const std::string& why) {
  throw MalformedError(column.name + ": " + why);
}

Value read_bytes(capnp::Data::Reader data, const ColumnInfo& column) {
  if (data.size() != 16)
    malformed(column, "an id of " + std::to_string(data.size()) + " bytes instead of 16");
  Uuid uuid;
  std::memcpy(uuid.bytes.data(), data.begin(), uuid.bytes.size());
  return uuid;
}

Value integer_value(std::int64_t number, const ColumnInfo& column) {
  if (column.type == SqlType::TIMESTAMPTZ) {
    if (number < kFirstTime.micros || number > kLastTime.micros)
      malformed(column, "a time outside the years 1 to 9999");
    return Timestamp{number};
  }
  if (column.type == SqlType::INTEGER && number != static_cast<std::int32_t>(number))
    malformed(column, "a number of more than 32 bits");
  return number;
}

std::string read_text(capnp::Text::Reader text, const ColumnInfo& column) {
  const std::string_view view(text.cStr(), text.size());
  if (!is_storable_text(view)) malformed(column, "a text that is not valid UTF-8 without U+0000");
  return std::string(view);
}

// NullableInt, NullableTime: one field of 64 bits.
Value read_wrapped(capnp::DynamicStruct::Reader wrapper, const ColumnInfo& column) {
  return integer_value(wrapper.get(wrapper.getSchema().getFields()[0]).as<std::int64_t>(), column);
}

}  // namespace

Value get_field(capnp::DynamicStruct::Reader source, capnp::StructSchema::Field field,
                const ColumnInfo& column) {
  const capnp::Type type = field.getType();
  const bool is_pointer = type.isText() || type.isData() || type.isStruct();
  if (is_pointer && !source.has(field)) {
    if (type.isText() && !column.nullable) return std::string{};
    return Null{};
  }
  const auto value = source.get(field);
  switch (type.which()) {
    case capnp::schema::Type::BOOL:
      return value.as<bool>();
    case capnp::schema::Type::INT32:
    case capnp::schema::Type::INT64:
      return integer_value(value.as<std::int64_t>(), column);
    case capnp::schema::Type::TEXT:
      return read_text(value.as<capnp::Text>(), column);
    case capnp::schema::Type::DATA:
      return read_bytes(value.as<capnp::Data>(), column);
    case capnp::schema::Type::ENUM: {  // A Flag; `unchanged` is left out before this is called.
      const auto number = value.as<capnp::DynamicEnum>().getRaw();
      if (number > static_cast<std::uint16_t>(Flag::YES)) malformed(column, "no flag");
      return number == static_cast<std::uint16_t>(Flag::YES);
    }
    case capnp::schema::Type::STRUCT:
      return read_wrapped(value.as<capnp::DynamicStruct>(), column);
    default:
      malformed(column, "a field of a type that no column has");
  }
}

void set_field(capnp::DynamicStruct::Builder target, capnp::StructSchema::Field field,
               const Value& value) {
  const auto set_integer = [&](std::int64_t number) {
    if (!field.getType().isStruct()) {
      target.set(field, number);
      return;
    }
    auto wrapper = target.init(field).as<capnp::DynamicStruct>();
    wrapper.set(wrapper.getSchema().getFields()[0], number);
  };
  if (const auto* flag = std::get_if<bool>(&value)) {
    target.set(field, *flag);
  } else if (const auto* number = std::get_if<std::int64_t>(&value)) {
    set_integer(*number);
  } else if (const auto* time = std::get_if<Timestamp>(&value)) {
    set_integer(time->micros);
  } else if (const auto* uuid = std::get_if<Uuid>(&value)) {
    target.set(field, capnp::Data::Reader(uuid->bytes.data(), uuid->bytes.size()));
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    target.set(field, capnp::Text::Reader(text->data(), text->size()));
  }
}

}  // namespace tenantry::events
