#include "tools/answer_output.h"

#include <utility>

#include "events/tables.h"

namespace tenantry::tools {
namespace {

const char* status_text(Answer::Status status) {
  switch (status) {
    case Answer::Status::kAccepted:
      return "accepted";
    case Answer::Status::kRejected:
      return "rejected";
    case Answer::Status::kInvalid:
      return "invalid";
  }
  return "";
}

void build_positions(JsonBuilder& json, const Answer& answer) {
  json.begin_array();
  for (std::uint32_t i = 0; i < answer.count; ++i) json.value(number_cell(answer.first.value + i));
  json.end_array();
}

Cell entity_id(const EntityName& entity) {
  const events::TableInfo& table = events::table_of(entity.kind);
  if (table.integer_ids) return events::integer_id(entity.id);
  return entity.id;
}

void build_entity(JsonBuilder& json, const EntityName& entity) {
  json.begin_object();
  json.key("kind").string(events::entity_name(entity.kind));
  json.member("id", entity_id(entity));
  json.key("key").string(entity.key);
  json.end_object();
}

bool names_entity(const Answer& answer) {
  return answer.entity && answer.entity->kind != events::EntityKind::NONE;
}

}  // namespace

void build_answer(JsonBuilder& json, const AnsweredLine* line, const Answer& answer) {
  json.begin_object();
  if (line != nullptr) {
    if (!line->file.empty()) json.key("file").string(line->file);
    json.member("line", number_cell(line->number));
  }
  json.key("status").string(status_text(answer.status));
  if (answer.status == Answer::Status::kAccepted) {
    json.key("positions");
    build_positions(json, answer);
    if (names_entity(answer)) {
      json.key("entity");
      build_entity(json, *answer.entity);
    }
  } else {
    json.key("code").string(answer.refusal.code);
    if (!answer.refusal.field.empty()) {
      json.key("field").string(answer.refusal.field);
    }
    json.key("message").string(answer.refusal.message);
  }
  json.end_object();
}

std::vector<Column> answer_columns(bool with_line) {
  std::vector<Column> columns;
  if (with_line) columns = {{"line"}, {"file", true}};
  for (const char* const name : {"status", "positions", "entity", "code", "field", "message"}) {
    columns.push_back({name});
  }
  return columns;
}

std::vector<Cell> answer_cells(const AnsweredLine* line, const Answer& answer) {
  std::vector<Cell> cells;
  if (line != nullptr) cells = {number_cell(line->number), text_cell(line->file)};
  cells.emplace_back(status_text(answer.status));
  if (answer.status == Answer::Status::kAccepted) {
    JsonBuilder positions;
    build_positions(positions, answer);
    cells.emplace_back(positions.document());
    JsonBuilder entity;
    if (names_entity(answer)) build_entity(entity, *answer.entity);
    cells.push_back(names_entity(answer) ? Cell(entity.document()) : Cell(events::Null{}));
    cells.insert(cells.end(), 3, events::Null{});
  } else {
    cells.insert(cells.end(), 2, events::Null{});
    cells.push_back(text_cell(answer.refusal.code));
    cells.push_back(text_cell(answer.refusal.field));
    cells.push_back(text_cell(answer.refusal.message));
  }
  return cells;
}

Answer refused(events::Refusal refusal) {
  Answer answer;
  answer.status = refusal.invalid ? Answer::Status::kInvalid : Answer::Status::kRejected;
  answer.refusal = std::move(refusal);
  return answer;
}

}  // namespace tenantry::tools
