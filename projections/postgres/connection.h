#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "projections/postgres/conninfo.h"
#include "projections/postgres/errors.h"

// The adapter over libpq, for the transactions that write: libpqxx 6.4 knows neither binary COPY
// nor pipeline mode, and a transaction cannot span two connections. What only reads goes through
// session.h.
namespace tenantry::projections::postgres {

// What every session of ours runs under, whatever the server, the role or the database says.
// Sessions that read take these too.
extern const char* const kSessionSettings;

// Whether a socket on which no answer is due has something to read: the end of the connection, or
// the server's reason for it.
[[nodiscard]] bool has_unread_input(int socket);

// The rows of a query, as text.
class Result {
 public:
  class Impl;
  explicit Result(std::unique_ptr<Impl> impl);
  Result(const Result&) = delete;
  Result& operator=(const Result&) = delete;
  Result(Result&&) noexcept;
  Result& operator=(Result&&) noexcept;
  ~Result();

  [[nodiscard]] int rows() const;
  [[nodiscard]] std::string_view text(int row, int column) const;  // Lives as long as the result.
  [[nodiscard]] bool null(int row, int column) const;
  [[nodiscard]] std::uint64_t affected() const;  // Rows that the statement wrote.

 private:
  std::unique_ptr<Impl> impl_;
};

// One value in PostgreSQL's binary form; no value is NULL. Borrowed.
using BinaryParameter = std::optional<std::string_view>;

// Threads: one at a time. Errors: those of raise_server_error(). After one in a pipeline or a COPY
// the connection is of no use: see usable().
class Connection {
 public:
  // Throws UsageError `unsupported_read_model` for a server older than 14 or a database that is not
  // encoded in UTF-8.
  explicit Connection(const ConnectionInfo& info);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  [[nodiscard]] const std::string& name() const { return name_; }

  // One statement, with text parameters $1, $2, …
  Result query(const std::string& sql, const std::vector<std::string>& parameters = {});
  // The same for a statement that comes again and again: it is planned once for this connection.
  Result repeat(const std::string& sql, const std::vector<std::string>& parameters);
  // Several statements.
  void execute(const std::string& statements);

  // Statements that are sent without waiting for the answer to the one before. Answers come in
  // order, one for each, from receive(); sync() first, so that the server sends them.
  void enter_pipeline();
  void send_prepare(const std::string& statement, const std::string& sql,
                    std::span<const std::uint32_t> types);
  void send(const std::string& statement, std::span<const BinaryParameter> parameters);
  void sync();
  // The answer to the next statement; its error is thrown.
  Result receive();
  void receive_sync();
  void leave_pipeline();
  // After an error in a pipeline that was synced: skips what else was sent, and leaves.
  void skip_pipeline();
  // The same, and rolls back.
  void abandon_pipeline();

  // COPY … FROM STDIN.
  void begin_copy(const std::string& sql);
  void copy(std::string_view bytes);
  void end_copy();

  // Throws UnavailableError when the link is lost meanwhile: whether it was committed is then read
  // from the mark.
  void commit();
  // If a transaction is open; closes the connection where that is the only way.
  void roll_back() noexcept;
  // Between transactions: that the next one may begin, as far as can be known without asking.
  [[nodiscard]] bool usable() const;

 private:
  class Impl;
  std::string name_;
  std::unique_ptr<Impl> impl_;
  std::map<std::string, std::string> repeated_;  // Names of statements, by their SQL.
};

// Rolled back unless committed.
class Transaction {
 public:
  // `settings` are statements that come first.
  explicit Transaction(Connection& connection, const std::string& settings = {})
      : connection_(connection) {
    // Not READ WRITE: a database that is set to read only is meant to be left alone.
    connection_.execute("BEGIN ISOLATION LEVEL READ COMMITTED;" + settings);
  }
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction() {
    if (open_) connection_.roll_back();
  }
  void commit() {
    connection_.commit();
    open_ = false;
  }

 private:
  Connection& connection_;
  bool open_ = true;
};

}  // namespace tenantry::projections::postgres
