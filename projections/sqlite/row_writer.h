#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "events/kinds.h"
#include "projections/sqlite/connection.h"

namespace tenantry::projections::sqlite {

// Writes rows and row changes with statements that are prepared once for each set of columns and
// number of rows. Errors: UsageError `read_model_conflict` for a key that is already there and a
// row that is not.
class RowWriter {
 public:
  // A table is written under `prefix` and its name, such as `main.` and `temp.staged_`.
  RowWriter(Connection& connection, std::string prefix);

  // All by one statement.
  void insert(const events::TableInfo& table, std::span<const events::RowValues> rows);
  void apply(const events::RowChange& change);

 private:
  struct Prepared {
    const events::TableInfo* table;
    events::Effect effect;
    std::uint64_t columns;  // One bit for each place.
    std::size_t rows;
    Statement statement;
  };

  Statement& prepared(const events::TableInfo& table, events::Effect effect, std::uint64_t columns,
                      std::size_t rows = 1);
  [[nodiscard]] std::string sql(const events::TableInfo& table, events::Effect effect,
                                std::uint64_t columns, std::size_t rows) const;
  void run(Statement& statement, const events::TableInfo& table, const std::string& id);
  void patch(const events::RowChange& change);
  void remove(const events::RowChange& change);

  Connection& connection_;
  std::string prefix_;
  std::vector<Prepared> prepared_;
  std::vector<std::string> scratch_;  // Texts that are bound without being copied.
};

// The name of `table` under a prefix: `temp.staged_` makes temp."staged_auth_user".
[[nodiscard]] std::string prefixed(const std::string& prefix, const events::TableInfo& table);

}  // namespace tenantry::projections::sqlite
