#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "events/tables.h"

// The indexes and constraints of the read model, with the names that Django gives them. What
// rows.capnp says (keys, uniqueness, references) is taken from the descriptors; only the indexes
// that exist for speed are listed, in contract.cc.
namespace tenantry::projections {

enum class IndexUse {
  kPrimaryKey,
  kUniqueColumn,      // `UNIQUE` of one column, a constraint made with the table.
  kUniqueConstraint,  // `UNIQUE` of several columns.
  kPartialUnique,     // A unique index over the rows that `where_column` selects.
  kPlain,
  kPattern,  // For LIKE 'x%' in PostgreSQL, which needs its own index; SQLite has none.
};

struct IndexInfo {
  IndexUse use = IndexUse::kPlain;
  std::string name;  // In PostgreSQL; in SQLite where the index is not part of its table.
  std::vector<std::size_t> columns;  // Places in TableInfo::columns.
  std::optional<std::size_t> where_column;
  std::string where_value;

  [[nodiscard]] bool unique() const;
  [[nodiscard]] bool is_constraint() const;  // Unique, and declared as a constraint by Django.
  // SQLite makes it with its table and names it itself.
  [[nodiscard]] bool inline_in_table() const {
    return use == IndexUse::kPrimaryKey || use == IndexUse::kUniqueColumn;
  }
};

struct ForeignKeyInfo {
  std::string name;
  std::size_t column = 0;
  const events::TableInfo* references = nullptr;  // Its `id`.
};

struct TableContract {
  const events::TableInfo* table = nullptr;
  std::vector<IndexInfo> indexes;
  std::vector<ForeignKeyInfo> foreign_keys;
};

// Every table, in the order of events::tables(). Made once, immutable.
[[nodiscard]] const std::vector<TableContract>& contract();
[[nodiscard]] const TableContract& contract_of(const events::TableInfo& table);

// What to do about rows of `table` that refer to rows of `target` that are gone. The log itself has
// such rows where an import found them.
[[nodiscard]] std::string dangling_hint(const std::string& table, const std::string& target);

// A column that older versions of the application do not know: rows that are there when it is added
// get `true`, and so do those that such a version inserts.
[[nodiscard]] bool defaults_to_true(const events::TableInfo& table, std::size_t column);
// Whether a missing column can be added to a table that has rows.
[[nodiscard]] bool can_be_added(const events::TableInfo& table, std::size_t column);

// The migrations of Django applications that stand for our tables: (`core`, `0001_initial`), …
// auth_user belongs to an application of Django's own and is not among them.
[[nodiscard]] std::vector<std::string> migrated_applications();
inline constexpr std::string_view kMigrationName = "0001_initial";

}  // namespace tenantry::projections
