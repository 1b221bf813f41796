#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <capnp/schema.h>

#include "events/encoding.h"
#include "events/events.capnp.h"
#include "events/tables.h"

// The kinds of events, and what each means for a row.
namespace tenantry::events {

// A field of an event's struct.
struct EventField {
  std::string name;  // In JSON.
  capnp::StructSchema::Field field;
  FieldPlace place;
  std::optional<std::size_t> column;  // The column that it sets.
  const ColumnInfo* type = nullptr;   // The column whose type it has; never null.
  bool secret = false;
  bool is_id = false;
};

struct KindInfo {
  std::uint32_t number = 0;  // In record headers; never reused.
  std::string name;          // `UserRegistered`.
  const TableInfo* table = nullptr;
  Effect effect = Effect::PATCH;
  bool imported = false;  // It repeats what a database held.
  std::vector<EventField> fields;
  std::vector<std::pair<std::size_t, Value>> constants;  // Columns set without being carried.
  std::vector<std::size_t> stamps;                       // Columns set to the event's time.
  capnp::StructSchema::Field member;                     // In Event's union.
  std::uint32_t pointer = 0;                             // Of the member.
  capnp::StructSchema schema;
};

[[nodiscard]] const std::vector<KindInfo>& kinds();
[[nodiscard]] const KindInfo* find_kind(std::uint32_t number);
[[nodiscard]] const KindInfo* find_kind(std::string_view name);
// Whether there are events of that kind with an EventView::other_tenant().
[[nodiscard]] bool may_have_other_tenant(const KindInfo& kind);

// What one event does to one row. `columns` are (place in the table, value), every one for an
// insert, none for a removal or a reservation, which is about an id and no row.
struct RowChange {
  const TableInfo* table = nullptr;
  Effect effect = Effect::PATCH;
  Uuid id;
  Uuid tenant;  // The tenant that the row belongs to before the event; zero for a row of no tenant.
  std::vector<std::pair<std::size_t, Value>> columns;
  bool shares_claims = false;  // The new row may claim what another row does.
};

// An event's payload, decoded once. Throws MalformedError for bytes that are no event, an unknown
// kind (which is never skipped: an older program must stop), or fields outside their range.
class EventView {
 public:
  explicit EventView(std::string_view payload, Origin origin = Origin::kElsewhere)
      : EventView(payload, origin, /*borrows=*/false) {}
  // Borrows the payload, like MessageView::over().
  static EventView over(std::string_view payload, Origin origin = Origin::kElsewhere) {
    return {payload, origin, /*borrows=*/true};
  }
  // Of an event whose payload was taken away: what its header tells, and no fields. Throws
  // MalformedError for an unknown kind.
  static EventView redacted(std::uint32_t kind, const Uuid& entity, const Uuid& tenant) {
    return {kind, entity, tenant};
  }

  [[nodiscard]] bool is_redacted() const { return is_redacted_; }
  [[nodiscard]] const KindInfo& kind() const { return *kind_; }
  [[nodiscard]] Event::Reader event() const { return event_; }
  [[nodiscard]] Uuid entity() const { return entity_; }  // The stream.
  [[nodiscard]] Uuid tenant() const { return tenant_; }  // Zero for events of no tenant.
  // A second tenant that it concerns: where a domain moved to.
  [[nodiscard]] const std::optional<Uuid>& other_tenant() const { return other_tenant_; }
  // The user that it is about or names in a column; for audit filters.
  [[nodiscard]] bool concerns_user(std::int64_t user) const;
  // The fields it carries, absent ones left out.
  [[nodiscard]] std::vector<std::pair<const EventField*, Value>> fields() const;

 private:
  EventView(std::string_view payload, Origin origin, bool borrows);
  EventView(std::uint32_t kind, const Uuid& entity, const Uuid& tenant);
  void read_ids();

  MessageView view_;
  Event::Reader event_;
  capnp::AnyStruct::Reader fact_;  // The member of its union.
  const KindInfo* kind_ = nullptr;
  Uuid entity_;
  Uuid tenant_;
  std::optional<Uuid> other_tenant_;
  bool is_redacted_ = false;
};

// What the event means for its row: pure, and the only place that says so. `recorded_at` is the
// event's time. One change for every event of this version but those about the store and those
// whose payload is gone, which have none; the vector leaves room for kinds that touch more.
[[nodiscard]] std::vector<RowChange> row_changes(const EventView& event, Timestamp recorded_at);

// `row` after a patch; `row` has every column of its table.
void apply_patch(RowValues& row, const RowChange& change);
void apply_patch(RowValues& row, RowChange&& change);  // Takes the values out of `change`.

}  // namespace tenantry::events
