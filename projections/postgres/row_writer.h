#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "events/kinds.h"
#include "projections/postgres/connection.h"

namespace tenantry::projections::postgres {

// Carries out row changes one after the other, in the order given, without waiting for each: they
// travel in libpq's pipeline, by statements that are prepared once for each set of columns. New
// rows of one table that follow each other travel as arrays, in one statement. Errors: UsageError
// `read_model_conflict` for a key that is already there and a row that is not, from apply() or from
// flush(); then the connection is of no use.
class RowWriter {
 public:
  // `name_of` gives the full, quoted name under which a table is written.
  RowWriter(Connection& connection, std::function<std::string(const events::TableInfo&)> name_of);

  void apply(const events::RowChange& change);
  // Every change has been carried out, and the connection takes other statements again.
  void flush();

  // The largest integer id of the rows inserted since the last call, table by table.
  [[nodiscard]] std::map<const events::TableInfo*, std::int64_t> take_largest_ids();

 private:
  // New rows of one table, each column as it travels: its fields, as of a binary COPY.
  struct NewRows {
    const events::TableInfo* table = nullptr;
    std::vector<events::Uuid> ids;
    std::vector<std::string> columns;
    std::size_t bytes = 0;
  };
  struct Statement {
    const events::TableInfo* table;
    events::Effect effect;
    std::uint64_t columns;  // One bit for each place.
    bool many = false;      // New rows, as arrays.
    bool operator==(const Statement&) const = default;
  };
  struct Prepared {
    Statement statement;
    std::string name;
  };
  struct Pending {  // What the next answers are about; no table for an answer that tells nothing.
    const events::TableInfo* table = nullptr;
    events::Effect effect = events::Effect::PATCH;
    events::Uuid id;
    NewRows many;  // Then the row is one of these.
  };
  using Fields = std::vector<BinaryParameter>;

  const std::string& prepared(const Statement& statement);
  [[nodiscard]] std::string sql(const Statement& statement) const;
  void note_id(const events::RowChange& change);
  void gather(const events::RowChange& change);
  void add_new(const events::RowChange& change);
  void end_new_rows();
  void send_arrays();
  void send_one(const events::TableInfo& table, const events::Uuid& id, const Fields& fields);
  void send_change(const events::RowChange& change, std::uint64_t columns);
  void sent(Pending pending, std::size_t bytes);
  void savepoint(const char* sql);
  void drain();
  void receive(const Pending& pending);
  [[noreturn]] void raise_refused(const Pending& pending, const ConstraintViolation& violation);
  [[noreturn]] void find_refused(const NewRows& rows);
  [[noreturn]] void raise_conflict(const std::string& what) const;

  Connection& connection_;
  std::function<std::string(const events::TableInfo&)> name_of_;
  std::vector<Prepared> prepared_;
  std::size_t names_ = 0;                          // That were ever given.
  std::map<std::string, std::string> savepoints_;  // Names of prepared statements, by their SQL.
  NewRows new_rows_;                               // That are not sent yet.
  std::deque<Pending> pending_;
  std::vector<const events::Value*> values_;  // Of the change at hand, by place.
  std::string bytes_;                         // Of that change, field by field; scratch.
  std::size_t unsent_bytes_ = 0;
  bool piping_ = false;
  bool refused_ = false;  // Something was: no transaction is open any more.
  std::map<const events::TableInfo*, std::int64_t> largest_ids_;
};

}  // namespace tenantry::projections::postgres
