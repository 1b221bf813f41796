#include "tools/json_builder.h"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

namespace tenantry::tools {

class JsonBuilder::Impl {
 public:
  void text(std::string_view text) {
    writer.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
  }

  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> writer{buffer};
};

JsonBuilder::JsonBuilder() : impl_(std::make_unique<Impl>()) {}
JsonBuilder::~JsonBuilder() = default;

JsonBuilder& JsonBuilder::begin_object() {
  impl_->writer.StartObject();
  return *this;
}

JsonBuilder& JsonBuilder::end_object() {
  impl_->writer.EndObject();
  return *this;
}

JsonBuilder& JsonBuilder::begin_array() {
  impl_->writer.StartArray();
  return *this;
}

JsonBuilder& JsonBuilder::end_array() {
  impl_->writer.EndArray();
  return *this;
}

JsonBuilder& JsonBuilder::key(std::string_view name) {
  impl_->writer.Key(name.data(), static_cast<rapidjson::SizeType>(name.size()));
  return *this;
}

JsonBuilder& JsonBuilder::value(const Cell& cell) {
  struct Visitor {
    Impl& impl;
    void operator()(const events::Null& /*null*/) const { impl.writer.Null(); }
    void operator()(bool value) const { impl.writer.Bool(value); }
    void operator()(std::int64_t value) const { impl.writer.Int64(value); }
    void operator()(events::Timestamp value) const { impl.text(format_timestamp(value)); }
    void operator()(const events::Uuid& value) const { impl.text(format_uuid(value)); }
    void operator()(const std::string& value) const { impl.text(value); }
    void operator()(const JsonText& value) const {
      impl.writer.RawValue(value.text.data(), value.text.size(), rapidjson::kObjectType);
    }
  };
  std::visit(Visitor{*impl_}, cell);
  return *this;
}

JsonBuilder& JsonBuilder::string(std::string_view text) {
  impl_->text(text);
  return *this;
}

std::string_view JsonBuilder::text() const {
  return {impl_->buffer.GetString(), impl_->buffer.GetSize()};
}

void JsonBuilder::clear() {
  impl_->buffer.Clear();
  impl_->writer.Reset(impl_->buffer);
}

JsonText texts_json(const std::vector<std::string>& texts) {
  JsonBuilder json;
  json.begin_array();
  for (const std::string& text : texts) json.string(text);
  json.end_array();
  return json.document();
}

}  // namespace tenantry::tools
