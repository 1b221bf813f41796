#include "tools/event_output.h"

#include <fmt/format.h>

namespace tenantry::tools {
namespace {

Cell optional_text(bool has, capnp::Text::Reader text) {
  return has ? text_cell({text.cStr(), text.size()}) : events::Null{};
}

std::string change_side(const events::ColumnInfo& column, const events::Value& value, bool reveal) {
  if (std::holds_alternative<events::Null>(value)) return "NULL";
  const std::string text = plain_text(column_cell(column, value, reveal));
  return text.empty() ? "\"\"" : text;
}

}  // namespace

std::vector<Column> event_columns(bool with_changes) {
  std::vector<Column> columns = {{"position"},
                                 {"recorded_at"},
                                 {"scope", true},
                                 {"kind"},
                                 {"stream"},
                                 {"version"},
                                 {"tenant_id", true},
                                 {"actor"},
                                 {"channel"},
                                 {"reason"},
                                 {"correlation_id", true},
                                 {"command_id", true},
                                 {"data", with_changes}};
  if (with_changes) columns.push_back({"changes", true});
  return columns;
}

std::vector<Cell> event_cells(const StoredEvent& event, events::EventView& view,
                              const std::vector<FieldChange>* changes, bool reveal) {
  const auto root = view.event();
  std::vector<Cell> cells = {number_cell(event.position.value),
                             event.recorded_at,
                             std::string(events::scope_name(event.scope)),
                             view.kind().name,
                             stream_text(view),
                             number_cell(event.version.value),
                             uuid_cell(view.tenant()),
                             optional_text(root.hasActor(), root.getActor()),
                             optional_text(root.hasChannel(), root.getChannel()),
                             optional_text(root.hasReason(), root.getReason()),
                             optional_text(root.hasCorrelationId(), root.getCorrelationId()),
                             uuid_cell(event.command),
                             event_data(view, reveal)};
  if (changes != nullptr) cells.emplace_back(changes_json(*changes, reveal));
  return cells;
}

std::string stream_text(const events::EventView& view) {
  const events::TableInfo& table = *view.kind().table;
  return table.entity_name + "/" + events::format_entity_id(table, view.entity());
}

JsonText event_data(events::EventView& view, bool reveal) {
  JsonBuilder json;
  json.begin_object();
  if (view.is_redacted()) json.member("redacted", true);
  for (const auto& [field, value] : view.fields()) {
    events::ColumnInfo column = *field->type;
    column.secret = column.secret || field->secret;
    json.member(field->name, column_cell(column, value, reveal));
  }
  json.end_object();
  return json.document();
}

JsonText changes_json(const std::vector<FieldChange>& changes, bool reveal) {
  JsonBuilder json;
  json.begin_array();
  for (const FieldChange& change : changes) {
    json.begin_object();
    json.member("field", change.column->name);
    if (change.is_before_known) {
      json.member("old", column_cell(*change.column, change.before, reveal));
    }
    json.member("new", column_cell(*change.column, change.after, reveal));
    json.end_object();
  }
  json.end_array();
  return json.document();
}

std::vector<std::string> changes_text(const std::vector<FieldChange>& changes, bool reveal) {
  std::vector<std::string> lines;
  lines.reserve(changes.size());
  for (const FieldChange& change : changes) {
    lines.push_back(fmt::format(
        "{}: {} → {}", change.column->name,
        change.is_before_known ? change_side(*change.column, change.before, reveal) : "?",
        change_side(*change.column, change.after, reveal)));
  }
  return lines;
}

}  // namespace tenantry::tools
