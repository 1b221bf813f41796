#include <algorithm>
#include <map>

#include "core/error.h"
#include "projections/merge_sql.h"
#include "projections/sql_text.h"
#include "projections/sqlite/load.h"
#include "projections/sqlite/row_writer.h"
#include "projections/sqlite/schema.h"
#include "projections/sqlite/values.h"

namespace tenantry::projections::sqlite {
namespace {

using events::TableInfo;

constexpr std::string_view kLive = "main.";
constexpr std::string_view kStaged = "temp.tenantry_staged_";
constexpr std::string_view kChanged = "temp.tenantry_changed";

std::string staged_table(const TableInfo& table) { return prefixed(std::string(kStaged), table); }

std::string id_type(const TableInfo& table) { return table.integer_ids ? "integer" : "text"; }

// Ids have the live ones' type and no index, so that SQLite begins with them and looks up the rest.
std::string create_changed_sql(const TableInfo& table) {
  return "DROP TABLE IF EXISTS " + std::string(kChanged) + "; CREATE TABLE " +
         std::string(kChanged) + " (n integer PRIMARY KEY, id " + id_type(table) + ")";
}

std::string id_literal(const events::Value& id) {
  const auto* uuid = std::get_if<events::Uuid>(&id);
  return uuid != nullptr ? text_literal(to_django_uuid(*uuid))
                         : std::to_string(std::get<std::int64_t>(id));
}

// Without the constraints of the live one, which the rows need not obey before they are merged.
std::string create_staged_sql(const TableInfo& table) {
  std::string columns;
  for (std::size_t place = 0; place < table.columns.size(); ++place) {
    columns += (place == 0 ? "" : ", ") + identifier(table.columns[place].name);
    if (place == table.id_column) columns += " " + id_type(table) + " PRIMARY KEY";
  }
  return "CREATE TABLE " + staged_table(table) + " (" + columns + ")" +
         (table.integer_ids ? "" : " WITHOUT ROWID");
}

class InPlaceLoad final : public Load {
 public:
  InPlaceLoad(Connection& connection, const LoadOptions& options, const std::optional<Mark>& before)
      : connection_(connection),
        options_(options),
        before_(before),
        writer_(std::in_place, connection, std::string(kStaged)) {
    drop_staged();
    connection_.execute("PRAGMA temp.cache_size=-2048");
    staging_.emplace(connection_, Lock::kDeferred);  // Touches temporary tables only.
    for (const TableInfo& table : events::tables()) {
      connection_.execute(create_staged_sql(table));
    }
  }
  InPlaceLoad(const InPlaceLoad&) = delete;
  InPlaceLoad& operator=(const InPlaceLoad&) = delete;
  ~InPlaceLoad() override {
    writer_.reset();
    staging_.reset();
    try {
      drop_staged();
    } catch (const std::exception&) {  // They go with the connection.
    }
  }

  void add(const TableInfo& table, events::RowValues row) override {
    writer_->insert(table, {&row, 1});
    ++staged_[&table];
  }
  void set_largest_id(const TableInfo& table, std::int64_t id) override {
    largest_ids_[&table] = id;
  }

  [[nodiscard]] LoadOutcome publish(const Mark& mark) override {
    staging_->commit();
    connection_.execute("PRAGMA synchronous=FULL");
    Transaction transaction(connection_, Lock::kImmediate);
    const auto found = read_mark(connection_);
    const bool elsewhere = options_.tenant && found && found->position != mark.position;
    if (!still_stands(before_, found) || elsewhere) return Fenced{found};
    create_tables(connection_);
    std::vector<TableChanges> all;
    for (const TableInfo& table : events::tables()) all.push_back(merge(table));
    create_indexes(connection_);
    for (const auto& [table, id] : largest_ids_) raise_sequence(connection_, *table, id);
    write_mark(connection_, mark);
    if (!options_.dry_run) transaction.commit();
    return all;
  }

 private:
  std::uint64_t run(const std::string& sql) {
    connection_.execute(sql);
    return static_cast<std::uint64_t>(connection_.changes());
  }

  TableChanges merge(const TableInfo& table) {
    TableChanges changes;
    changes.table = &table;
    if (options_.tenant && !table.owner_column) return changes;
    const MergeSql sql(
        table, options_,
        {.live = prefixed(std::string(kLive), table),
         .staged = staged_table(table),
         .changed = std::string(kChanged),
         .tenant = options_.tenant ? text_literal(to_django_uuid(*options_.tenant)) : ""});
    stage_strays(table, sql);
    if (options_.delete_unknown) {
      changes.deleted = run(sql.delete_unknown());
    } else {
      delete_gone(table, sql, changes);
    }
    connection_.execute(create_changed_sql(table));
    changes.updated = run(sql.collect_changed());
    try {
      if (changes.updated != 0) {
        for (const std::string& statement : sql.park()) connection_.execute(statement);
        connection_.execute(sql.update());
      }
      changes.inserted = run(sql.insert());
    } catch (const ConstraintViolation& violation) {
      raise_in_the_way(table, violation);
    }
    changes.unchanged = staged_[&table] - changes.updated - changes.inserted;
    return changes;
  }

  // Rows of others that somebody gave to the one tenant: staged too, they are not unknown.
  void stage_strays(const TableInfo& table, const MergeSql& sql) {
    if (!options_.row_of) return;
    std::vector<events::RowValues> strays;
    {
      Statement unknown = connection_.prepare(sql.select_unknown());
      while (unknown.step()) {
        const events::Value id = read_value(unknown, 0, table.columns[table.id_column]);
        if (auto row = options_.row_of(table, id)) strays.push_back(*std::move(row));
      }
    }
    for (events::RowValues& row : strays) add(table, std::move(row));
  }

  // Rows that the log had once: they were removed since the read model was made.
  void delete_gone(const TableInfo& table, const MergeSql& sql, TableChanges& changes) {
    std::vector<std::string> gone;
    {
      Statement unknown = connection_.prepare(sql.select_unknown());
      while (unknown.step()) {
        const events::Value id = read_value(unknown, 0, table.columns[table.id_column]);
        if (options_.was_known && options_.was_known(table, id)) {
          gone.push_back(id_literal(id));
        } else {
          ++changes.unknown;
        }
      }
    }
    for_each_piece(gone, [&](std::span<const std::string> ids) {
      changes.deleted += run(sql.delete_rows(ids));
    });
  }

  [[noreturn]] void raise_in_the_way(const TableInfo& table, const ConstraintViolation& violation) {
    throw UsageError("unknown_row_in_the_way",
                     connection_.path().string() + ": a row of " + table.name +
                         " that the log does not know is in the way: " + violation.what(),
                     "`tenantry verify` names it; delete it, or run `tenantry rebuild "
                     "--delete-unknown`",
                     4);
  }

  void drop_staged() {
    for (const TableInfo& table : events::tables()) {
      connection_.execute("DROP TABLE IF EXISTS " + staged_table(table));
    }
    connection_.execute("DROP TABLE IF EXISTS " + std::string(kChanged));
  }

  Connection& connection_;
  LoadOptions options_;
  std::optional<Mark> before_;
  std::optional<Transaction> staging_;
  std::optional<RowWriter> writer_;
  std::map<const TableInfo*, std::uint64_t> staged_;  // How many rows.
  std::map<const TableInfo*, std::int64_t> largest_ids_;
};

}  // namespace

std::unique_ptr<Load> load_in_place(Connection& connection, const LoadOptions& options,
                                    const std::optional<Mark>& before) {
  return std::make_unique<InPlaceLoad>(connection, options, before);
}

}  // namespace tenantry::projections::sqlite
