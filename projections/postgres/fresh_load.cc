#include <map>

#include "projections/postgres/copy_writer.h"
#include "projections/postgres/load.h"
#include "projections/postgres/maintenance.h"
#include "projections/postgres/mark.h"

namespace tenantry::projections::postgres {
namespace {

using events::TableInfo;

class FreshLoad final : public Load {
 public:
  FreshLoad(Connection& connection, const std::string& schema, const LoadOptions& options,
            const std::optional<Mark>& before)
      : connection_(connection),
        schema_(schema),
        dry_run_(options.dry_run),
        before_(before),
        transaction_(connection),
        loading_(loading_schema(connection)),
        copier_(
            connection, [this](const TableInfo& table) { return name_of(table); },
            CopyWriter::Visible::kAtOnce) {
    catalogue_ = read_catalogue(connection_, schema_);
    refuse_half_django(catalogue_, connection_.name());
    connection_.execute("CREATE SCHEMA " + identifier(loading_));
    for (const TableInfo& table : events::tables()) {
      connection_.execute(create_table_sql(loading_, table));
    }
  }

  void add(const TableInfo& table, events::RowValues row) override { copier_.add(table, row); }
  void set_largest_id(const TableInfo& table, std::int64_t id) override {
    largest_ids_[&table] = id;
  }

  [[nodiscard]] LoadOutcome publish(const Mark& mark) override {
    copier_.finish();
    const auto found = lock_mark(connection_, schema_);
    if (!still_stands(before_, found)) return Fenced{found};
    auto changes = count_rows();
    if (dry_run_) return changes;
    finish_tables();
    try {
      put_in_place();
    } catch (const AlreadyThere&) {  // Somebody else made the tables meanwhile.
      return Fenced{};
    }
    if (!write_mark(connection_, schema_, found, mark)) return Fenced{};
    transaction_.commit();
    return changes;
  }

 private:
  static std::string loading_schema(Connection& connection) {
    const Result process = connection.query("SELECT pg_backend_pid()");
    return "tenantry_loading_" + std::string(process.text(0, 0));
  }

  [[nodiscard]] std::string name_of(const TableInfo& table) const {
    return qualified(loading_, table.name);
  }

  void make_keys() {
    for (const TableInfo& table : events::tables()) {
      connection_.execute(primary_key_sql(loading_, table));
    }
  }

  std::vector<TableChanges> count_rows() {
    std::vector<TableChanges> all;
    for (const TableInfo& table : events::tables()) {
      TableChanges changes;
      changes.table = &table;
      const Result counted = connection_.query("SELECT count(*) FROM " + name_of(table));
      changes.inserted = std::stoull(std::string(counted.text(0, 0)));
      all.push_back(changes);
    }
    return all;
  }

  void finish_tables() {
    make_keys();
    for (const TableInfo& table : events::tables()) {
      for (const auto& statement : index_statements(loading_, table)) {
        connection_.execute(statement.sql);
      }
    }
    for (const TableInfo& table : events::tables()) {
      for (const auto& statement : foreign_key_statements(loading_, table)) {
        make_foreign_key(connection_, statement.sql);
      }
      connection_.execute("ANALYZE " + name_of(table));
    }
  }

  void put_in_place() {
    create_schema(connection_, schema_);
    for (const TableInfo& table : events::tables()) {
      connection_.execute("ALTER TABLE " + name_of(table) + " SET SCHEMA " + identifier(schema_));
    }
    connection_.execute("DROP SCHEMA " + identifier(loading_));
    for (const auto& [table, id] : largest_ids_) raise_sequence(connection_, schema_, *table, id);
    static_cast<void>(record_migrations(connection_, schema_, catalogue_));
  }

  Connection& connection_;
  std::string schema_;
  bool dry_run_;
  std::optional<Mark> before_;
  Transaction transaction_;
  std::string loading_;
  Catalogue catalogue_;
  CopyWriter copier_;
  std::map<const TableInfo*, std::int64_t> largest_ids_;
};

}  // namespace

std::unique_ptr<Load> load_fresh(Connection& connection, const std::string& schema,
                                 const LoadOptions& options, const std::optional<Mark>& before) {
  return std::make_unique<FreshLoad>(connection, schema, options, before);
}

}  // namespace tenantry::projections::postgres
