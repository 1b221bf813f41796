#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/error.h"
#include "projections/merge_sql.h"
#include "projections/postgres/copy_writer.h"
#include "projections/postgres/load.h"
#include "projections/postgres/maintenance.h"
#include "projections/postgres/mark.h"
#include "projections/postgres/values.h"

namespace tenantry::projections::postgres {
namespace {

using events::TableInfo;

std::string uuid_literal(const events::Uuid& uuid) {
  return text_literal(events::format_uuid(uuid)) + "::uuid";
}
std::string id_literal(const events::Value& id) {
  const auto* uuid = std::get_if<events::Uuid>(&id);
  return uuid != nullptr ? uuid_literal(*uuid) : std::to_string(std::get<std::int64_t>(id));
}
std::string staged_table(const TableInfo& table) { return "tenantry_staged_" + table.name; }
std::string changed_table(const TableInfo& table) { return "tenantry_changed_" + table.name; }
std::string temporary(const std::string& name) { return "pg_temp." + identifier(name); }

std::string create_changed_sql(const TableInfo& table) {
  return "CREATE TEMPORARY TABLE " + identifier(changed_table(table)) +
         " (n integer GENERATED ALWAYS AS IDENTITY, id " +
         type_sql(table.columns[table.id_column]) + " PRIMARY KEY) ON COMMIT DROP";
}

class InPlaceLoad final : public Load {
 public:
  InPlaceLoad(Connection& connection, const std::string& schema, const LoadOptions& options,
              const std::optional<Mark>& before)
      : connection_(connection),
        schema_(schema),
        options_(options),
        before_(before),
        transaction_(connection),
        copier_(connection, &InPlaceLoad::name_of) {
    for (const TableInfo& table : events::tables()) {
      connection_.execute(create_staged_sql(staged_table(table), table));
    }
  }

  void add(const TableInfo& table, events::RowValues row) override {
    copier_.add(table, row);
    ++staged_[&table];
  }
  void set_largest_id(const TableInfo& table, std::int64_t id) override {
    largest_ids_[&table] = id;
  }

  [[nodiscard]] LoadOutcome publish(const Mark& mark) override {
    copier_.finish();
    make_keys();
    for (const TableInfo& table : events::tables()) {  // What is joined on, and how many rows.
      connection_.execute("ANALYZE " + name_of(table) + " (" + id_of(table) + ")");
    }
    const auto found = lock_mark(connection_, schema_);
    const bool elsewhere = options_.tenant && found && found->position != mark.position;
    if (!still_stands(before_, found) || elsewhere) return Fenced{found};
    create_missing_tables(connection_, schema_);
    std::vector<TableChanges> all;
    for (const TableInfo& table : events::tables()) all.push_back(merge(table));
    check_references(connection_);
    static_cast<void>(create_missing(connection_, schema_));  // Foreign keys, now that rows fit.
    if (options_.dry_run) return all;
    for (const auto& [table, id] : largest_ids_) raise_sequence(connection_, schema_, *table, id);
    if (!write_mark(connection_, schema_, found, mark)) return Fenced{};
    transaction_.commit();
    return all;
  }

 private:
  static std::string name_of(const TableInfo& table) { return temporary(staged_table(table)); }
  static std::string id_of(const TableInfo& table) {
    return identifier(table.columns[table.id_column].name);
  }

  void make_keys() {
    for (const TableInfo& table : events::tables()) {
      connection_.execute("ALTER TABLE " + name_of(table) + " ADD PRIMARY KEY (" + id_of(table) +
                          ")");
    }
  }

  std::uint64_t run(const std::string& sql) { return connection_.query(sql).affected(); }

  TableChanges merge(const TableInfo& table) {
    TableChanges changes;
    changes.table = &table;
    if (options_.tenant && !table.owner_column) return changes;
    const MergeSql sql(table, options_,
                       {.live = qualified(schema_, table.name),
                        .staged = name_of(table),
                        .changed = temporary(changed_table(table)),
                        .tenant = options_.tenant ? uuid_literal(*options_.tenant) : "",
                        .document_suffix = "::text"});
    stage_strays(table, sql);
    if (options_.delete_unknown) {
      changes.deleted = remove(sql.delete_unknown(), sql.select_unknown());
    } else {
      delete_gone(table, sql, changes);
    }
    connection_.execute(create_changed_sql(table));
    changes.updated = run(sql.collect_changed());
    try {
      if (changes.updated != 0) {
        connection_.execute("ANALYZE " + temporary(changed_table(table)));
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
    const Result unknown = connection_.query(sql.select_unknown());
    for (int place = 0; place < unknown.rows(); ++place) {
      const auto id = parse_text(table.columns[table.id_column], unknown.text(place, 0));
      if (auto row = options_.row_of(table, id)) add(table, *std::move(row));
    }
    copier_.finish();
  }

  // `ids` selects, or lists, what `sql` deletes.
  std::uint64_t remove(const std::string& sql, const std::string& ids) {
    connection_.execute("SAVEPOINT tenantry_delete");
    try {
      return run(sql);
    } catch (const ConstraintViolation& violation) {  // Of a key that is not deferrable.
      connection_.execute("ROLLBACK TO SAVEPOINT tenantry_delete");
      raise_referenced(connection_, violation.error(), ids);
    }
  }

  // Rows that the log had once: they were removed since the read model was made.
  void delete_gone(const TableInfo& table, const MergeSql& sql, TableChanges& changes) {
    const Result unknown = connection_.query(sql.select_unknown());
    std::vector<std::string> gone;
    for (int row = 0; row < unknown.rows(); ++row) {
      const events::Value id = parse_text(table.columns[table.id_column], unknown.text(row, 0));
      if (options_.was_known && options_.was_known(table, id)) gone.push_back(id_literal(id));
    }
    for_each_piece(gone, [&](std::span<const std::string> ids) {
      changes.deleted += remove(sql.delete_rows(ids), fmt::format("{}", fmt::join(ids, ", ")));
    });
    changes.unknown = static_cast<std::uint64_t>(unknown.rows()) - gone.size();
  }

  [[noreturn]] void raise_in_the_way(const TableInfo& table, const ConstraintViolation& violation) {
    if (violation.foreign_key()) {  // It refers to a unique value, which is parked for a moment.
      throw UsageError("read_model_referenced", connection_.name() + ": " + violation.what(),
                       "make that foreign key DEFERRABLE INITIALLY DEFERRED; nothing was changed",
                       4);
    }
    throw UsageError("unknown_row_in_the_way",
                     connection_.name() + ": a row of " + table.name +
                         " that the log does not know is in the way: " + violation.what(),
                     "`tenantry verify` names it; delete it, or run `tenantry rebuild "
                     "--delete-unknown`",
                     4);
  }

  Connection& connection_;
  std::string schema_;
  LoadOptions options_;
  std::optional<Mark> before_;
  Transaction transaction_;
  CopyWriter copier_;
  std::map<const TableInfo*, std::uint64_t> staged_;  // How many rows.
  std::map<const TableInfo*, std::int64_t> largest_ids_;
};

}  // namespace

std::unique_ptr<Load> load_in_place(Connection& connection, const std::string& schema,
                                    const LoadOptions& options, const std::optional<Mark>& before) {
  return std::make_unique<InPlaceLoad>(connection, schema, options, before);
}

}  // namespace tenantry::projections::postgres
