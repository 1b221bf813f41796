#include "projections/verify.h"

#include <algorithm>

#include "core/error.h"
#include "events/encoding.h"
#include "projections/digest.h"
#include "projections/target_check.h"

namespace tenantry::projections {
namespace {

using events::ColumnInfo;
using events::RowValues;
using events::TableInfo;
using events::Value;

struct Printer {
  std::string operator()(events::Null) const { return "NULL"; }
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(std::int64_t value) const { return std::to_string(value); }
  std::string operator()(events::Timestamp value) const { return events::format_timestamp(value); }
  std::string operator()(const events::Uuid& value) const { return events::format_uuid(value); }
  std::string operator()(const std::string& value) const { return value; }
};

std::string masked(const std::string& text) {
  constexpr std::size_t kShown = 6;
  std::size_t end = std::min(kShown, text.size());
  // Not through the middle of a character.
  while (end < text.size() && end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80U) {
    --end;
  }
  return text.substr(0, end) + "…";
}

RowValues decode(const TableInfo& table, const StoredRow& stored) {
  try {
    return events::decode_row(table, stored.bytes);
  } catch (const events::MalformedError& error) {
    throw CorruptionError("the state's row " + events::format_entity_id(table, stored.key.id) +
                          " of " + table.name + ": " + error.what());
  }
}

// Compares one table. Digests first, which is all that equal tables need; then row by row, each
// side looking up what the other has, so that neither is held in memory.
class TableComparison {
 public:
  TableComparison(const TableInfo& table, const StateView& state, ReadView& view,
                  const VerifyOptions& options)
      : table_(table), state_(state), view_(view), options_(options) {
    result_.table = &table;
  }

  TableVerification run() {
    compare_digests();
    const bool same = result_.expected_rows == result_.found_rows &&
                      result_.expected_digest == result_.found_digest;
    if (!same || options_.all_columns) compare_rows();
    return std::move(result_);
  }

 private:
  [[nodiscard]] bool go_on() const { return !options_.stop.stop_requested(); }

  void compare_digests() {
    TableDigest expected(table_);
    state_.scan_rows(table_, std::nullopt, [&](const StoredRow& stored) {
      expected.add(decode(table_, stored));
      return go_on();
    });
    const TableFingerprint found = view_.fingerprint(table_, std::nullopt);
    result_.expected_rows = expected.rows();
    result_.expected_digest = expected.hex();
    result_.found_rows = found.rows;
    result_.found_digest = found.hex();
  }

  void compare_rows() {
    // Lookups while a scan is under way would move its place in some databases: one after the
    // other.
    view_.scan_rows(table_, [&](const RowValues& row) {
      compare_found(row);
      return go_on();
    });
    if (matched_ == result_.expected_rows) return;
    state_.scan_rows(table_, std::nullopt, [&](const StoredRow& stored) {
      if (!view_.row(table_, stored.key.id)) {
        ++result_.missing;
        const RowValues row = decode(table_, stored);
        add(RowDifference::Kind::kMissing, row, {}, stored.last);
      }
      return go_on();
    });
  }

  void compare_found(const RowValues& found) {
    const auto stored = stored_of(found[table_.id_column]);
    if (!stored) {
      ++result_.unexpected;
      add(RowDifference::Kind::kUnexpected, found, {}, std::nullopt);
      return;
    }
    ++matched_;
    const RowValues expected = decode(table_, *stored);
    std::vector<ColumnDifference> columns;
    for (std::size_t place = 0; place < expected.size(); ++place) {
      const ColumnInfo& column = table_.columns[place];
      if (column.application_owned && !options_.all_columns) continue;
      if (expected[place] == found[place]) continue;
      columns.push_back(
          {column.name, printed(column, expected[place]), printed(column, found[place])});
    }
    if (columns.empty()) return;
    ++result_.differing;
    add(RowDifference::Kind::kDiffers, expected, std::move(columns), stored->last);
  }

  // None for a key that no row of ours can have.
  [[nodiscard]] std::optional<StoredRow> stored_of(const Value& id) const {
    const bool fits = table_.integer_ids ? std::holds_alternative<std::int64_t>(id)
                                         : std::holds_alternative<events::Uuid>(id);
    if (!fits) return std::nullopt;
    return state_.row_by_id(table_, events::entity_key(id));
  }

  void add(RowDifference::Kind kind, const RowValues& row, std::vector<ColumnDifference> columns,
           std::optional<Position> last) {
    if (result_.differences.size() >= options_.differences_max) return;
    RowDifference difference;
    difference.kind = kind;
    difference.id = std::visit(Printer{}, row[table_.id_column]);
    difference.key = key_of_row(table_, row);
    difference.columns = std::move(columns);
    difference.last_event = last;
    result_.differences.push_back(std::move(difference));
  }

  [[nodiscard]] std::string printed(const ColumnInfo& column, const Value& value) const {
    const bool null = std::holds_alternative<events::Null>(value);
    const std::string text = std::visit(Printer{}, value);
    return column.secret && !null && !options_.reveal ? masked(text) : text;
  }

  const TableInfo& table_;
  const StateView& state_;
  ReadView& view_;
  const VerifyOptions& options_;
  TableVerification result_;
  std::uint64_t matched_ = 0;  // Rows that both sides have.
};

}  // namespace

std::string key_of_row(const TableInfo& table, const RowValues& row) {
  std::string key;
  for (const std::size_t place : table.key_columns) {
    key += (key.empty() ? "" : " ") + table.columns[place].name + "=" +
           std::visit(Printer{}, row[place]);
  }
  return key;
}

TableVerification compare_table(const TableInfo& table, const StateView& state, ReadView& view,
                                const VerifyOptions& options) {
  return TableComparison(table, state, view, options).run();
}

bool Verification::equal() const {
  return !stopped && std::ranges::all_of(tables, &TableVerification::equal);
}

Verification verify(const EventSource& source, const StateAt& state_at, ReadModel& target,
                    const VerifyOptions& options) {
  Probe probe = target.probe();
  if (probe.presence == Presence::kAbsent || !probe.mark) {
    check_target(source, probe, target.name());
    throw UsageError("read_model_absent", target.name() + " does not hold a read model yet",
                     "`tenantry rebuild` makes it", 5);
  }
  check_target(source, probe, target.name());
  const auto view = target.read();
  if (!view->mark()) {
    throw UsageError("read_model_absent", target.name() + " has just been removed",
                     "`tenantry rebuild` makes it", 5);
  }
  Verification result;
  result.mark = *view->mark();
  result.findings = std::move(probe.findings);
  const StateView& state = state_at(result.mark.position);
  for (const TableInfo& table : events::tables()) {
    result.tables.push_back(compare_table(table, state, *view, options));
    result.stopped = options.stop.stop_requested();
    if (result.stopped) break;
  }
  return result;
}

}  // namespace tenantry::projections
