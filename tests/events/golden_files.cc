#include "tests/events/golden_files.h"

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <variant>

#include <capnp/dynamic.h>
#include <capnp/message.h>
#include <fmt/format.h>

#include "events/text.h"

namespace tenantry::events {
namespace {

constexpr Timestamp kRecordedAt{1'700'000'000'000'000};
constexpr std::string_view kEnvelope = "event.";
constexpr std::size_t kWordBytes = 8;

std::filesystem::path directory() {
  return std::filesystem::path(TENANTRY_SOURCE_DIR) / "tests" / "golden" / "events";
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path.string());
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void write_file(const std::filesystem::path& path, std::string_view text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  if (!file.flush()) throw std::runtime_error("cannot write " + path.string());
}

// A word a line: offset, bytes, and the bytes that are printable ASCII. `xxd -r` reads it, too.
std::string dump(std::string_view bytes) {
  std::string text;
  for (std::size_t at = 0; at < bytes.size(); at += kWordBytes) {
    std::string shown;
    text += fmt::format("{:08x}:", at);
    for (const char byte : bytes.substr(at, kWordBytes)) {
      text += fmt::format(" {}", hex({&byte, 1}));
      shown += byte >= ' ' && byte <= '~' ? byte : '.';
    }
    text += fmt::format("  {}\n", shown);
  }
  return text;
}

EncodedEvent undump(std::string_view text) {
  constexpr std::size_t kBytesColumn = 10;
  EncodedEvent bytes;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    for (std::size_t byte = 0; byte < kWordBytes; ++byte) {
      const std::string digits(line.substr(kBytesColumn + 3 * byte, 2));
      bytes += static_cast<char>(std::stoi(digits, nullptr, 16));
    }
    text.remove_prefix(std::min(text.size(), line.size() + 1));
  }
  return bytes;
}

std::string show(const Value& value) {
  struct Shown {
    std::string operator()(Null) const { return "null"; }
    std::string operator()(bool flag) const { return flag ? "true" : "false"; }
    std::string operator()(std::int64_t number) const { return std::to_string(number); }
    std::string operator()(Timestamp time) const { return format_timestamp(time); }
    std::string operator()(const Uuid& uuid) const { return format_uuid(uuid); }
    std::string operator()(const std::string& text) const { return fmt::format("\"{}\"", text); }
  };
  return std::visit(Shown{}, value);
}

// More than 32 bits where the column has them, and a letter of two bytes in every text.
Value sample(const KindInfo& kind, const EventField& field) {
  const std::uint32_t seed = kind.number * 16 + field.field.getIndex();
  switch (field.type->type) {
    case SqlType::BOOLEAN:
      return !field.field.getType().isEnum() || seed % 2 == 0;
    case SqlType::INTEGER:
      return std::int64_t{1'000'000} + seed;
    case SqlType::BIGINT:
      return std::int64_t{5'000'000'000} + seed;
    case SqlType::TIMESTAMPTZ:
      return Timestamp{1'234'567'890'123'456 + seed};
    case SqlType::UUID: {
      Uuid uuid;
      for (std::size_t at = 0; at < uuid.bytes.size(); ++at)
        uuid.bytes[at] = static_cast<std::uint8_t>(seed + 17 * at);
      return uuid;
    }
    case SqlType::JSONB:
      return fmt::format("{{\"{}\": [1, \"é\"]}}", field.name);
    case SqlType::VARCHAR:
    case SqlType::TEXT:
      break;
  }
  return field.name + " é";
}

// By the schema's own means, so that what reads the event later is not what wrote it.
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

void set_sample(capnp::DynamicStruct::Builder fact, const EventField& field, const Value& value) {
  const auto type = field.field.getType();
  if (!type.isEnum()) {
    set_field(fact, field.field, value);
    return;
  }
  const Flag flag = std::get<bool>(value) ? Flag::YES : Flag::NO;
  fact.set(field.field, capnp::DynamicEnum(type.asEnum(), static_cast<std::uint16_t>(flag)));
}

std::vector<std::string> circumstances() {
  std::vector<std::string> names;
  for (const auto field : capnp::Schema::from<Event>().getNonUnionFields())
    names.push_back(std::string(kEnvelope) + snake_case(field.getProto().getName().cStr()));
  return names;
}

std::string circumstance_sample(std::string_view name) {
  return fmt::format("{} é", name.substr(kEnvelope.size()));
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

std::string describe_envelope(EventView& view) {
  std::string text;
  const capnp::DynamicStruct::Reader event(view.event());
  for (const auto field : event.getSchema().getNonUnionFields()) {
    if (!event.has(field)) continue;
    text += fmt::format("{}{} = \"{}\"\n", kEnvelope, snake_case(field.getProto().getName().cStr()),
                        event.get(field).as<capnp::Text>().cStr());
  }
  return text;
}

std::string describe_change(EventView& view) {
  std::string text;
  for (const RowChange& change : row_changes(view, kRecordedAt)) {
    static const auto kEffects = capnp::Schema::from<Effect>().getEnumerants();
    const auto effect = kEffects[static_cast<std::uint16_t>(change.effect)];
    text += fmt::format("{} {} {} of tenant {}\n", effect.getProto().getName().cStr(),
                        change.table->name, format_entity_id(*change.table, change.id),
                        format_uuid(change.tenant));
    for (const auto& [place, value] : change.columns)
      text += fmt::format("{} = {}\n", change.table->columns[place].name, show(value));
  }
  return text.empty() ? "none\n" : text;
}

}  // namespace

std::vector<GoldenEvent> golden_events() {
  std::vector<GoldenEvent> events;
  for (const auto& entry : std::filesystem::directory_iterator(directory())) {
    if (entry.path().extension() != ".hex") continue;
    std::filesystem::path beside = entry.path();
    beside.replace_extension(".txt");
    events.push_back(
        {entry.path().stem().string(), undump(read_file(entry.path())), read_file(beside)});
  }
  std::ranges::sort(events, {}, &GoldenEvent::stem);
  return events;
}

std::vector<std::string> every_field(const KindInfo& kind) {
  std::vector<std::string> names = circumstances();
  for (const EventField& field : kind.fields) names.push_back(field.name);
  return names;
}

std::vector<std::string> needed_fields(const KindInfo& kind) {
  std::vector<std::string> names;
  for (const EventField& field : kind.fields) {
    const bool document =
        kind.effect == Effect::INSERT && field.type->type == SqlType::JSONB;  // "" is no JSON.
    if (field.is_id || field.type->is_owner || document) names.push_back(field.name);
  }
  return names;
}

EncodedEvent build_event(const KindInfo& kind, const std::vector<std::string>& carried) {
  capnp::MallocMessageBuilder message;
  auto event = message.initRoot<capnp::DynamicStruct>(capnp::Schema::from<Event>());
  for (const auto field : event.getSchema().getNonUnionFields()) {
    const std::string name = std::string(kEnvelope) + snake_case(field.getProto().getName().cStr());
    if (contains(carried, name)) event.set(field, circumstance_sample(name).c_str());
  }
  auto fact = event.init(kind.member).as<capnp::DynamicStruct>();
  for (const EventField& field : kind.fields) {
    if (contains(carried, field.name)) set_sample(fact, field, sample(kind, field));
  }
  return encode_canonical(event.as<Event>().asReader());
}

std::string describe(const KindInfo& kind, const std::vector<std::string>& carried,
                     std::string_view bytes) {
  std::string text = fmt::format("kind {} {}\n\n[carried]\n", kind.number, kind.name);
  for (const std::string& name : circumstances()) {
    if (contains(carried, name))
      text += fmt::format("{} = \"{}\"\n", name, circumstance_sample(name));
  }
  for (const EventField& field : kind.fields) {
    if (contains(carried, field.name))
      text += fmt::format("{} = {}\n", field.name, show(sample(kind, field)));
  }
  EventView view(bytes);
  text += "\n[decoded]\n" + describe_envelope(view);
  for (const auto& [field, value] : view.fields())
    text += fmt::format("{} = {}\n", field->name, show(value));
  if (view.other_tenant())
    text += fmt::format("(other tenant {})\n", format_uuid(*view.other_tenant()));
  return text + "\n[row changes]\n" + describe_change(view);
}

std::vector<std::string> carried_fields(std::string_view text) {
  std::vector<std::string> names;
  std::string lines = section(text, "carried");
  std::size_t at = 0;
  while (at < lines.size()) {
    names.push_back(lines.substr(at, lines.find(" = ", at) - at));
    at = lines.find('\n', at) + 1;
  }
  return names;
}

std::string section(std::string_view text, std::string_view heading) {
  const std::string title = fmt::format("\n[{}]\n", heading);
  const std::size_t found = text.find(title);
  if (found == std::string_view::npos) return {};
  const std::string_view rest = text.substr(found + title.size());
  if (rest.starts_with('\n')) return {};
  const std::size_t end = rest.find("\n\n");
  return std::string(end == std::string_view::npos ? rest : rest.substr(0, end + 1));
}

const KindInfo* kind_of(std::string_view stem) { return find_kind(stem.substr(0, stem.find('.'))); }

void write_golden_event(std::string_view stem, const EncodedEvent& bytes, const std::string& text) {
  std::string free(stem);
  for (int count = 2; std::filesystem::exists(directory() / (free + ".hex")); ++count)
    free = fmt::format("{}.{}", stem, count);
  write_file(directory() / (free + ".hex"), dump(bytes));
  write_file(directory() / (free + ".txt"), text);
}

}  // namespace tenantry::events
