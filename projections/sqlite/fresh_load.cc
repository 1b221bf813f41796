#include <map>
#include <span>

#include "projections/row_pipe.h"
#include "projections/sqlite/load.h"
#include "projections/sqlite/row_writer.h"
#include "projections/sqlite/schema.h"

namespace tenantry::projections::sqlite {
namespace {

using events::TableInfo;

// A statement costs about a microsecond beside its rows. Where there is a journal SQLite could undo
// it alone, and for that would note each page that it changes.
constexpr std::size_t kRowsAtOnce = 32;
constexpr std::size_t kBytesAtOnce = std::size_t{256} << 10;  // A document alone may have as many.

// A file that nobody else sees yet, and the connection that fills it.
struct NewFile {
  explicit NewFile(const ConnectOptions& target)
      : file(target.path), connection(connect(target, file.path())) {}

  static std::unique_ptr<Connection> connect(const ConnectOptions& target,
                                             const std::filesystem::path& path) {
    ConnectOptions options = target;
    options.path = path;
    options.access = Access::kCreate;
    auto made = std::make_unique<Connection>(options);
    // What fails is thrown away with the file; the commit alone has to reach the disk. Indexes are
    // sorted, and keys looked up, in the cache.
    made->execute("PRAGMA journal_mode=OFF; PRAGMA synchronous=FULL; PRAGMA cache_size=-24576");
    return made;
  }

  LoadingFile file;
  std::unique_ptr<Connection> connection;
};

// Keys are checked once, at the end: while a table has no indexes yet, each row that goes would
// have every table searched that refers to it.
class UncheckedKeys {
 public:
  explicit UncheckedKeys(Connection& connection) : connection_(connection) {
    connection_.enforce_foreign_keys(false);
  }
  UncheckedKeys(const UncheckedKeys&) = delete;
  UncheckedKeys& operator=(const UncheckedKeys&) = delete;
  ~UncheckedKeys() { connection_.enforce_foreign_keys(true); }

 private:
  Connection& connection_;
};

class FreshLoad final : public Load {
 public:
  FreshLoad(std::unique_ptr<NewFile> file, Connection& connection, const LoadOptions& options,
            const std::optional<Mark>& before)
      : file_(std::move(file)),
        connection_(connection),
        dry_run_(options.dry_run),
        unchecked_(std::in_place, connection),
        transaction_(std::in_place, connection, Lock::kImmediate),
        writer_(std::in_place, connection, "main."),
        found_(read_mark(connection)),
        fenced_(!still_stands(before, found_)),
        rows_at_once_(file_ == nullptr ? 1 : kRowsAtOnce) {
    if (!fenced_) create_tables(connection_);
  }

  void add(const TableInfo& table, events::RowValues row) override {
    if (fenced_) return;
    if (table_ != &table) write_rows();
    table_ = &table;
    bytes_ += row_bytes(row);
    rows_.push_back(std::move(row));
    if (rows_.size() == rows_at_once_ || bytes_ >= kBytesAtOnce) write_rows();
  }
  void set_largest_id(const TableInfo& table, std::int64_t id) override {
    largest_ids_[&table] = id;
  }

  [[nodiscard]] LoadOutcome publish(const Mark& mark) override {
    if (fenced_) return Fenced{found_};
    write_rows();
    auto changes = count_rows();
    if (dry_run_) return changes;
    create_indexes(connection_);
    for (const TableInfo& table : events::tables()) check_references(connection_, table.name);
    for (const auto& [table, id] : largest_ids_) raise_sequence(connection_, *table, id);
    write_mark(connection_, mark);
    transaction_->commit();
    if (file_ != nullptr && !publish_file()) return Fenced{};
    return changes;
  }

 private:
  // All of them by one statement, where there are as many as it was prepared for.
  void write_rows() {
    const std::span<const events::RowValues> rows(rows_);
    if (rows.size() == rows_at_once_) {
      writer_->insert(*table_, rows);
    } else {
      for (const auto& row : rows) writer_->insert(*table_, {&row, 1});
    }
    rows_.clear();
    bytes_ = 0;
  }

  std::vector<TableChanges> count_rows() {
    std::vector<TableChanges> all;
    for (const TableInfo& table : events::tables()) {
      TableChanges changes;
      changes.table = &table;
      changes.inserted = static_cast<std::uint64_t>(
          connection_.query_integer("SELECT count(*) FROM " + prefixed("main.", table)));
      all.push_back(changes);
    }
    return all;
  }

  bool publish_file() {
    connection_.execute("PRAGMA journal_mode=WAL");
    writer_.reset();
    transaction_.reset();
    unchecked_.reset();
    file_->connection.reset();
    return file_->file.publish();
  }

  std::unique_ptr<NewFile> file_;  // None when the tables join others in a database.
  Connection& connection_;
  bool dry_run_;
  std::optional<UncheckedKeys> unchecked_;  // Around the transaction.
  std::optional<Transaction> transaction_;
  std::optional<RowWriter> writer_;
  std::optional<Mark> found_;  // Nobody moves it during the transaction.
  bool fenced_;
  const std::size_t rows_at_once_;
  const TableInfo* table_ = nullptr;     // Of the rows that wait.
  std::vector<events::RowValues> rows_;  // Fewer than rows_at_once_, and kBytesAtOnce.
  std::size_t bytes_ = 0;                // Of those.
  std::map<const TableInfo*, std::int64_t> largest_ids_;
};

}  // namespace

std::unique_ptr<Load> load_new_file(const ConnectOptions& target, const LoadOptions& options,
                                    const std::optional<Mark>& before) {
  auto file = std::make_unique<NewFile>(target);
  Connection& connection = *file->connection;
  return std::make_unique<FreshLoad>(std::move(file), connection, options, before);
}

std::unique_ptr<Load> load_new_tables(Connection& connection, const LoadOptions& options,
                                      const std::optional<Mark>& before) {
  return std::make_unique<FreshLoad>(nullptr, connection, options, before);
}

}  // namespace tenantry::projections::sqlite
