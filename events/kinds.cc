#include "events/kinds.h"

#include <algorithm>
#include <stdexcept>

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
  result.place = place_of(field);
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

// The columns that the event's time sets: none that the event carries.
std::vector<std::size_t> stamps_of(const KindInfo& kind) {
  std::vector<std::size_t> stamps;
  if (kind.effect != Effect::INSERT && kind.effect != Effect::PATCH) return stamps;
  for (std::size_t place = 0; place < kind.table->columns.size(); ++place) {
    const auto& stamp = kind.table->columns[place].stamp;
    const bool carried = std::ranges::any_of(
        kind.fields, [&](const EventField& field) { return field.column == place; });
    const bool sets = stamp && (kind.effect == Effect::INSERT || *stamp == Stamp::UPDATED);
    if (sets && !carried) stamps.push_back(place);
  }
  return stamps;
}

KindInfo read_kind(capnp::StructSchema::Field member) {
  KindInfo kind;
  kind.member = member;
  kind.pointer = member.getProto().getSlot().getOffset();
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
  kind.imported = find_annotation(annotations, annotation::imported).has_value();
  kind.stamps = stamps_of(kind);
  if (kind.effect == Effect::INSERT) check_insert(kind);
  if (kind.effect == Effect::RESERVE && !kind.table->integer_ids) {
    throw std::logic_error(kind.name + " reserves ids of a table that does not count them");
  }
  return kind;
}

std::vector<KindInfo> read_kinds() {
  std::vector<KindInfo> all;
  for (const auto member : capnp::Schema::from<Event>().getUnionFields())
    all.push_back(read_kind(member));
  return all;
}

// Whether a field that could be left out was.
bool is_absent(capnp::AnyStruct::Reader fact, const EventField& field) {
  if (field.place.type == capnp::schema::Type::ENUM) return is_unchanged(fact, field.place);
  if (field.place.type != capnp::schema::Type::TEXT || field.type->nullable) return false;
  return !has_pointer(fact, field.place);
}

Uuid read_uuid(capnp::AnyStruct::Reader fact, const EventField& field) {
  const Value value = get_field(fact, field.place, *field.type);
  if (const auto* uuid = std::get_if<Uuid>(&value)) return *uuid;
  throw MalformedError(field.name + " is missing");
}

std::string_view of_permitted_size(std::string_view payload) {
  if (payload.size() > kPayloadBytesMax)
    throw MalformedError("an event of " + std::to_string(payload.size()) + " bytes");
  return payload;
}

// A message of which nothing is read.
constexpr std::string_view kNothing("\0\0\0\0\0\0\0", sizeof(capnp::word));

MalformedError unknown_kind(std::uint32_t number) {
  return MalformedError("an event of kind " + std::to_string(number) +
                        ", which this version of tenantry does not know");
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

namespace {

// Of a change: the tenant that a row goes to.
bool is_moved_to(const KindInfo& kind, const EventField& field) {
  return !field.is_id && field.type->is_owner && kind.effect == Effect::PATCH &&
         field.column.has_value();
}

}  // namespace

bool may_have_other_tenant(const KindInfo& kind) {
  return std::ranges::any_of(kind.fields,
                             [&](const EventField& field) { return is_moved_to(kind, field); });
}

EventView::EventView(std::string_view payload, Origin origin, bool borrows)
    : view_(of_permitted_size(payload), origin, borrows) {
  try {
    event_ = view_.root<Event>();
    const auto which = static_cast<std::uint32_t>(event_.which()) + 1U;
    kind_ = find_kind(which);
    if (kind_ == nullptr) throw unknown_kind(which);
    check_circumstances(event_);
    const auto pointers = capnp::AnyStruct::Reader(event_).getPointerSection();
    if (kind_->pointer >= pointers.size() || pointers[kind_->pointer].isNull())
      throw MalformedError(kind_->name + " without its fact");
    fact_ = pointers[kind_->pointer].getAs<capnp::AnyStruct>();
    read_ids();
  } catch (const kj::Exception& error) {
    throw MalformedError(std::string("unreadable event: ") + error.getDescription().cStr());
  }
}

EventView::EventView(std::uint32_t kind, const Uuid& entity, const Uuid& tenant)
    : view_(kNothing, Origin::kStored, /*borrows=*/false),
      kind_(find_kind(kind)),
      entity_(entity),
      tenant_(tenant),
      is_redacted_(true) {
  if (kind_ == nullptr) throw unknown_kind(kind);
}

void EventView::read_ids() {
  for (const EventField& field : kind_->fields) {
    if (field.is_id) {
      const Value id = get_field(fact_, field.place, *field.type);
      if (std::holds_alternative<Null>(id)) throw MalformedError(kind_->name + " without an id");
      entity_ = entity_key(id);
      if (field.type->is_owner) tenant_ = entity_;
    } else if (field.type->is_owner) {
      (is_moved_to(*kind_, field) ? other_tenant_.emplace() : tenant_) = read_uuid(fact_, field);
    }
  }
}

std::vector<std::pair<const EventField*, Value>> EventView::fields() const {
  if (is_redacted_) return {};
  try {
    std::vector<std::pair<const EventField*, Value>> found;
    found.reserve(kind_->fields.size());
    for (const EventField& field : kind_->fields) {
      // An insert leaves nothing out: a text that is not there is empty.
      const bool left_out = kind_->effect != Effect::INSERT && is_absent(fact_, field);
      if (!left_out) found.emplace_back(&field, get_field(fact_, field.place, *field.type));
    }
    return found;
  } catch (const kj::Exception& error) {
    throw MalformedError("unreadable " + kind_->name + ": " + error.getDescription().cStr());
  }
}

bool EventView::concerns_user(std::int64_t user) const {
  for (const auto& [field, value] : fields()) {
    const bool names_user = field->type->references == "auth_user" ||
                            (field->is_id && kind_->table->entity == EntityKind::USER);
    const auto* id = std::get_if<std::int64_t>(&value);
    if (names_user && id != nullptr && *id == user) return true;
  }
  return false;
}

namespace {

// Every column of a new row, in order; what is not given is NULL.
void complete_row(const KindInfo& kind, std::vector<std::pair<std::size_t, Value>>& columns) {
  std::vector<std::pair<std::size_t, Value>> row;
  row.reserve(kind.table->columns.size());
  for (std::size_t place = 0; place < kind.table->columns.size(); ++place)
    row.emplace_back(place, Null{});
  for (auto& [place, value] : columns) row[place].second = std::move(value);
  for (const auto& [place, value] : row) {
    const ColumnInfo& column = kind.table->columns[place];
    if (!column.nullable && std::holds_alternative<Null>(value))
      throw MalformedError(kind.name + " without " + column.name);
  }
  columns = std::move(row);
}

}  // namespace

std::vector<RowChange> row_changes(const EventView& event, Timestamp recorded_at) {
  const KindInfo& kind = event.kind();
  const TableInfo& table = *kind.table;
  std::vector<RowChange> changes;
  if (kind.effect == Effect::NOTE || event.is_redacted()) return changes;
  RowChange& change = changes.emplace_back(
      RowChange{&table, kind.effect, event.entity(), event.tenant(), {}, kind.imported});
  if (kind.effect == Effect::REMOVE || kind.effect == Effect::RESERVE) return changes;
  change.columns.reserve(table.columns.size());
  for (auto& [field, value] : event.fields()) {
    if (field->column) change.columns.emplace_back(*field->column, std::move(value));
  }
  for (const auto& constant : kind.constants) change.columns.push_back(constant);
  for (const std::size_t place : kind.stamps) change.columns.emplace_back(place, recorded_at);
  if (kind.effect == Effect::INSERT) complete_row(kind, change.columns);
  return changes;
}

void apply_patch(RowValues& row, const RowChange& change) {
  for (const auto& [place, value] : change.columns) row[place] = value;
}

void apply_patch(RowValues& row, RowChange&& change) {
  for (auto& [place, value] : change.columns) row[place] = std::move(value);
}

}  // namespace tenantry::events
