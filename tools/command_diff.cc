#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "core/error.h"
#include "events/encoding.h"
#include "tools/command.h"
#include "tools/event_output.h"
#include "tools/points.h"
#include "tools/references.h"
#include "tools/state_diff.h"

namespace tenantry::tools {
namespace {

enum class RowFate : std::uint8_t { kInserted, kDeleted, kChanged };
constexpr std::array<const char*, 3> kRowFates = {"inserted", "deleted", "changed"};

// Two points of a history.
struct Span {
  Position earlier;
  Position later;
  const RowsAt* before = nullptr;  // Borrowed, as is the next.
  const RowsAt* after = nullptr;
};

std::vector<Column> row_diff_columns() {
  return {{"change"},   {"entity"},          {"position"},     {"recorded_at"},
          {"actor"},    {"reason"},          {"kind", true},   {"table", true},
          {"id", true}, {"tenant_id", true}, {"changes", true}};
}

// What differs, in every column that does.
std::vector<FieldChange> field_changes(const events::TableInfo& table, const RowPair& pair) {
  const auto values = [&table](const StoredRow* stored) {
    return stored == nullptr ? events::RowValues(table.columns.size())
                             : events::decode_row(table, stored->bytes);
  };
  const events::RowValues before = values(pair.before);
  const events::RowValues after = values(pair.after);
  std::vector<FieldChange> changes;
  for (std::size_t place = 0; place < before.size(); ++place) {
    if (before[place] == after[place]) continue;
    changes.push_back({&table.columns[place], before[place], after[place]});
  }
  return changes;
}

// For people: without the columns that only tell the time of the last event, which stands there.
std::vector<FieldChange> without_stamps(std::vector<FieldChange> changes) {
  std::erase_if(changes, [](const FieldChange& change) { return change.column->stamp; });
  return changes;
}

class DiffPrinter {
 public:
  explicit DiffPrinter(Session& session)
      : session_(session), printer_(session.out(), session.printing(), row_diff_columns()) {}

  void print(const Span& span, const std::vector<const events::TableInfo*>& tables,
             const std::optional<events::Uuid>& tenant) {
    const StateView& before = *span.before->rows;
    const StateView& after = *span.after->rows;
    for (const events::TableInfo* const table : tables) {
      diff_rows(before, after, *table, tenant, [&](const RowPair& pair) {
        session_.interrupt().check();
        if (is_unknown(span, *table, pair)) return true;
        print_row(span, *table, pair, pair.after == nullptr ? before : after);
        return true;
      });
    }
  }

  void finish(const Span& span) {
    printer_.finish();
    session_.remark(fmt::format("rows from position {} to {}: {} inserted, {} deleted, {} changed",
                                span.earlier.value, span.later.value, counts_[0], counts_[1],
                                counts_[2]));
    if (imported_) session_.remark("some were imported: what was before is not known");
  }

 private:
  // Whether it is only not known, at one of the points, what there was.
  [[nodiscard]] static bool is_unknown(const Span& span, const events::TableInfo& table,
                                       const RowPair& pair) {
    if (pair.before != nullptr && pair.after != nullptr) return false;
    const StoredRow& row = pair.after == nullptr ? *pair.before : *pair.after;
    const RowsAt& other = pair.after == nullptr ? *span.after : *span.before;
    return other.unknown.contains(row.key.tenant) ||
           other.missing.contains(events::stream_id(table, row.key.id));
  }
  // `state` has the row.
  void print_row(const Span& span, const events::TableInfo& table, const RowPair& pair,
                 const StateView& state) {
    TENANTRY_ASSERT(pair.before != nullptr || pair.after != nullptr);
    const std::vector<FieldChange> changes = field_changes(table, pair);
    if (changes.empty()) return;
    const RowFate fate = pair.before == nullptr  ? RowFate::kInserted
                         : pair.after == nullptr ? RowFate::kDeleted
                                                 : RowFate::kChanged;
    const StoredRow& row = pair.after == nullptr ? *pair.before : *pair.after;
    std::vector<Cell> cells = {kRowFates.at(static_cast<std::size_t>(fate)),
                               table.entity_name + "/" + name_of(table, row, state)};
    add_last_event(span, table, pair, cells);
    cells.emplace_back(table.name);
    cells.push_back(column_cell(table.columns[table.id_column], events::id_value(table, row.key.id),
                                session_.reveal()));
    cells.push_back(uuid_cell(row.key.tenant));
    cells.emplace_back(changes_json(changes, session_.reveal()));
    printer_.row(cells, changes_text(without_stamps(changes), session_.reveal()));
    ++counts_.at(static_cast<std::size_t>(fate));
  }

  // As `history` takes it: `acme`, `acme/ann`. What a row refers to may be missing after an import.
  [[nodiscard]] std::string name_of(const events::TableInfo& table, const StoredRow& row,
                                    const StateView& state) const {
    const events::RowValues values = events::decode_row(table, row.bytes);
    std::string name;
    for (const std::size_t place : table.key_columns) {
      const events::ColumnInfo& column = table.columns[place];
      const events::TableInfo* const target = events::find_table(column.references);
      std::optional<StoredRow> named;
      if (target != nullptr) named = state.row_by_id(*target, events::entity_key(values[place]));
      if (!name.empty()) name += "/";
      name += named ? name_of(*target, *named, state)
                    : plain_text(column_cell(column, values[place], /*reveal=*/false));
    }
    return name;
  }

  // The cells from the position to the kind of the event that made the row what it is.
  void add_last_event(const Span& span, const events::TableInfo& table, const RowPair& pair,
                      std::vector<Cell>& cells) {
    LogFilter filter;
    filter.reverse = true;
    filter.after = pair.after == nullptr ? span.earlier : Position{pair.after->last.value - 1};
    filter.through = pair.after == nullptr ? span.later : pair.after->last;
    const events::Uuid& id = pair.after == nullptr ? pair.before->key.id : pair.after->key.id;
    filter.stream = events::stream_id(table, id);
    bool found = false;
    session_.store().read_log(filter, [&](const StoredEvent& event) {
      found = true;
      const events::EventView view = view_of(event);
      imported_ = imported_ || view.kind().imported;
      const auto facts = view.event();
      cells.push_back(number_cell(event.position.value));
      cells.emplace_back(event.recorded_at);
      cells.push_back(text_cell({facts.getActor().cStr(), facts.getActor().size()}));
      cells.push_back(text_cell({facts.getReason().cStr(), facts.getReason().size()}));
      cells.emplace_back(view.kind().name);
      return false;
    });
    if (found) return;
    if (filter.after < session_.store().discarded()) {
      throw_history_discarded("a squash has discarded events meanwhile", "ask again");
    }
    throw CorruptionError(fmt::format("the log has no event between {} and {} that changed {}/{}",
                                      filter.after.value, filter.through->value, table.entity_name,
                                      events::format_entity_id(table, id)));
  }

  Session& session_;
  Printer printer_;
  std::array<std::uint64_t, kRowFates.size()> counts_{};
  bool imported_ = false;
};

class DiffCommand final : public Command {
 public:
  [[nodiscard]] std::string_view name() const override { return "diff"; }
  [[nodiscard]] std::string_view help() const override {
    return "Rows inserted, deleted and changed between two points in history, each with its last "
           "event.\n"
           "- a row that was there and gone again in between is no difference (tenantry log)\n"
           "- a table leaves out columns that only tell the time of that event; the other formats "
           "have all\n"
           "- the exit code is 0, whether rows differ or not";
  }
  [[nodiscard]] std::string_view examples() const override {
    return "tenantry diff 7d\n"
           "tenantry diff 2026-01-01 2026-02-01 --tenant acme\n"
           "tenantry diff 1000 2000 --table auth_user --table tenants_tenant_user\n"
           "tenantry diff 3h -o csv --fields change,entity,position,actor,changes";
  }
  void declare(CLI::App& app) override {
    app.add_option("EARLIER", earlier_, "a position, time or age")->required();
    app.add_option("LATER", later_, "the same, not before it (default: now)");
    app.add_option("--tenant", tenant_, "rows of this tenant: a slug, also a former one, or a UUID")
        ->type_name("TENANT");
    app.add_option("--table", tables_, "rows of this table; may be given several times")
        ->type_name("TABLE")
        ->take_all()
        ->allow_extra_args(false);
  }

  [[nodiscard]] ExitCode run(Session& session) override {
    const std::vector<const events::TableInfo*> tables = chosen_tables();
    DiffPrinter printer(session);
    TenancyStore& store = session.store();
    std::optional<events::Uuid> tenant;
    if (!tenant_.empty()) tenant = find_tenant(store, tenant_);
    Span span = find_span(session);
    if (span.earlier < span.later) {
      const RowsAt before = session.rows_at(span.earlier, tenant);
      RowsAt after = store.rows_now();
      if (later_.empty()) span.later = after.tail.tail;
      if (after.tail.tail != span.later) after = session.rows_at(span.later, tenant);
      span.before = &before;
      span.after = &after;
      printer.print(span, tables, tenant);
    }
    printer.finish(span);
    return ExitCode::kDone;
  }

 private:
  [[nodiscard]] std::vector<const events::TableInfo*> chosen_tables() const {
    for (const std::string& name : tables_) {
      const events::TableInfo& table = named_table(name);
      if (!tenant_.empty()) require_tenants(table);
    }
    std::vector<const events::TableInfo*> chosen;
    for (const events::TableInfo& table : events::tables()) {
      const bool wanted =
          tables_.empty() || std::ranges::find(tables_, table.name) != tables_.end();
      if (wanted && (tenant_.empty() || table.owner_column)) chosen.push_back(&table);
    }
    return chosen;
  }

  [[nodiscard]] Span find_span(Session& session) const {
    const TenancyStore& store = session.store();
    Span span;
    span.earlier = parse_reached_point(store, earlier_, session.now());
    span.later =
        later_.empty() ? store.tail().tail : parse_reached_point(store, later_, session.now());
    if (span.earlier <= span.later) return span;
    throw UsageError(
        "usage",
        described(earlier_, span.earlier) + " comes after " + described(later_, span.later),
        fmt::format("tenantry diff {} {}", later_, earlier_));
  }

  [[nodiscard]] static std::string described(const std::string& point, Position position) {
    const std::string text = fmt::format("position {}", position.value);
    return parse_position(point) ? text : fmt::format("\"{}\" ({})", point, text);
  }

  std::string earlier_;
  std::string later_;
  std::string tenant_;
  std::vector<std::string> tables_;
};

}  // namespace

std::unique_ptr<Command> make_diff_command() { return std::make_unique<DiffCommand>(); }

}  // namespace tenantry::tools
