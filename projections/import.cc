#include "projections/import.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/error.h"
#include "core/state.h"
#include "events/commands.h"
#include "events/text.h"
#include "projections/target_check.h"

namespace tenantry::projections {
namespace {

using events::ColumnInfo;
using events::EntityKind;
using events::RowValues;
using events::SqlType;
using events::TableInfo;
using events::Value;

constexpr std::uint64_t kProgressEvery = 4096;

[[noreturn]] void refuse_row(const TableInfo& table, const RowValues& row,
                             const std::string& problem) {
  throw UsageError("row_not_importable",
                   fmt::format("{} ({}): {}", table.name, key_of_row(table, row), problem),
                   "mend the row and import again", kConflict);
}

bool is_null(const Value& value) { return std::holds_alternative<events::Null>(value); }

// Looks at rows on their way in, each after those that it refers to.
class Rules {
 public:
  Rules(const StateView& state, const ImportOptions& options) : state_(state), options_(options) {}

  void check(const TableInfo& table, const RowValues& row) {
    check_claims(table, row);
    for (std::size_t place = 0; place < row.size(); ++place) {
      if (is_null(row[place])) continue;
      check_reference(table, row, place);
      const auto* const text = std::get_if<std::string>(&row[place]);
      if (text == nullptr) continue;
      if (const auto refusal = events::check_column_text(table.columns[place], *text)) {
        add(refusal->code, table, row, refusal->message);
      }
    }
  }
  // After all rows.
  void check_owners(ReadView& view) {
    const TableInfo& tenants = events::table_of(EntityKind::TENANT);
    view.scan_rows(tenants, [&](const RowValues& row) {
      if (!has_owner(std::get<events::Uuid>(row[tenants.id_column]))) {
        add("no_owner", tenants, row, "the tenant has no active owner");
      }
      return !options_.stop.stop_requested();
    });
  }
  [[nodiscard]] const std::map<const TableInfo*, std::uint64_t>& findings() const {
    return findings_;
  }

 private:
  void add(std::string rule, const TableInfo& table, const RowValues& row, std::string message) {
    ++findings_[&table];
    if (!options_.found) return;
    const events::Uuid id = events::entity_key(row[table.id_column]);
    options_.found({std::move(rule), table.name, events::format_entity_id(table, id),
                    key_of_row(table, row), std::move(message)});
  }

  void check_claims(const TableInfo& table, const RowValues& row) {
    for (const events::ClaimInfo& claim : table.claims) {
      const auto value = claimed_by(claim, row);
      if (!value) continue;
      const auto holders = state_.claim_holders(table, claim, *value);
      if (holders.empty()) continue;
      for (const RowKey& holder : holders) refuse_equal(table, row, claim, holder);
      add(claim.code, table, row, has_it_too(table, holders.front()));
    }
  }
  // Only what differs in case can be in tables that have their unique indexes.
  void refuse_equal(const TableInfo& table, const RowValues& row, const events::ClaimInfo& claim,
                    const RowKey& holder) const {
    const RowValues other = events::decode_row(table, state_.row(table, holder).value().bytes);
    if (std::ranges::any_of(claim.columns, [&](std::size_t at) { return row[at] != other[at]; })) {
      return;
    }
    refuse_row(table, row, fmt::format("{} ({})", has_it_too(table, holder), claim.code));
  }
  static std::string has_it_too(const TableInfo& table, const RowKey& holder) {
    return fmt::format("{} {} has the same", table.entity_name,
                       events::format_entity_id(table, holder.id));
  }

  void check_reference(const TableInfo& table, const RowValues& row, std::size_t place) {
    const ColumnInfo& column = table.columns[place];
    const TableInfo* const other = events::find_table(column.references);
    if (other == nullptr) return;
    const events::Uuid id = events::entity_key(row[place]);
    if (state_.row_by_id(*other, id)) return;
    const std::string name = events::format_entity_id(*other, id);
    const bool user = other == &events::table_of(EntityKind::USER);
    add("orphan", table, row,
        fmt::format("{} names {} {}, which is not there; tables with foreign keys do not take it{}",
                    column.name, other->name, name,
                    user ? ": before a rebuild, `tenantry do register_user --id " + name +
                               " --username NAME`"
                         : ""));
  }

  [[nodiscard]] bool has_owner(const events::Uuid& tenant) const {
    const TableInfo& members = events::table_of(EntityKind::MEMBER);
    const std::size_t role = members.find_column("role").value();
    const std::size_t active = members.find_column("is_active").value();
    const auto owns = [&](const StoredRow& stored) {
      const RowValues row = events::decode_row(members, stored.bytes);
      return row[role] == Value(std::string("owner")) && row[active] == Value(true);
    };
    return state_.find_row(members, tenant, owns).has_value();
  }

  const StateView& state_;
  const ImportOptions& options_;
  std::map<const TableInfo*, std::uint64_t> findings_;
};

// What no event can hold, and so no log.
void require_storable(const TableInfo& table, const RowValues& row) {
  for (std::size_t place = 0; place < row.size(); ++place) {
    const ColumnInfo& column = table.columns[place];
    const Value& value = row[place];
    std::string problem;
    if (is_null(value)) {
      if (!column.nullable) problem = "is NULL";
    } else if (!events::is_of_type(column.type, value)) {
      problem = "holds a value of another type";
    } else if (const auto* number = std::get_if<std::int64_t>(&value)) {
      const bool small = std::in_range<std::int32_t>(*number);
      if (column.type == SqlType::INTEGER && !small) problem = "is beyond 32 bits";
    } else if (const auto* text = std::get_if<std::string>(&value)) {
      if (!events::is_storable_text(*text)) problem = "is not UTF-8, or has a NUL in it";
    }
    if (!problem.empty()) refuse_row(table, row, column.name + " " + problem);
  }
}

std::int64_t largest_id(ReadView& view, const TableInfo& table) {
  const std::int64_t largest = view.largest_id(table);
  const bool small = table.columns[table.id_column].type == SqlType::INTEGER;
  if (!small || std::in_range<std::int32_t>(largest)) return largest;
  throw UsageError(
      "row_not_importable",
      fmt::format("the sequence of {} stands at {}, the ids have 32 bits", table.name, largest),
      "set the sequence to the largest id and import again", kConflict);
}

void check_source(const Probe& probe, const std::string& name) {
  std::vector<std::string> wrong;
  for (const std::string& table : probe.missing_tables) wrong.push_back("no table " + table);
  for (const ShapeFinding& finding : probe.findings) {
    if (finding.unreadable) wrong.push_back(finding.table + ": " + finding.message);
  }
  if (probe.presence == Presence::kAbsent) wrong = {"none of the tables"};
  if (wrong.empty()) return;
  throw UsageError("read_model_shape",
                   fmt::format("{} does not hold the tables: {}", name, fmt::join(wrong, "; ")),
                   "`tenantry schema check` tells what differs, and the SQL that mends it",
                   kConflict);
}

void add(StoreImport& import, const TableInfo& table, const RowValues& row) {
  try {
    import.add(table, row);
  } catch (const UsageError& error) {
    refuse_row(table, row, error.what());
  }
}

}  // namespace

bool ImportOutcome::equal() const {
  return !stopped && std::ranges::all_of(tables, &TableVerification::equal);
}

ImportOutcome import_rows(ReadModel& source, StoreImport& import, const ImportOptions& options) {
  check_source(source.probe(), source.name());
  ImportOutcome outcome;
  const auto goes_on = [&] { return !options.stop.stop_requested(); };
  const auto view = source.read();
  {
    Rules rules(import.state(), options);
    std::uint64_t rows = 0;
    for (const TableInfo& table : events::tables()) {
      Value last_id = events::Null{};
      view->scan_rows(table, [&](const RowValues& row) {
        require_storable(table, row);
        if (row[table.id_column] == last_id) refuse_row(table, row, "another row has its id");
        last_id = row[table.id_column];
        rules.check(table, row);
        add(import, table, row);
        if (++rows % kProgressEvery == 0 && options.progress) options.progress(rows);
        return goes_on();
      });
      if (table.integer_ids) import.reserve_ids(table, largest_id(*view, table));
    }
    rules.check_owners(*view);
    outcome.findings = rules.findings();
  }
  const auto store = import.open();
  VerifyOptions compared;
  compared.all_columns = true;
  compared.stop = options.stop;
  const RowsAt now = store->rows_now();
  for (const TableInfo& table : events::tables()) {
    if (goes_on()) outcome.tables.push_back(compare_table(table, *now.rows, *view, compared));
  }
  outcome.stopped = !goes_on();
  return outcome;
}

}  // namespace tenantry::projections
