#include "projections/sqlite/sqlite_read_model.h"

#include <algorithm>

#include <fcntl.h>

#include "core/error.h"
#include "core/file_ops.h"
#include "core/planted.h"
#include "projections/row_pipe.h"
#include "projections/sql_text.h"
#include "projections/sqlite/load.h"
#include "projections/sqlite/row_writer.h"
#include "projections/sqlite/schema.h"
#include "projections/sqlite/values.h"

namespace tenantry::projections {
namespace sqlite {
namespace {

using events::TableInfo;

class SqliteBatch final : public Batch {
 public:
  SqliteBatch(Connection& connection, std::unique_ptr<Transaction> transaction, RowWriter& writer,
              Mark mark)
      : connection_(connection),
        transaction_(std::move(transaction)),
        writer_(writer),
        mark_(std::move(mark)) {}

  void apply(const events::RowChange& change) override { writer_.apply(change); }

  void commit(const Mark& mark) override {
    TENANTRY_ASSERT(mark.position >= mark_.position && mark.epoch == mark_.epoch);
    if (planted(Plant::kMarkApart)) {
      transaction_->commit();
      transaction_ = std::make_unique<Transaction>(connection_, Lock::kImmediate);
    }
    write_mark(connection_, mark);
    transaction_->commit();
  }

 private:
  Connection& connection_;
  std::unique_ptr<Transaction> transaction_;
  RowWriter& writer_;
  Mark mark_;
};

class SqliteReadView final : public ReadView {
 public:
  explicit SqliteReadView(Connection& connection)
      : connection_(connection), transaction_(connection, Lock::kDeferred) {
    mark_ = read_mark(connection_);  // The first read fixes what is seen.
  }

  [[nodiscard]] const std::optional<Mark>& mark() const override { return mark_; }

  void scan_rows(const TableInfo& table,
                 const std::function<bool(const events::RowValues&)>& visit) override {
    Statement statement = connection_.prepare(select(table) + " ORDER BY " + id_of(table));
    while (statement.step()) {
      if (!visit(read_row(statement, table))) return;
    }
  }

  [[nodiscard]] std::optional<events::RowValues> row(const TableInfo& table,
                                                     const events::Uuid& id) override {
    if (looked_up_ != &table) {
      lookup_.emplace(connection_.prepare(select(table) + " WHERE " + id_of(table) + " = ?"));
      looked_up_ = &table;
    }
    const events::Value key = events::id_value(table, id);
    std::string scratch;
    lookup_->reset();
    bind_value(*lookup_, 1, table.columns[table.id_column], key, scratch);
    if (!lookup_->step()) return std::nullopt;
    return read_row(*lookup_, table);
  }

  [[nodiscard]] std::int64_t largest_id(const TableInfo& table) override {
    Statement rows = connection_.prepare("SELECT coalesce(max(" + id_of(table) + "), 0) FROM " +
                                         prefixed("main.", table));
    std::int64_t largest = rows.step() ? rows.integer(0) : 0;
    Statement sequences = connection_.prepare(
        "SELECT 1 FROM main.sqlite_master WHERE type = 'table' AND name = 'sqlite_sequence'");
    if (!sequences.step()) return largest;
    Statement sequence = connection_.prepare("SELECT seq FROM main.sqlite_sequence WHERE name = ?");
    sequence.bind(1, std::string_view(table.name));
    if (sequence.step()) largest = std::max(largest, sequence.integer(0));
    return largest;
  }

  // SQLite has no hash function: the rows are read, in the order in which they stand in the file,
  // and hashed beside that.
  [[nodiscard]] TableFingerprint fingerprint(const TableInfo& table,
                                             const std::optional<events::Uuid>& tenant) override {
    TableDigest digest(table);
    RowPipe hashed(
        [&](const TableInfo& /*table*/, const events::RowValues& row) { digest.add(row); });
    Statement statement = connection_.prepare(select(table));
    while (statement.step()) {
      events::RowValues row = read_row(statement, table);
      if (tenant && row[table.owner_column.value()] != events::Value(*tenant)) continue;
      hashed.add(table, std::move(row));
    }
    hashed.finish();
    return digest.fingerprint();
  }

 private:
  [[nodiscard]] std::string select(const TableInfo& table) {
    return "SELECT " + column_list(table) + " FROM " + readable_sql(connection_, table);
  }
  static std::string id_of(const TableInfo& table) {
    return identifier(table.columns[table.id_column].name);
  }

  Connection& connection_;
  Transaction transaction_;
  std::optional<Mark> mark_;
  std::optional<Statement> lookup_;
  const TableInfo* looked_up_ = nullptr;
};

class SqliteReadModel final : public ReadModel {
 public:
  explicit SqliteReadModel(SqliteOptions options) : options_(std::move(options)) {}

  [[nodiscard]] std::string name() const override { return "sqlite:" + options_.path.string(); }
  // A page that several events change is written once for all of them: a million events took half
  // the time of batches of 1000, and the file is locked for a quarter of a second each time.
  [[nodiscard]] std::size_t batch_events() const override { return 10'000; }

  [[nodiscard]] Probe probe() override {
    Probe probe;
    if (!exists()) return probe;
    Connection& database = connection();
    const Transaction view(database, Lock::kDeferred);
    probe.mark = read_mark(database);
    for (const TableInfo& table : events::tables()) probe_table(probe, database, table);
    std::ranges::move(compare_migrations(read_recorded_migrations(database), probe.missing_tables,
                                         identifier(kDjangoMigrations)),
                      std::back_inserter(probe.findings));
    probe.conclude();
    return probe;
  }

  [[nodiscard]] std::vector<Migration> migrations() override {
    return migrations_of(exists() ? read_recorded_migrations(connection()) : RecordedMigrations{});
  }

  [[nodiscard]] std::vector<std::string> schema_sql() const override {
    std::vector<std::string> statements;
    for (const TableInfo& table : events::tables()) {
      statements.push_back(create_table_sql(table));
      std::ranges::move(create_index_sql(table), std::back_inserter(statements));
    }
    return statements;
  }

  [[nodiscard]] std::vector<std::string> role_sql() const override { return {}; }

  std::vector<std::string> create_missing() override {
    Connection& database = writable();
    Transaction transaction(database, Lock::kImmediate);
    auto made = create_all(database);
    transaction.commit();
    return made;
  }

  [[nodiscard]] std::vector<std::string> missing() override {
    if (!exists()) return labels_of_everything();
    refuse_read_only();
    const Transaction rolled_back(connection(), Lock::kImmediate);
    return create_all(connection());
  }

  [[nodiscard]] std::optional<Fenced> adopt(const Mark& mark) override {
    Connection& database = writable();
    Transaction transaction(database, Lock::kImmediate);
    if (const auto found = read_mark(database)) return Fenced{found};
    write_mark(database, mark);
    transaction.commit();
    return std::nullopt;
  }

  [[nodiscard]] BeginOutcome begin(const Mark& expected) override {
    Connection& database = writable();
    // The log outlives the read model: a power failure may undo the last batches, whole.
    // Rows are found and changed anywhere, so a cache pays; a larger one would grow with the file.
    database.execute("PRAGMA synchronous=NORMAL; PRAGMA cache_size=-8192");
    auto transaction = std::make_unique<Transaction>(database, Lock::kImmediate);
    const auto found = read_mark(database);
    if (!still_stands(expected, found) || found->position != expected.position) {
      return Fenced{found};
    }
    if (!writer_) writer_.emplace(database, "main.");
    return std::make_unique<SqliteBatch>(database, std::move(transaction), *writer_, *found);
  }

  [[nodiscard]] std::unique_ptr<Load> begin_load(const LoadOptions& options,
                                                 const std::optional<Mark>& before) override {
    refuse_read_only();
    if (options.mode == LoadMode::kFresh && !exists()) {
      return load_new_file(connect_options(Access::kCreate), options, before);
    }
    // A dry run leaves even the kind of journal as it is.
    Connection& database = options.dry_run ? connection() : writable();
    return options.mode == LoadMode::kFresh ? load_new_tables(database, options, before)
                                            : load_in_place(database, options, before);
  }

  [[nodiscard]] std::unique_ptr<ReadView> read() override {
    if (!exists()) {
      throw UsageError("read_model_absent", "there is no file " + options_.path.string(),
                       "`tenantry rebuild` makes it", 5);
    }
    return std::make_unique<SqliteReadView>(connection());
  }

 private:
  [[nodiscard]] bool exists() const {
    std::error_code error;
    const bool found = std::filesystem::exists(options_.path, error);
    if (error) throw_file_error("look for", options_.path, error.value());
    return found;
  }

  [[nodiscard]] ConnectOptions connect_options(Access access) const {
    return {options_.path, access, options_.busy_timeout, options_.pages_max};
  }

  Connection& connection() {
    if (!connection_) {
      connection_.emplace(connect_options(options_.read_only ? Access::kRead : Access::kWrite));
    }
    return *connection_;
  }

  Connection& writable() {
    refuse_read_only();
    // The rows hold secrets: a new file is for its owner only.
    if (!exists()) static_cast<void>(open_file(options_.path, O_RDWR | O_CREAT));
    Connection& database = connection();
    if (!writes_ahead_) {
      // Readers are not held up while a batch or a merge is written.
      database.execute("PRAGMA journal_mode=WAL");
      writes_ahead_ = true;
    }
    return database;
  }

  static std::vector<std::string> create_all(Connection& database) {
    auto made = create_tables(database);
    std::ranges::move(create_indexes(database), std::back_inserter(made));
    return made;
  }

  void refuse_read_only() const {
    if (!options_.read_only) return;
    throw UsageError("read_only", name() + " was opened for reading only");
  }

  static void probe_table(Probe& probe, Connection& database, const TableInfo& table) {
    if (!database.has_table(table.name)) {
      probe.missing_tables.push_back(table.name);
      return;
    }
    std::ranges::move(compare_shape(database, table), std::back_inserter(probe.findings));
    if (!probe.has_rows) {
      probe.has_rows = database.query_integer("SELECT EXISTS (SELECT 1 FROM " +
                                              prefixed("main.", table) + ")") != 0;
    }
  }

  SqliteOptions options_;
  std::optional<Connection> connection_;
  std::optional<RowWriter> writer_;
  bool writes_ahead_ = false;
};

}  // namespace
}  // namespace sqlite

std::unique_ptr<ReadModel> open_sqlite_read_model(SqliteOptions options) {
  return std::make_unique<sqlite::SqliteReadModel>(std::move(options));
}

}  // namespace tenantry::projections
