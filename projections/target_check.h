#pragma once

#include <string>

#include "core/event_source.h"
#include "projections/read_model.h"

// Whether a read model and a log belong together.
namespace tenantry::projections {

// Of a UsageError: the rows there are not what the operation can go on from.
inline constexpr int kConflict = 4;

// Throws UsageError `read_model_shape` (exit 4) for tables that rows do not fit into.
void check_shape(const Probe& probe, const std::string& name);

// Throws UsageError (exit 4): `read_model_foreign` for another store's mark, and for rows without a
// mark; and what check_shape() throws.
void check_owner(const EventSource& source, const Probe& probe, const std::string& name);

// check_owner(), and that the log continues what the read model shows. Throws UsageError (exit 4):
// `read_model_diverged` for a mark beyond the end of the log, and another history at the mark, or
// one that cannot be told for a mark of another incarnation; `read_model_shape` also for tables
// that are missing.
void check_target(const EventSource& source, const Probe& probe, const std::string& name);

// Whether the log goes on from what the mark says was seen of it: the same store, and the same
// history up to there, in this life of the store or, before a restore, in an earlier one.
[[nodiscard]] bool continues(const EventSource& source, const Mark& mark);

// What a mark keeps of the log: the chain hash of the event at its position, in bytes.
[[nodiscard]] std::string digest_of(const Hash& chain_hash);
// The same of `position`, which the log reaches.
[[nodiscard]] std::string digest_at(const EventSource& source, Position position);

}  // namespace tenantry::projections
