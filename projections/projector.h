#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <variant>

#include "core/event_source.h"
#include "projections/read_model.h"
#include "projections/rebuild.h"

// Keeps a read model up to date: applies what the log has beyond the checkpoint.
namespace tenantry::projections {

struct ProjectProgress {
  Position checkpoint;  // Committed.
  Position tail;        // Where the run will end.
  std::uint64_t events = 0;
};

struct ProjectOptions {
  // A transaction holds at most this many events, by itself ReadModel::batch_events(),
  std::optional<std::size_t> batch_events = {};
  std::size_t batch_bytes_max = std::size_t{8} << 20;  // or this many bytes of them, if less.
  std::optional<Position> through = {};                // The tail at the start unless given.
  bool dry_run = false;                                // Counts what there is to do.
  std::stop_token stop = {};                           // Heeded between transactions.
  std::function<void(const ProjectProgress&)> progress = {};  // After each transaction.
  // A read model without a mark and without rows, and with more events than this before it, is
  // loaded from the state, as rebuild() does, and projected from there: replaying each event would
  // end with the same rows, and took twenty times as long for a million. Not with `through` or
  // `dry_run`. None: never.
  std::optional<std::uint64_t> load_above = {};
  bool one_thread = false;  // As of RebuildOptions, while it loads.
  std::function<void(const RebuildProgress&)> load_progress = {};
};

struct Projected {
  Mark mark;  // As it stands in the read model; of a dry run: as it would.
  std::uint64_t events = 0;
  std::uint64_t row_changes = 0;  // Rows, where they were loaded.
  bool loaded = false;            // From the state; `events` counts those that led to it, too.
  bool stopped = false;           // By the stop token, before the end.
};
// Fenced: another projector or a rebuild moved the checkpoint. Committed batches stay.
using ProjectOutcome = std::variant<Projected, Fenced>;

// Applies the events after the checkpoint, each batch with the checkpoint in one transaction.
// Absent tables are created; empty ones without a mark are marked and filled from position 1, or
// loaded (`load_above`).
// Errors: those of check_target() (target_check.h), of Batch, and of `source`. What was committed
// stays.
[[nodiscard]] ProjectOutcome project(const EventSource& source, ReadModel& target,
                                     const ProjectOptions& options);

}  // namespace tenantry::projections
