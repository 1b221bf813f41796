#include "events/imports.h"

#include <map>
#include <stdexcept>

#include <capnp/dynamic.h>
#include <capnp/message.h>

#include "events/kinds.h"

namespace tenantry::events {
namespace {

// The row's own struct has the same fields in the same places: its bytes are the fact's.
void check_layout(const KindInfo& kind) {
  const auto& columns = kind.table->columns;
  bool same = kind.fields.size() == columns.size();
  for (std::size_t at = 0; same && at < columns.size(); ++at) {
    const EventField& field = kind.fields[at];
    same = field.column == at && field.place.type == columns[at].place.type &&
           field.place.offset == columns[at].place.offset;
  }
  if (!same) throw std::logic_error(kind.name + " is not laid out as the row");
}

const KindInfo& import_kind(const TableInfo& table, Effect effect) {
  static const auto found = [] {
    std::map<std::pair<const TableInfo*, Effect>, const KindInfo*> all;
    for (const KindInfo& kind : kinds()) {
      if (!kind.imported) continue;
      if (kind.effect == Effect::INSERT) check_layout(kind);
      all[{kind.table, kind.effect}] = &kind;
    }
    return all;
  }();
  return *found.at({&table, effect});
}

}  // namespace

EncodedEvent imported_row(const TableInfo& table, const RowValues& row,
                          const Circumstances& circumstances) {
  const KindInfo& kind = import_kind(table, Effect::INSERT);
  const EncodedRow bytes = encode_row(table, row);
  auto fact = MessageView::over(bytes, Origin::kEncodedHere);
  capnp::MallocMessageBuilder message;
  auto event = message.initRoot<Event>();
  set_circumstances(event, circumstances);
  capnp::DynamicStruct::Builder(event).set(
      kind.member, fact.root<capnp::AnyStruct>().as<capnp::DynamicStruct>(kind.schema));
  return encode_canonical(event.asReader());
}

EncodedEvent reserved_ids(const TableInfo& table, std::int64_t largest,
                          const Circumstances& circumstances) {
  const KindInfo& kind = import_kind(table, Effect::RESERVE);
  capnp::MallocMessageBuilder message;
  auto event = message.initRoot<Event>();
  set_circumstances(event, circumstances);
  capnp::DynamicStruct::Builder(event)
      .init(kind.member)
      .as<capnp::DynamicStruct>()
      .set("id", largest);
  return encode_canonical(event.asReader());
}

}  // namespace tenantry::events
