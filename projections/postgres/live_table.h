#pragma once

#include <optional>
#include <string>
#include <vector>

namespace pqxx {
class transaction_base;
}

// A table as the catalogue of a PostgreSQL database has it.
namespace tenantry::projections::postgres {

struct LiveColumn {
  std::string name;
  std::string type;  // As format_type() prints it.
  bool nullable = true;
  bool has_default = false;
  bool generated = false;  // Computed from other columns.
  bool identity = false;
  bool identity_always = false;  // Refuses ids that are given to it.
  bool draws_ids = false;        // From a sequence that belongs to it: an identity or a serial.
  std::string collation;         // Empty for the one that the type has by itself.
  bool deterministic = true;     // Texts that differ in their bytes are not equal.
};

struct LiveIndex {
  std::string name;
  std::string definition;            // index_definition_sql() of schema.h.
  std::vector<std::string> columns;  // Of the key: names, expressions where it has those.
  std::string condition;             // Empty for an index over all rows.
  bool unique = false;
  bool primary = false;
  bool valid = true;
  bool immediate = true;  // Checked by each statement rather than at its transaction's end.
  bool nulls_distinct = true;
  bool constraint = false;  // Stands for a constraint of its name.
};

struct LiveForeignKey {
  std::string name;
  std::string schema;  // Of the table that refers.
  std::string table;
  std::vector<std::string> columns;
  std::string target_schema;
  std::string target_table;
  std::vector<std::string> target_columns;
  char on_delete = 'a';  // As pg_constraint has it: `a` no action, `r` restrict, `c` cascade, …
  char on_update = 'a';
  bool deferred = false;  // DEFERRABLE INITIALLY DEFERRED.
  bool valid = true;
};

// What may refuse or change what is written to a table.
struct LiveObstacle {
  std::string
      kind;  // `check constraint`, `exclusion constraint`, `trigger`, `rule`, `child table`.
  std::string name;
  std::string detail;  // How it reads.
  bool active = true;  // A trigger or rule may be switched off.
};

struct LiveTable {
  std::string kind;  // `table`, `view`, `partitioned table`, …
  char persistence = 'p';
  bool hides_rows = false;  // By row security, from the role that asks.
  std::string role;         // That asks.
  std::vector<LiveColumn> columns;
  std::vector<LiveIndex> indexes;
  std::vector<LiveForeignKey> references;
  std::vector<LiveForeignKey> referenced_by;  // Also by itself.
  std::vector<LiveObstacle> obstacles;
};

// None when there is no relation of that name. Looks and changes nothing.
[[nodiscard]] std::optional<LiveTable> read_live_table(pqxx::transaction_base& transaction,
                                                       const std::string& schema,
                                                       const std::string& table);

}  // namespace tenantry::projections::postgres
