#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

// The only place that speaks to SQLite. Every error is translated: UnavailableError for what cannot
// be reached, opened, written, is locked or full; CorruptionError for a damaged file; UsageError
// for a file that is no SQLite database or lacks what a statement names. All name the file.
namespace tenantry::projections::sqlite {

// A constraint of the database refused a statement. Never leaves this folder.
class ConstraintViolation : public std::runtime_error {
 public:
  ConstraintViolation(const std::string& message, bool foreign_key)
      : std::runtime_error(message), foreign_key_(foreign_key) {}
  [[nodiscard]] bool foreign_key() const { return foreign_key_; }

 private:
  bool foreign_key_;
};

enum class Storage { kNull, kInteger, kReal, kText, kBlob };

// A prepared statement. Movable; dies before its connection. Parameters count from 1, columns from
// 0.
class Statement {
 public:
  class Impl;
  explicit Statement(std::unique_ptr<Impl> impl);
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  Statement(Statement&&) noexcept;
  Statement& operator=(Statement&&) noexcept;
  ~Statement();

  void bind_null(int parameter);
  void bind(int parameter, std::int64_t value);
  void bind(int parameter, std::string_view text);             // Copied.
  void bind_blob(int parameter, std::string_view bytes);       // Copied.
  void bind_borrowed(int parameter, const std::string& text);  // Lives until the next reset().

  bool step();   // True while there is a row.
  void reset();  // Ready to be bound and stepped again.
  void run() {   // For statements that give no rows.
    while (step()) {
    }
    reset();
  }

  [[nodiscard]] Storage storage(int column) const;
  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] std::string text(int column) const;  // Also the bytes of a blob.

 private:
  std::unique_ptr<Impl> impl_;
};

enum class Access { kRead, kWrite, kCreate };

struct ConnectOptions {
  std::filesystem::path path;
  Access access = Access::kRead;
  std::chrono::milliseconds busy_timeout{0};
  std::uint32_t pages_max = 0;  // 0: no limit.
};

// Foreign keys are enforced, temporary tables go to a file, at most 32 MiB of pages are cached.
class Connection {
 public:
  explicit Connection(const ConnectOptions& options);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  void execute(const std::string& sql);  // One or several statements.
  [[nodiscard]] Statement prepare(const std::string& sql);
  // The first column of the first row.
  [[nodiscard]] std::int64_t query_integer(const std::string& sql);
  [[nodiscard]] std::int64_t changes() const;         // Rows that the last statement wrote.
  void rollback() noexcept;                           // If a transaction is open.
  void enforce_foreign_keys(bool enforced) noexcept;  // Outside of transactions; true at first.
  [[nodiscard]] bool has_table(std::string_view name);
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  class Impl;
  std::filesystem::path path_;
  std::unique_ptr<Impl> impl_;
};

enum class Lock {
  kDeferred,   // Taken by the first statement that needs it.
  kImmediate,  // The write lock, now.
};

// Rolled back unless committed.
class Transaction {
 public:
  Transaction(Connection& connection, Lock lock);
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction();
  // Throws UsageError `read_model_referenced` when rows refer to rows that are not there, naming
  // both.
  void commit();

 private:
  Connection& connection_;
  bool open_ = true;
};

// Throws as Transaction::commit() when rows of `table` refer to rows that are not there, though
// keys are not enforced.
void check_references(Connection& connection, std::string_view table);

}  // namespace tenantry::projections::sqlite
