#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "core/event_source.h"
#include "core/state_view.h"
#include "projections/read_model.h"

// Compares a read model with the log, row by row.
namespace tenantry::projections {

struct VerifyOptions {
  bool all_columns = false;          // Application-owned columns too.
  std::size_t differences_max = 20;  // Listed per table; all are counted.
  bool reveal = false;               // Secrets as they are, instead of masked.
  std::stop_token stop = {};
};

struct ColumnDifference {
  std::string column;
  std::string expected;  // As people read it, NULL spelled out; secrets masked unless revealed.
  std::string found;
};

struct RowDifference {
  enum class Kind { kMissing, kUnexpected, kDiffers };
  Kind kind = Kind::kDiffers;
  std::string id;                         // Decimal or UUID.
  std::string key;                        // What people know the row by: `slug=acme`.
  std::vector<ColumnDifference> columns;  // Of kDiffers.
  std::optional<Position> last_event;     // That wrote the row; none for kUnexpected.
};

struct TableVerification {
  const events::TableInfo* table = nullptr;
  std::uint64_t expected_rows = 0;
  std::uint64_t found_rows = 0;
  std::string expected_digest;
  std::string found_digest;
  std::uint64_t missing = 0;
  std::uint64_t unexpected = 0;
  std::uint64_t differing = 0;
  std::vector<RowDifference> differences;  // The first of them.
  [[nodiscard]] bool equal() const { return missing == 0 && unexpected == 0 && differing == 0; }
};

struct Verification {
  Mark mark;  // Of the read model: the position at which it was compared.
  std::vector<ShapeFinding> findings;
  std::vector<TableVerification> tables;
  bool stopped = false;
  [[nodiscard]] bool equal() const;
};

// What people know a row by: `slug=acme`.
[[nodiscard]] std::string key_of_row(const events::TableInfo& table, const events::RowValues& row);

// Compares one table of the rows in `state` with what `view` holds.
[[nodiscard]] TableVerification compare_table(const events::TableInfo& table,
                                              const StateView& state, ReadView& view,
                                              const VerifyOptions& options);

// The store's rows as they were at a position: the state itself, or a fold up to there.
// Lifetime: what it returns is borrowed until the next call or the end of the verification.
using StateAt = std::function<const StateView&(Position)>;

// Errors: those of check_target(); `read_model_absent` when there are no tables.
[[nodiscard]] Verification verify(const EventSource& source, const StateAt& state_at,
                                  ReadModel& target, const VerifyOptions& options);

}  // namespace tenantry::projections
