#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/tenancy_store.h"
#include "tools/json_builder.h"
#include "tools/printer.h"

// Answers to commands as records of the output.
namespace tenantry::tools {

// Where the command stood; `file` empty unless there are several.
struct AnsweredLine {
  std::uint64_t number = 0;
  std::string file;
};

// Adds the answer as one JSON object, without a line end. `line` null: it stood in none.
void build_answer(JsonBuilder& json, const AnsweredLine* line, const Answer& answer);

// The same for tables and CSV.
[[nodiscard]] std::vector<Column> answer_columns(bool with_line);
[[nodiscard]] std::vector<Cell> answer_cells(const AnsweredLine* line, const Answer& answer);

// The answer to a line that is no command.
[[nodiscard]] Answer refused(events::Refusal refusal);

}  // namespace tenantry::tools
