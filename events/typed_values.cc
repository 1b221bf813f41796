#include "events/typed_values.h"

#include <bit>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>

#include "events/encoding.h"
#include "events/events.capnp.h"
#include "events/rows.capnp.h"
#include "events/text.h"

namespace tenantry::events {
namespace {

using capnp::schema::Type;

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

// Like NullableInt and NullableTime.
bool is_wrapped_number(capnp::StructSchema schema) {
  const auto fields = schema.getFields();
  return fields.size() == 1 && fields[0].getType().isInt64() &&
         !fields[0].getProto().getSlot().getHadExplicitDefault();
}

// What the data of a struct has at a place. Behind the end of the data everything is zero.
template <class Number>
Number read_number(capnp::AnyStruct::Reader source, std::size_t offset) {
  static_assert(std::endian::native == std::endian::little, "as Cap'n Proto writes numbers");
  const auto data = source.getDataSection();
  Number number = 0;
  if ((offset + 1) * sizeof(Number) <= data.size())
    std::memcpy(&number, data.begin() + offset * sizeof(Number), sizeof(Number));
  return number;
}

bool read_bit(capnp::AnyStruct::Reader source, std::size_t offset) {
  return (read_number<std::uint8_t>(source, offset / 8) >> (offset % 8) & 1U) != 0;
}

capnp::AnyPointer::Reader read_pointer(capnp::AnyStruct::Reader source, const FieldPlace& place) {
  const auto pointers = source.getPointerSection();
  return place.offset < pointers.size() ? pointers[place.offset] : capnp::AnyPointer::Reader();
}

std::int64_t number_of(const Value& value) {
  if (const auto* time = std::get_if<Timestamp>(&value)) return time->micros;
  return std::get<std::int64_t>(value);
}

Value pointer_value(capnp::AnyPointer::Reader pointer, const FieldPlace& place,
                    const ColumnInfo& column) {
  if (pointer.isNull()) {
    if (place.type == Type::TEXT && !column.nullable) return std::string{};
    return Null{};
  }
  if (place.type == Type::TEXT) return read_text(pointer.getAs<capnp::Text>(), column);
  if (place.type == Type::DATA) return read_bytes(pointer.getAs<capnp::Data>(), column);
  return integer_value(read_number<std::int64_t>(pointer.getAs<capnp::AnyStruct>(), 0), column);
}

}  // namespace

FieldPlace place_of(capnp::StructSchema::Field field) {
  const auto proto = field.getProto();
  const capnp::Type type = field.getType();
  const bool of_column = type.isBool() || type.isInt32() || type.isInt64() || type.isText() ||
                         type.isData() || type.isEnum() ||
                         (type.isStruct() && is_wrapped_number(type.asStruct()));
  if (!of_column || !proto.isSlot() || proto.getSlot().getHadExplicitDefault() ||
      proto.getDiscriminantValue() != capnp::schema::Field::NO_DISCRIMINANT) {
    throw std::logic_error(std::string("no field of a row or a fact: ") + proto.getName().cStr());
  }
  return {type.which(), proto.getSlot().getOffset()};
}

bool has_pointer(capnp::AnyStruct::Reader source, const FieldPlace& place) {
  return !read_pointer(source, place).isNull();
}

bool is_unchanged(capnp::AnyStruct::Reader source, const FieldPlace& place) {
  return read_number<std::uint16_t>(source, place.offset) ==
         static_cast<std::uint16_t>(Flag::UNCHANGED);
}

Value get_field(capnp::AnyStruct::Reader source, const FieldPlace& place,
                const ColumnInfo& column) {
  if (is_pointer(place)) return pointer_value(read_pointer(source, place), place, column);
  if (place.type == Type::BOOL) return read_bit(source, place.offset);
  if (place.type == Type::INT32)
    return integer_value(read_number<std::int32_t>(source, place.offset), column);
  if (place.type == Type::INT64)
    return integer_value(read_number<std::int64_t>(source, place.offset), column);
  // A Flag; `unchanged` is left out before this is called.
  const auto number = read_number<std::uint16_t>(source, place.offset);
  if (number > static_cast<std::uint16_t>(Flag::YES)) malformed(column, "no flag");
  return number == static_cast<std::uint16_t>(Flag::YES);
}

bool is_pointer(const FieldPlace& place) {
  return place.type == Type::TEXT || place.type == Type::DATA || place.type == Type::STRUCT;
}

void set_number(std::span<kj::byte> data, const FieldPlace& place, const Value& value) {
  if (place.type == Type::BOOL) {
    const unsigned bit = std::get<bool>(value) ? 1U : 0U;
    data[place.offset / 8] =
        static_cast<kj::byte>(data[place.offset / 8] | bit << place.offset % 8);
    return;
  }
  const std::int64_t number = number_of(value);
  const std::size_t size = place.type == Type::INT32 ? sizeof(std::int32_t) : sizeof(number);
  std::memcpy(&data[place.offset * size], &number, size);  // Little-endian: the low bytes first.
}

void set_pointer(capnp::AnyPointer::Builder pointer, const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) {
    pointer.setAs<capnp::Text>(capnp::Text::Reader(text->data(), text->size()));
  } else if (const auto* uuid = std::get_if<Uuid>(&value)) {
    pointer.setAs<capnp::Data>(capnp::Data::Reader(uuid->bytes.data(), uuid->bytes.size()));
  } else if (!std::holds_alternative<Null>(value)) {
    const std::int64_t number = number_of(value);
    auto wrapper = pointer.initAsAnyStruct(number == 0 ? 0 : 1, 0);
    if (number != 0) std::memcpy(wrapper.getDataSection().begin(), &number, sizeof(number));
  }
}

std::size_t object_words(const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return words_for(text->size() + 1);
  if (const auto* uuid = std::get_if<Uuid>(&value)) return words_for(uuid->bytes.size());
  return number_of(value) == 0 ? 0 : 1;
}

}  // namespace tenantry::events
