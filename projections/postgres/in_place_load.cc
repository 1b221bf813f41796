#include <map>

#include "core/error.h"
#include "projections/postgres/copy_writer.h"
#include "projections/postgres/load.h"
#include "projections/postgres/maintenance.h"
#include "projections/postgres/mark.h"
#include "projections/postgres/row_writer.h"
#include "projections/postgres/values.h"

namespace tenantry::projections::postgres {
namespace {

using events::ColumnInfo;
using events::SqlType;
using events::TableInfo;

std::string staged_table(const TableInfo& table) { return "tenantry_staged_" + table.name; }
std::string changed_table(const TableInfo& table) { return "tenantry_changed_" + table.name; }
std::string temporary(const std::string& name) { return "pg_temp." + identifier(name); }

// The statements that merge one staged table (s) into the live one (t). A rule of uniqueness is
// checked row by row, so values that change hands are parked first: each row that is about to
// change such a value takes one that nobody has.
class MergeSql {
 public:
  MergeSql(const std::string& schema, const TableInfo& table, const LoadOptions& options)
      : table_(table),
        live_(qualified(schema, table.name)),
        staged_(temporary(staged_table(table))),
        changed_(temporary(changed_table(table))),
        id_(identifier(table.columns[table.id_column].name)) {
    for (std::size_t place = 0; place < table.columns.size(); ++place) {
      const bool kept =
          table.columns[place].application_owned && !options.restore_application_columns;
      if (place != table.id_column && !kept) compared_.push_back(place);
    }
    if (options.tenant && table.owner_column) {
      only_ = " AND t." + identifier(table.columns[*table.owner_column].name) + " = " +
              text_literal(events::format_uuid(*options.tenant)) + "::uuid";
    }
  }

  [[nodiscard]] std::string create_changed() const {
    return "CREATE TEMPORARY TABLE " + identifier(changed_table(table_)) +
           " (n integer GENERATED ALWAYS AS IDENTITY, id " +
           type_sql(table_.columns[table_.id_column]) + " PRIMARY KEY) ON COMMIT DROP";
  }
  [[nodiscard]] std::string count_staged() const { return "SELECT count(*) FROM " + staged_; }
  [[nodiscard]] std::string count_unknown() const {
    return "SELECT count(*) FROM " + live_ + " AS t WHERE " + unknown();
  }
  [[nodiscard]] std::string delete_unknown() const {
    return "DELETE FROM " + live_ + " AS t WHERE " + unknown();
  }
  [[nodiscard]] std::string select_unknown() const {
    return "SELECT t." + id_ + " FROM " + live_ + " AS t WHERE " + unknown();
  }
  [[nodiscard]] std::string collect_changed() const {
    return "INSERT INTO " + changed_ + " (id) SELECT t." + id_ + " FROM " + live_ + " AS t JOIN " +
           staged_ + " AS s ON s." + id_ + " = t." + id_ + " WHERE " + differs(compared_);
  }
  [[nodiscard]] std::vector<std::string> park() const {
    std::vector<std::string> statements;
    for (const events::ClaimInfo& claim : table_.claims) {
      const ColumnInfo& column = table_.columns[claim.columns.back()];
      std::vector<std::size_t> decisive = claim.columns;
      if (claim.where_column) decisive.push_back(*claim.where_column);
      statements.push_back("UPDATE " + live_ + " AS t SET " + identifier(column.name) + " = " +
                           parking_place(column) + " FROM " + changed_ + " AS c, " + staged_ +
                           " AS s WHERE c.id = t." + id_ + " AND s." + id_ + " = t." + id_ +
                           " AND (" + differs(decisive) + ")");
    }
    return statements;
  }
  [[nodiscard]] std::string update() const {
    std::string list;
    for (const std::size_t place : compared_) {
      const std::string name = identifier(table_.columns[place].name);
      list += (list.empty() ? "" : ", ") + name + " = s." + name;
    }
    return "UPDATE " + live_ + " AS t SET " + list + " FROM " + changed_ + " AS c, " + staged_ +
           " AS s WHERE c.id = t." + id_ + " AND s." + id_ + " = t." + id_;
  }
  [[nodiscard]] std::string insert() const {
    return "INSERT INTO " + live_ + " (" + column_list(table_) + ") SELECT " +
           column_list(table_, "s.") + " FROM " + staged_ +
           " AS s WHERE NOT EXISTS (SELECT 1 FROM " + live_ + " AS t WHERE t." + id_ + " = s." +
           id_ + ")";
  }

 private:
  [[nodiscard]] std::string unknown() const {
    return "NOT EXISTS (SELECT 1 FROM " + staged_ + " AS s WHERE s." + id_ + " = t." + id_ + ")" +
           only_;
  }
  // JSON documents are compared as they print: 1.0 and 1 are equal numbers, and another text.
  [[nodiscard]] std::string differs(const std::vector<std::size_t>& places) const {
    std::string any;
    for (const std::size_t place : places) {
      const ColumnInfo& column = table_.columns[place];
      const std::string cast = column.type == SqlType::JSONB ? "::text" : "";
      const std::string name = identifier(column.name) + cast;
      any += (any.empty() ? "t." : " OR t.") + name + " IS DISTINCT FROM s." + name;
    }
    return any.empty() ? "false" : any;
  }
  // No name has a blank in it, no id is negative.
  [[nodiscard]] static std::string parking_place(const ColumnInfo& column) {
    if (column.nullable) return "NULL";
    const bool number = column.type == SqlType::INTEGER || column.type == SqlType::BIGINT;
    return number ? "-c.n" : "'being merged ' || c.n";
  }

  const TableInfo& table_;
  std::string live_;
  std::string staged_;
  std::string changed_;
  std::string id_;
  std::string only_;
  std::vector<std::size_t> compared_;
};

class InPlaceLoad final : public Load {
 public:
  InPlaceLoad(Connection& connection, const std::string& schema, const LoadOptions& options,
              const std::optional<Mark>& before)
      : connection_(connection),
        schema_(schema),
        options_(options),
        before_(before),
        transaction_(connection),
        copier_(connection, &InPlaceLoad::name_of),
        writer_(connection, &InPlaceLoad::name_of) {
    for (const TableInfo& table : events::tables()) {
      connection_.execute(create_staged_sql(staged_table(table), table));
    }
  }

  void add(const TableInfo& table, const events::RowValues& row) override {
    copier_.add(table, row);
  }
  void apply(const events::RowChange& change) override {
    make_keys();  // Rows are looked up by them.
    writer_.apply(change);
  }
  void set_largest_id(const TableInfo& table, std::int64_t id) override {
    largest_ids_[&table] = id;
  }

  [[nodiscard]] LoadOutcome publish(const Mark& mark) override {
    copier_.finish();
    writer_.flush();
    make_keys();
    for (const TableInfo& table : events::tables())
      connection_.execute("ANALYZE " + name_of(table));
    const auto found = lock_mark(connection_, schema_);
    if (!still_stands(found)) return Fenced{found};
    create_missing_tables(connection_, schema_);
    std::vector<TableChanges> all;
    for (const TableInfo& table : events::tables()) all.push_back(merge(table));
    check_references(connection_);
    static_cast<void>(create_missing(connection_, schema_));  // Foreign keys, now that rows fit.
    if (options_.dry_run) return all;
    for (const auto& [table, id] : largest_ids_) raise_sequence(connection_, schema_, *table, id);
    if (!write_mark(found, mark)) return Fenced{};
    transaction_.commit();
    return all;
  }

 private:
  static std::string name_of(const TableInfo& table) { return temporary(staged_table(table)); }

  void make_keys() {
    if (std::exchange(has_keys_, true)) return;
    for (const TableInfo& table : events::tables()) {
      connection_.execute("ALTER TABLE " + name_of(table) + " ADD PRIMARY KEY (" +
                          identifier(table.columns[table.id_column].name) + ")");
    }
  }

  [[nodiscard]] bool still_stands(const std::optional<Mark>& found) const {
    if (!before_ || !found) return before_.has_value() == found.has_value();
    // How far a projector got meanwhile does not matter: what is merged is compared with what there
    // is.
    return found->store_id == before_->store_id && found->incarnation == before_->incarnation &&
           found->epoch == before_->epoch;
  }

  [[nodiscard]] bool write_mark(const std::optional<Mark>& found, const Mark& mark) {
    if (found) return move_mark(connection_, schema_, *found, mark);
    try {
      insert_mark(connection_, schema_, mark);
    } catch (const AlreadyThere&) {
      return false;
    } catch (const ConstraintViolation&) {
      return false;
    }
    return true;
  }

  std::uint64_t run(const std::string& sql) { return connection_.query(sql).affected(); }
  std::uint64_t count(const std::string& sql) {
    return std::stoull(std::string(connection_.query(sql).text(0, 0)));
  }

  TableChanges merge(const TableInfo& table) {
    TableChanges changes;
    changes.table = &table;
    if (options_.tenant && !table.owner_column) return changes;
    const MergeSql sql(schema_, table, options_);
    if (options_.delete_unknown) {
      changes.deleted = delete_unknown(sql);
    } else {
      changes.unknown = count(sql.count_unknown());
    }
    connection_.execute(sql.create_changed());
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
    changes.unchanged = count(sql.count_staged()) - changes.updated - changes.inserted;
    return changes;
  }

  std::uint64_t delete_unknown(const MergeSql& sql) {
    connection_.execute("SAVEPOINT tenantry_delete");
    try {
      return run(sql.delete_unknown());
    } catch (const ConstraintViolation& violation) {  // Of a key that is not deferrable.
      connection_.execute("ROLLBACK TO SAVEPOINT tenantry_delete");
      raise_referenced(connection_, violation.error(), sql.select_unknown());
    }
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
  RowWriter writer_;
  bool has_keys_ = false;
  std::map<const TableInfo*, std::int64_t> largest_ids_;
};

}  // namespace

std::unique_ptr<Load> load_in_place(Connection& connection, const std::string& schema,
                                    const LoadOptions& options, const std::optional<Mark>& before) {
  return std::make_unique<InPlaceLoad>(connection, schema, options, before);
}

}  // namespace tenantry::projections::postgres
