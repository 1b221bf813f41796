#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "core/error.h"
#include "core/record.h"
#include "events/kinds.h"
#include "tools/command.h"
#include "tools/event_output.h"
#include "tools/points.h"

namespace tenantry::tools {
namespace {

const char* effect_name(events::Effect effect) {
  switch (effect) {
    case events::Effect::INSERT:
      return "insert";
    case events::Effect::PATCH:
      return "patch";
    case events::Effect::REMOVE:
      return "delete";
    case events::Effect::RESERVE:
      return "reserve";
    case events::Effect::NOTE:
      return "note";
  }
  return "";
}

JsonText flags_json(const StoredEvent& event) {
  JsonBuilder json;
  json.begin_array();
  if ((event.flags & kFlagTimeSupplied) != 0) json.string("time_supplied");
  if ((event.flags & kFlagClockHeld) != 0) json.string("clock_held");
  json.end_array();
  return json.document();
}

JsonText row_changes_json(const StoredEvent& event, events::EventView& view, bool reveal) {
  JsonBuilder json;
  json.begin_array();
  for (const events::RowChange& change : row_changes(view, event.recorded_at)) {
    json.begin_object();
    json.key("table").string(change.table->name);
    json.key("effect").string(effect_name(change.effect));
    json.key("id").string(events::format_entity_id(*change.table, change.id));
    json.key("columns").begin_object();
    for (const auto& [place, value] : change.columns) {
      const events::ColumnInfo& column = change.table->columns[place];
      json.member(column.name, column_cell(column, value, reveal));
    }
    json.end_object().end_object();
  }
  json.end_array();
  return json.document();
}

// The positions of all events of the event's command; its own is among them.
JsonText command_positions_json(const StoredEvent& event) {
  JsonBuilder json;
  json.begin_array();
  const std::uint64_t first = event.position.value - event.index_in_command;
  for (std::uint32_t i = 0; i < event.count_in_command; ++i) {
    if (first + i != event.position.value) json.value(number_cell(first + i));
  }
  json.end_array();
  return json.document();
}

// What took the payload away.
struct RedactedBy {
  Position position;
  events::Timestamp recorded_at;
  std::string actor;
  std::string reason;
};

std::optional<RedactedBy> redacted_by(const TenancyStore& store, const StoredEvent& event) {
  LogFilter filter;
  filter.after = event.position;
  filter.scope = events::Scope::SYSTEM;
  filter.tenant = event.tenant;
  filter.kinds = {events::find_kind("TenantRedacted")->number};
  std::optional<RedactedBy> found;
  store.read_log(filter, [&](const StoredEvent& redaction) {
    const events::EventView view = view_of(redaction);
    const auto facts = view.event();
    const auto through = static_cast<std::uint64_t>(facts.getTenantRedacted().getRedactedThrough());
    if (through < event.position.value) return true;
    found = {redaction.position, redaction.recorded_at, facts.getActor().cStr(),
             facts.getReason().cStr()};
    return false;
  });
  return found;
}

class ShowCommand final : public Command {
 public:
  [[nodiscard]] std::string_view name() const override { return "show"; }
  [[nodiscard]] std::string_view help() const override {
    return "One event in full: header, data, row changes, what it replaced, its command, hashes.";
  }
  [[nodiscard]] std::string_view examples() const override {
    return "tenantry show 42\n"
           "tenantry show 42 -o json --fields kind,data,replaced";
  }
  void declare(CLI::App& app) override {
    app.add_option("POSITION", position_, "the event's place in the log")->required();
  }

  [[nodiscard]] ExitCode run(Session& session) override {
    const auto position = parse_position(position_);
    if (!position || position->value == 0) {
      throw UsageError("usage", "\"" + position_ + "\" is no position", "a whole number from 1");
    }
    bool found = false;
    LogFilter filter;
    filter.after = Position{position->value - 1};
    filter.through = *position;
    session.store().read_log(filter, [&](const StoredEvent& event) {
      found = true;
      print(session, event);
      return false;
    });
    if (found) return ExitCode::kDone;
    if (*position <= session.store().discarded()) {
      throw UsageError("history_discarded",
                       fmt::format("a squash has discarded event {}", position->value),
                       "tenantry squashes", static_cast<int>(ExitCode::kNotFound));
    }
    throw UsageError("not_found",
                     fmt::format("there is no event {}; the log ends at {}", position->value,
                                 session.store().tail().tail.value),
                     "tenantry log --reverse --limit 1", static_cast<int>(ExitCode::kNotFound));
  }

 private:
  static void print(Session& session, const StoredEvent& event) {
    events::EventView view = view_of(event);
    RowHistory history(session.store());
    const std::vector<FieldChange> changes = history.changes(event, view);
    std::vector<Column> columns = event_columns(false);
    for (Column& column : columns) column.wide = false;
    std::vector<Cell> cells = event_cells(event, view, nullptr, session.reveal());
    const auto add = [&](const char* name, Cell cell) {
      columns.push_back({name});
      cells.push_back(std::move(cell));
    };
    add("row_changes", row_changes_json(event, view, session.reveal()));
    add("replaced", changes_json(changes, session.reveal()));
    add("other_events_of_command", command_positions_json(event));
    add("index_in_command", number_cell(event.index_in_command));
    add("count_in_command", number_cell(event.count_in_command));
    add("causation_position",
        event.causation == 0 ? Cell(events::Null{}) : number_cell(event.causation));
    add("flags", flags_json(event));
    add("scope_sequence", number_cell(event.scope_seq));
    if (view.is_redacted()) {
      add("payload_sha256", events::hex(event.payload));
    } else {
      add("payload_bytes", number_cell(event.payload.size()));
    }
    add("chain_hash", hex(event.chain_hash));
    if (const auto by = view.is_redacted() ? redacted_by(session.store(), event) : std::nullopt) {
      add("redacted_by", number_cell(by->position.value));
      add("redacted_at", by->recorded_at);
      add("redacted_actor", text_cell(by->actor));
      add("redacted_reason", text_cell(by->reason));
    }
    print_record(session.out(), session.printing(), columns, cells);
    if (view.kind().imported) session.remark(kImportedRemark);
    if (history.met_unknown()) session.remark(kUnknownRemark);
  }

  std::string position_;
};

}  // namespace

std::unique_ptr<Command> make_show_command() { return std::make_unique<ShowCommand>(); }

}  // namespace tenantry::tools
