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
// travel in libpq's pipeline, by statements that are prepared once for each set of columns.
// Errors: UsageError `read_model_conflict` for a key that is already there and a row that is not,
// from apply() or from flush(); then the connection is of no use.
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
  struct Prepared {
    const events::TableInfo* table;
    events::Effect effect;
    std::uint64_t columns;  // One bit for each place.
    std::string name;
  };
  struct Pending {  // What the next answers are about; no table for the answer to a preparation.
    const events::TableInfo* table = nullptr;
    events::Effect effect = events::Effect::PATCH;
    events::Uuid id;
  };

  const Prepared& prepared(const events::TableInfo& table, events::Effect effect,
                           std::uint64_t columns);
  [[nodiscard]] std::string sql(const events::TableInfo& table, events::Effect effect,
                                std::uint64_t columns) const;
  void note_id(const events::RowChange& change);
  void gather(const events::RowChange& change);
  void send(const events::TableInfo& table, events::Effect effect, std::uint64_t columns,
            const events::Uuid& id);
  void drain();
  void receive(const Pending& pending);
  [[noreturn]] void raise_conflict(const std::string& what) const;

  Connection& connection_;
  std::function<std::string(const events::TableInfo&)> name_of_;
  std::vector<Prepared> prepared_;
  std::deque<Pending> pending_;
  std::vector<const events::Value*> values_;  // Of the change at hand, by place.
  std::vector<std::size_t> ends_;             // Of each parameter in `bytes_`; scratch.
  std::string bytes_;
  std::size_t unsent_bytes_ = 0;
  bool piping_ = false;
  std::map<const events::TableInfo*, std::int64_t> largest_ids_;
};

}  // namespace tenantry::projections::postgres
