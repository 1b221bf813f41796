#include <algorithm>
#include <map>

#include "core/error.h"
#include "projections/sqlite/load.h"
#include "projections/sqlite/row_writer.h"
#include "projections/sqlite/schema.h"
#include "projections/sqlite/values.h"

namespace tenantry::projections::sqlite {
namespace {

using events::ColumnInfo;
using events::SqlType;
using events::TableInfo;

constexpr std::string_view kLive = "main.";
constexpr std::string_view kStaged = "temp.tenantry_staged_";

// The statements that merge one staged table (s) into the live one (t). A rule of uniqueness is
// checked row by row, so values that change hands are parked first: each row that is about to
// change such a value takes one that nobody has.
class MergeSql {
 public:
  MergeSql(const TableInfo& table, const LoadOptions& options)
      : table_(table),
        live_(prefixed(std::string(kLive), table)),
        staged_(prefixed(std::string(kStaged), table)),
        id_(identifier(table.columns[table.id_column].name)) {
    for (std::size_t place = 0; place < table.columns.size(); ++place) {
      const bool kept =
          table.columns[place].application_owned && !options.restore_application_columns;
      if (place != table.id_column && !kept) compared_.push_back(place);
    }
    if (options.tenant && table.owner_column) {
      only_ = " AND t." + identifier(table.columns[*table.owner_column].name) + " = " +
              text_literal(to_django_uuid(*options.tenant));
    }
  }

  // Without the constraints of the live one, which the rows need not obey before they are merged.
  [[nodiscard]] std::string create_staged() const {
    const bool integer = table_.integer_ids;
    std::string columns;
    for (std::size_t place = 0; place < table_.columns.size(); ++place) {
      const std::string type = place != table_.id_column ? ""
                               : integer                 ? " integer PRIMARY KEY"
                                                         : " text PRIMARY KEY";
      columns += (place == 0 ? "" : ", ") + identifier(table_.columns[place].name) + type;
    }
    return "CREATE TABLE " + staged_ + " (" + columns + ")" + (integer ? "" : " WITHOUT ROWID");
  }
  [[nodiscard]] std::string drop_staged() const { return "DROP TABLE IF EXISTS " + staged_; }
  [[nodiscard]] std::string count_staged() const { return "SELECT count(*) FROM " + staged_; }

  [[nodiscard]] std::string count_unknown() const {
    return "SELECT count(*) FROM " + live_ + " AS t WHERE " + unknown();
  }
  [[nodiscard]] std::string delete_unknown() const {
    return "DELETE FROM " + live_ + " AS t WHERE " + unknown();
  }
  [[nodiscard]] std::string collect_changed() const {
    return "INSERT INTO temp.tenantry_changed SELECT t." + id_ + " FROM " + live_ + " AS t JOIN " +
           staged_ + " AS s ON s." + id_ + " = t." + id_ + " WHERE " + differs(compared_);
  }
  [[nodiscard]] std::vector<std::string> park() const {
    std::vector<std::string> statements;
    for (const events::ClaimInfo& claim : table_.claims) {
      const ColumnInfo& column = table_.columns[claim.columns.back()];
      std::vector<std::size_t> decisive = claim.columns;
      if (claim.where_column) decisive.push_back(*claim.where_column);
      statements.push_back("UPDATE " + live_ + " AS t SET " + identifier(column.name) + " = " +
                           parking_place(column) + " WHERE " + changed() +
                           " AND EXISTS (SELECT 1 FROM " + staged_ + " AS s WHERE s." + id_ +
                           " = t." + id_ + " AND (" + differs(decisive) + "))");
    }
    return statements;
  }
  [[nodiscard]] std::string update() const {
    std::string list;
    for (const std::size_t place : compared_) {
      const std::string name = identifier(table_.columns[place].name);
      list += (list.empty() ? "" : ", ") + name + " = s." + name;
    }
    return "UPDATE " + live_ + " AS t SET " + list + " FROM " + staged_ + " AS s WHERE s." + id_ +
           " = t." + id_ + " AND " + changed();
  }
  [[nodiscard]] std::string insert() const {
    return "INSERT INTO " + live_ + " (" + column_list(table_) + ") SELECT " + column_list(table_) +
           " FROM " + staged_ + " AS s WHERE NOT EXISTS (SELECT 1 FROM " + live_ +
           " AS t WHERE t." + id_ + " = s." + id_ + ")";
  }

 private:
  [[nodiscard]] std::string unknown() const {
    return "NOT EXISTS (SELECT 1 FROM " + staged_ + " AS s WHERE s." + id_ + " = t." + id_ + ")" +
           only_;
  }
  [[nodiscard]] std::string changed() const {
    return "t." + id_ + " IN (SELECT id FROM temp.tenantry_changed)";
  }
  [[nodiscard]] std::string differs(const std::vector<std::size_t>& places) const {
    std::string any;
    for (const std::size_t place : places) {
      const std::string name = identifier(table_.columns[place].name);
      any += (any.empty() ? "t." : " OR t.") + name + " IS NOT s." + name;
    }
    return any.empty() ? "0" : any;
  }
  // No name has a blank in it, no id is negative.
  [[nodiscard]] std::string parking_place(const ColumnInfo& column) const {
    if (column.nullable) return "NULL";
    const bool number = column.type == SqlType::INTEGER || column.type == SqlType::BIGINT;
    TENANTRY_ASSERT(!number || table_.integer_ids);
    return number ? "-t." + id_ : "'being merged ' || t." + id_;
  }

  const TableInfo& table_;
  std::string live_;
  std::string staged_;
  std::string id_;
  std::string only_;
  std::vector<std::size_t> compared_;
};

class InPlaceLoad final : public Load {
 public:
  InPlaceLoad(Connection& connection, const LoadOptions& options, const std::optional<Mark>& before)
      : connection_(connection),
        options_(options),
        before_(before),
        writer_(std::in_place, connection, std::string(kStaged)) {
    drop_staged();
    connection_.execute("PRAGMA temp.cache_size=-16384");
    staging_.emplace(connection_, Lock::kDeferred);  // Touches temporary tables only.
    for (const TableInfo& table : events::tables()) {
      connection_.execute(MergeSql(table, options_).create_staged());
    }
    connection_.execute("CREATE TABLE temp.tenantry_changed (id PRIMARY KEY) WITHOUT ROWID");
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

  void add(const TableInfo& table, const events::RowValues& row) override {
    writer_->insert(table, row);
  }
  void apply(const events::RowChange& change) override { writer_->apply(change); }
  void set_largest_id(const TableInfo& table, std::int64_t id) override {
    largest_ids_[&table] = id;
  }

  [[nodiscard]] LoadOutcome publish(const Mark& mark) override {
    staging_->commit();
    connection_.execute("PRAGMA synchronous=FULL");
    Transaction transaction(connection_, Lock::kImmediate);
    const auto found = read_mark(connection_);
    if (!still_stands(found)) return Fenced{found};
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
  bool still_stands(const std::optional<Mark>& found) const {
    if (!before_ || !found) return before_.has_value() == found.has_value();
    // How far a projector got meanwhile does not matter: what is merged is compared with what there
    // is.
    return found->store_id == before_->store_id && found->incarnation == before_->incarnation &&
           found->epoch == before_->epoch;
  }

  std::uint64_t run(const std::string& sql) {
    connection_.execute(sql);
    return static_cast<std::uint64_t>(connection_.changes());
  }
  std::uint64_t count(const std::string& sql) {
    return static_cast<std::uint64_t>(connection_.query_integer(sql));
  }

  TableChanges merge(const TableInfo& table) {
    TableChanges changes;
    changes.table = &table;
    if (options_.tenant && !table.owner_column) return changes;
    const MergeSql sql(table, options_);
    if (options_.delete_unknown) {
      changes.deleted = run(sql.delete_unknown());
    } else {
      changes.unknown = count(sql.count_unknown());
    }
    connection_.execute("DELETE FROM temp.tenantry_changed");
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
    changes.unchanged = count(sql.count_staged()) - changes.updated - changes.inserted;
    return changes;
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
      connection_.execute(MergeSql(table, options_).drop_staged());
    }
    connection_.execute("DROP TABLE IF EXISTS temp.tenantry_changed");
  }

  Connection& connection_;
  LoadOptions options_;
  std::optional<Mark> before_;
  std::optional<Transaction> staging_;
  std::optional<RowWriter> writer_;
  std::map<const TableInfo*, std::int64_t> largest_ids_;
};

}  // namespace

std::unique_ptr<Load> load_in_place(Connection& connection, const LoadOptions& options,
                                    const std::optional<Mark>& before) {
  return std::make_unique<InPlaceLoad>(connection, options, before);
}

}  // namespace tenantry::projections::sqlite
