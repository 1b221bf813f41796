#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "events/kinds.h"
#include "tools/command.h"
#include "tools/event_output.h"
#include "tools/references.h"
#include "tools/row_history.h"

namespace tenantry::tools {
namespace {

// Who set a column last.
struct Setter {
  Position position;
  events::Timestamp recorded_at;
  std::string kind;
  std::string actor;
  std::string reason;
};

std::string to_string(capnp::Text::Reader text) { return {text.cStr(), text.size()}; }

Setter setter_of(const StoredEvent& event, events::EventView& view) {
  const auto root = view.event();
  return {event.position, event.recorded_at, view.kind().name,
          root.hasActor() ? to_string(root.getActor()) : std::string{},
          root.hasReason() ? to_string(root.getReason()) : std::string{}};
}

class BlameCommand final : public Command {
 public:
  [[nodiscard]] std::string_view name() const override { return "blame"; }
  [[nodiscard]] std::string_view help() const override {
    return "Each field of an entity with the event that set it.";
  }
  [[nodiscard]] std::string_view examples() const override {
    return "tenantry blame tenant/acme\n"
           "tenantry blame member/acme/ann --fields field,value,actor";
  }
  void declare(CLI::App& app) override {
    app.add_option("KIND/ID", entity_, "tenant/SLUG, user/NAME, member/TENANT/USER, …")->required();
  }

  [[nodiscard]] ExitCode run(Session& session) override {
    const EntityRef entity = find_entity(session.store(), entity_);
    fold(session, entity);
    Printer printer(
        session.out(), session.printing(),
        {{"field"}, {"value"}, {"position"}, {"recorded_at"}, {"kind"}, {"actor"}, {"reason"}});
    for (std::size_t place = 0; row_ && place < row_->size(); ++place) {
      const events::ColumnInfo& column = entity.table->columns[place];
      const Setter& setter = setters_[place];
      Cell value = column_cell(column, (*row_)[place], session.reveal());
      const bool null = std::holds_alternative<events::Null>(value);
      if (null && session.prints_table()) value = std::string("NULL");
      const bool known = setter.position.value > 0;
      printer.row({column.name, std::move(value),
                   known ? number_cell(setter.position.value) : Cell(events::Null{}),
                   known ? Cell(setter.recorded_at) : Cell(events::Null{}), text_cell(setter.kind),
                   text_cell(setter.actor), text_cell(setter.reason)});
    }
    printer.finish();
    if (discarded_)
      session.remark(std::string(kDiscardedRemark) + ": who set the other fields is not known");
    if (redacted_) {
      session.remark(
          "what some of its events said was redacted: who set the other fields is not "
          "known");
    }
    if (imported_) session.remark(kImportedRemark);
    if (removed_at_) {
      session.remark("gone since position " + std::to_string(removed_at_->value) +
                     (row_ ? "; these were its last fields" : "; its last fields are not known"));
    }
    return ExitCode::kDone;
  }

 private:
  void fold(Session& session, const EntityRef& entity) {
    LogFilter filter;
    filter.stream = events::stream_id(*entity.table, entity.key);
    setters_.resize(entity.table->columns.size());
    discarded_ = true;  // Unless the first one is there.
    session.store().read_log(filter, [&](const StoredEvent& event) {
      events::EventView view = view_of(event);
      if (event.version.value == 1) discarded_ = false;
      redacted_ = redacted_ || view.is_redacted();
      imported_ = imported_ || view.kind().imported;
      for (const events::RowChange& change : row_changes(view, event.recorded_at)) {
        if (change.effect == events::Effect::RESERVE) continue;
        if (change.effect == events::Effect::REMOVE) {
          removed_at_ = event.position;
          continue;
        }
        removed_at_.reset();
        const auto before = row_;
        apply_change(row_, change);
        note_setters(change, before, setter_of(event, view));
      }
      return true;
    });
    if (!(redacted_ || discarded_) || removed_at_) return;
    // What is left of its events does not tell how it is now.
    const RowsAt now = session.store().rows_now();
    const auto row = now.rows->row_by_id(*entity.table, entity.key);
    if (row) row_ = events::decode_row(*entity.table, row->bytes);
  }

  // An event that repeats a value did not set it.
  void note_setters(const events::RowChange& change, const std::optional<events::RowValues>& before,
                    const Setter& setter) {
    for (const auto& [place, value] : change.columns) {
      const bool inserted = change.effect == events::Effect::INSERT;
      if (inserted || !before || (*before)[place] != value) setters_[place] = setter;
    }
  }

  std::string entity_;
  std::optional<events::RowValues> row_;
  std::optional<Position> removed_at_;
  bool imported_ = false;
  bool redacted_ = false;
  bool discarded_ = false;
  std::vector<Setter> setters_;
};

}  // namespace

std::unique_ptr<Command> make_blame_command() { return std::make_unique<BlameCommand>(); }

}  // namespace tenantry::tools
