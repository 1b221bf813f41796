#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <variant>
#include <vector>

#include "core/event_source.h"
#include "projections/read_model.h"

// Brings a read model to the state of the log, whatever it held, and proves that it did.
namespace tenantry::projections {

struct RebuildProgress {
  const events::TableInfo* table = nullptr;  // Null while folding events.
  std::uint64_t done = 0;                    // Rows of this table, or events.
};

struct RebuildOptions {
  std::optional<LoadMode> mode =
      {};  // By what there is, unless given; then a mismatch is a UsageError.
  // As the rows were then: for a copy beside the present.
  std::optional<Position> as_of = {};
  bool from_events = false;  // Fold the history from position 1 instead of reading the state.
  bool delete_unknown = false;
  bool restore_application_columns = false;
  bool take_over =
      false;  // Of another store, or of no mark. Rows that the log does not know are deleted.
  bool dry_run = false;  // Count what would change; nothing is written.
  // Only this tenant's rows, which must be read at the read model's own checkpoint.
  std::optional<events::Uuid> tenant = {};
  // Rows are read and written in turn, for who must know the order of all that happens.
  bool one_thread = false;
  std::stop_token stop = {};  // Heeded between rows; the read model is then as before.
  std::function<void(const RebuildProgress&)> progress = {};  // Every few thousand rows.
};

struct TableCertificate {
  TableChanges changes;
  std::uint64_t expected_rows = 0;  // As the store has them.
  std::uint64_t found_rows = 0;     // As the database gave them back after the commit.
  std::string expected_digest;      // projections/digest.h
  std::string found_digest;
  [[nodiscard]] bool equal() const {
    return expected_rows == found_rows && expected_digest == found_digest;
  }
};

struct Certificate {
  Mark mark;          // Store, incarnation, the new epoch, position.
  Hash log_digest{};  // Of every event through the position.
  LoadMode mode = LoadMode::kFresh;
  bool dry_run = false;                  // Nothing was written, found_* are empty.
  std::vector<TableCertificate> tables;  // In the order of events::tables().
  [[nodiscard]] bool correct() const;    // Every table is what the store says and no unknown row is
                                         // left; of a dry run: nothing would change.
};

struct RebuildStopped {};  // By the stop token; the read model is as before.
using RebuildOutcome = std::variant<Certificate, Fenced, RebuildStopped>;

// Fenced: another rebuild came first, and nothing was changed. When it returns a certificate the
// rows are durable. Errors: UsageError `read_model_foreign`, `read_model_shape` (exit 4),
// `read_model_present`, `read_model_absent` (mode does not fit), those of Load; after any error the
// read model is as before.
[[nodiscard]] RebuildOutcome rebuild(const EventSource& source, ReadModel& target,
                                     const RebuildOptions& options);

}  // namespace tenantry::projections
