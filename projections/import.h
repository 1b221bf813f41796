#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "core/store_import.h"
#include "projections/read_model.h"
#include "projections/verify.h"

// Begins a store with the rows of a live database.
namespace tenantry::projections {

// A row that breaks a rule, or two that do together. It is imported all the same.
struct ImportFinding {
  std::string rule;  // The code that a command would be refused with, or `orphan`, `no_owner`.
  std::string table;
  std::string id;   // Decimal or UUID.
  std::string key;  // What people know the row by: `slug=acme`; secrets are not in it.
  std::string message;
};

struct ImportOptions {
  std::function<void(const ImportFinding&)> found = {};
  std::function<void(std::uint64_t rows)> progress = {};  // Rows so far, now and then.
  std::stop_token stop = {};
};

struct ImportOutcome {
  std::vector<TableVerification> tables;  // The new store's rows beside those that were read.
  std::map<const events::TableInfo*, std::uint64_t> findings;  // None for a table without.
  bool stopped = false;
  [[nodiscard]] bool equal() const;
};

// Reads the tables of `source` as they are at one moment, whatever is written meanwhile, and adds
// one event for each row, and one for the ids that each table gave out beyond; then compares,
// column by column, what the store makes of them with that same moment. Writes nothing to the
// source. The caller publishes `import` or not. Throws UsageError `read_model_shape` (exit 4) for
// tables that are missing or cannot be read as ours, `row_not_importable` (exit 4) for a
// value that no event holds.
[[nodiscard]] ImportOutcome import_rows(ReadModel& source, StoreImport& import,
                                        const ImportOptions& options);

}  // namespace tenantry::projections
