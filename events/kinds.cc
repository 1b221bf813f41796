#include "events/kinds.h"

#include <stdexcept>

#include <capnp/dynamic.h>
#include <kj/exception.h>

#include "events/annotation_reader.h"
#include "events/text.h"
#include "events/typed_values.h"

namespace tenantry::events {
namespace {

Value constant_value(const ColumnInfo& column, const std::string& text) {
  if (column.type == SqlType::BOOLEAN) return text == "true";
  return text;
}

EventField read_event_field(const TableInfo& table, const KindInfo& kind,
                            capnp::StructSchema::Field field) {
  EventField result;
  const auto annotations = field.getProto().getAnnotations();
  result.field = field;
  result.name = snake_case(to_string(field.getProto().getName()));
  const std::string renamed = annotation_text(annotations, annotation::column);
  const auto place = table.find_column(renamed.empty() ? result.name : renamed);
  if (!place)
    throw std::logic_error(kind.name + "." + result.name + " is no column of " + table.name);
  result.type = &table.columns[*place];
  result.is_id = *place == table.id_column;
  result.secret =
      result.type->secret || find_annotation(annotations, annotation::secret).has_value();
  const bool context = find_annotation(annotations, annotation::context).has_value();
  if (!context && !result.is_id) result.column = place;
  if (result.is_id && kind.effect == Effect::INSERT) result.column = place;
  return result;
}

// An insert must give every column: by a field, a constant, the event's time, or NULL.
void check_insert(const KindInfo& kind) {
  for (std::size_t place = 0; place < kind.table->columns.size(); ++place) {
    const ColumnInfo& column = kind.table->columns[place];
    bool given = column.nullable || column.stamp.has_value();
    for (const EventField& field : kind.fields) given = given || field.column == place;
    for (const auto& constant : kind.constants) given = given || constant.first == place;
    if (!given) throw std::logic_error(kind.name + " inserts a row without " + column.name);
  }
}

KindInfo read_kind(capnp::StructSchema::Field member) {
  KindInfo kind;
  kind.member = member;
  kind.schema = member.getType().asStruct();
  kind.number = member.getProto().getDiscriminantValue() + 1U;
  kind.name = to_string(kind.schema.getShortDisplayName());
  const auto annotations = kind.schema.getProto().getAnnotations();
  const auto on = find_annotation(annotations, annotation::on);
  const auto effect = find_annotation(annotations, annotation::effect);
  if (!on || !effect) throw std::logic_error(kind.name + " lacks $on or $effect");
  kind.table = &table_of(static_cast<EntityKind>(on->getValue().getEnum()));
  kind.effect = static_cast<Effect>(effect->getValue().getEnum());
  for (const auto field : kind.schema.getFields()) {
    kind.fields.push_back(read_event_field(*kind.table, kind, field));
  }
  if (const auto sets = find_annotation(annotations, annotation::sets)) {
    for (const auto constant : sets->getValue().getList().getAs<capnp::List<Constant>>()) {
      const auto place = kind.table->find_column(to_string(constant.getColumn()));
      if (!place) throw std::logic_error(kind.name + " sets no column of " + kind.table->name);
      kind.constants.emplace_back(
          *place, constant_value(kind.table->columns[*place], to_string(constant.getValue())));
    }
  }
  if (kind.effect == Effect::INSERT) check_insert(kind);
  return kind;
}

std::vector<KindInfo> read_kinds() {
  std::vector<KindInfo> all;
  for (const auto member : capnp::Schema::from<Event>().getUnionFields())
    all.push_back(read_kind(member));
  return all;
}

bool is_flag(const EventField& field) { return field.field.getType().isEnum(); }

// Whether a field that could be left out was.
bool is_absent(capnp::DynamicStruct::Reader fact, const EventField& field) {
  if (is_flag(field)) return fact.get(field.field).as<capnp::DynamicEnum>().getRaw() == 0;
  if (!field.field.getType().isText()) return false;
  return !fact.has(field.field) && !field.type->nullable;
}

std::optional<Uuid> read_uuid(capnp::DynamicStruct::Reader fact, const EventField& field) {
  const Value value = get_field(fact, field.field, *field.type);
  if (const auto* uuid = std::get_if<Uuid>(&value)) return *uuid;
  throw MalformedError(field.name + " is missing");
}

std::string_view of_permitted_size(std::string_view payload) {
  if (payload.size() > kPayloadBytesMax)
    throw MalformedError("an event of " + std::to_string(payload.size()) + " bytes");
  return payload;
}

// Whoever reads them later meets neither an exception of Cap'n Proto nor a text that no target
// takes.
void check_circumstances(Event::Reader event) {
  for (const auto text :
       {event.getActor(), event.getChannel(), event.getReason(), event.getCorrelationId()}) {
    if (!is_storable_text({text.cStr(), text.size()}))
      throw MalformedError("a circumstance is not valid UTF-8 without U+0000");
  }
}

}  // namespace

const std::vector<KindInfo>& kinds() {
  static const std::vector<KindInfo> all = read_kinds();
  return all;
}

const KindInfo* find_kind(std::uint32_t number) {
  if (number == 0 || number > kinds().size()) return nullptr;
  return &kinds()[number - 1];
}

const KindInfo* find_kind(std::string_view name) {
  for (const KindInfo& kind : kinds()) {
    if (kind.name == name) return &kind;
  }
  return nullptr;
}

EventView::EventView(std::string_view payload) : view_(of_permitted_size(payload)) {
  try {
    const auto which = static_cast<std::uint32_t>(event().which()) + 1U;
    kind_ = find_kind(which);
    if (kind_ == nullptr) {
      throw MalformedError("an event of kind " + std::to_string(which) +
                           ", which this version of tenantry does not know");
    }
    check_circumstances(event());
    const auto fact = this->fact();
    for (const EventField& field : kind_->fields) {
      if (field.is_id) {
        const Value id = get_field(fact, field.field, *field.type);
        if (std::holds_alternative<Null>(id)) throw MalformedError(kind_->name + " without an id");
        entity_ = entity_key(id);
        if (field.type->is_owner) tenant_ = entity_;
      } else if (field.type->is_owner) {
        const bool moved_to = kind_->effect == Effect::PATCH && field.column.has_value();
        (moved_to ? other_tenant_.emplace() : tenant_) = *read_uuid(fact, field);
      }
    }
  } catch (const kj::Exception& error) {
    throw MalformedError(std::string("unreadable event: ") + error.getDescription().cStr());
  }
}

capnp::DynamicStruct::Reader EventView::fact() {
  capnp::DynamicStruct::Reader event = view_.root(capnp::Schema::from<Event>());
  if (!event.has(kind_->member)) throw MalformedError(kind_->name + " without its fact");
  return event.get(kind_->member).as<capnp::DynamicStruct>();
}

std::vector<std::pair<const EventField*, Value>> EventView::fields() {
  try {
    const auto fact = this->fact();
    std::vector<std::pair<const EventField*, Value>> found;
    found.reserve(kind_->fields.size());
    for (const EventField& field : kind_->fields) {
      // An insert leaves nothing out: a text that is not there is empty.
      const bool left_out = kind_->effect != Effect::INSERT && is_absent(fact, field);
      if (!left_out) found.emplace_back(&field, get_field(fact, field.field, *field.type));
    }
    return found;
  } catch (const kj::Exception& error) {
    throw MalformedError("unreadable " + kind_->name + ": " + error.getDescription().cStr());
  }
}

bool EventView::concerns_user(std::int64_t user) {
  for (const auto& [field, value] : fields()) {
    const bool names_user = field->type->references == "auth_user" ||
                            (field->is_id && kind_->table->entity == EntityKind::USER);
    const auto* id = std::get_if<std::int64_t>(&value);
    if (names_user && id != nullptr && *id == user) return true;
  }
  return false;
}

std::vector<RowChange> row_changes(EventView& event, Timestamp recorded_at) {
  const KindInfo& kind = event.kind();
  const TableInfo& table = *kind.table;
  RowChange change{&table, kind.effect, event.entity(), event.tenant(), {}};
  if (kind.effect == Effect::REMOVE) return {std::move(change)};
  for (auto& [field, value] : event.fields()) {
    if (field->column) change.columns.emplace_back(*field->column, std::move(value));
  }
  for (const auto& constant : kind.constants) change.columns.push_back(constant);
  const bool insert = kind.effect == Effect::INSERT;
  for (std::size_t place = 0; place < table.columns.size(); ++place) {
    const auto& stamp = table.columns[place].stamp;
    if (stamp && (insert || *stamp == Stamp::UPDATED))
      change.columns.emplace_back(place, recorded_at);
  }
  if (insert) {
    RowValues row(table.columns.size(), Null{});
    apply_patch(row, change);
    for (std::size_t place = 0; place < row.size(); ++place) {
      if (!table.columns[place].nullable && std::holds_alternative<Null>(row[place])) {
        throw MalformedError(kind.name + " without " + table.columns[place].name);
      }
    }
    change.columns.clear();
    for (std::size_t place = 0; place < row.size(); ++place) {
      change.columns.emplace_back(place, std::move(row[place]));
    }
  }
  return {std::move(change)};
}

void apply_patch(RowValues& row, const RowChange& change) {
  for (const auto& [place, value] : change.columns) row[place] = value;
}

}  // namespace tenantry::events
