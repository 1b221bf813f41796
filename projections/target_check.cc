#include "projections/target_check.h"

#include <algorithm>

#include "core/error.h"

namespace tenantry::projections {
namespace {

[[noreturn]] void raise_diverged(const std::string& what) {
  throw UsageError("read_model_diverged", what,
                   "`tenantry rebuild --delete-unknown` brings it to the log's state; without the "
                   "option, rows that the log has lost stay",
                   kConflict);
}

}  // namespace

void check_shape(const Probe& probe, const std::string& name) {
  const auto fatal = std::ranges::find(probe.findings, Severity::kFatal, &ShapeFinding::severity);
  if (fatal == probe.findings.end()) return;
  throw UsageError("read_model_shape",
                   name + " has tables of another shape: " + fatal->table + ": " + fatal->message,
                   "`tenantry schema check` lists what differs and what mends it", kConflict);
}

void check_owner(const EventSource& source, const Probe& probe, const std::string& name) {
  if (probe.presence == Presence::kUnmarked && probe.has_rows) {
    throw UsageError("read_model_foreign", name + " has rows, but no mark of a tenantry store",
                     "`tenantry schema adopt` if they are this store's, `--take-over` to replace "
                     "them",
                     kConflict);
  }
  if (probe.mark && probe.mark->store_id != source.identity().store) {
    throw UsageError("read_model_foreign",
                     name + " belongs to the store " + events::format_uuid(probe.mark->store_id) +
                         ", not to " + events::format_uuid(source.identity().store),
                     "name another read model, or replace this one with `--take-over`", kConflict);
  }
  check_shape(probe, name);
}

void check_target(const EventSource& source, const Probe& probe, const std::string& name) {
  check_owner(source, probe, name);
  if (!probe.missing_tables.empty() && probe.mark) {
    throw UsageError("read_model_shape", name + " has no table " + probe.missing_tables.front(),
                     "`tenantry rebuild` makes and fills what is missing", kConflict);
  }
  if (!probe.mark) return;
  const Mark& mark = *probe.mark;
  const std::string position = std::to_string(mark.position.value);
  const std::uint64_t incarnation = source.identity().incarnation;
  const std::string restored =
      mark.incarnation == incarnation
          ? std::string()
          : "; it follows incarnation " + std::to_string(mark.incarnation) +
                " of the store, this is incarnation " + std::to_string(incarnation) +
                ": a restored store goes on in a new one";
  const Position tail = source.tail().tail;
  if (mark.position > tail) {
    raise_diverged(name + " shows events up to position " + position + ", but the log ends at " +
                   std::to_string(tail.value) + ": the log has lost its end" + restored);
  }
  if (!continues(source, mark)) {
    raise_diverged(name + " shows another history than this log has at position " + position +
                   restored);
  }
}

// A restore loses the end of the log: what a read model shows of what came before goes on.
bool continues(const EventSource& source, const Mark& mark) {
  const StoreIdentity identity = source.identity();
  if (mark.store_id != identity.store || mark.position > source.tail().tail) return false;
  // What was discarded can be compared with nothing.
  if (mark.position < source.discarded()) return mark.incarnation == identity.incarnation;
  if (mark.log_digest.empty()) return mark.incarnation == identity.incarnation;
  return mark.log_digest == digest_at(source, mark.position);
}

std::string digest_of(const Hash& chain_hash) {
  return {reinterpret_cast<const char*>(chain_hash.data()), chain_hash.size()};
}

std::string digest_at(const EventSource& source, Position position) {
  const auto hash = source.chain_hash_at(position);
  if (!hash) {
    throw CorruptionError("the log has no event at position " + std::to_string(position.value) +
                          ", which it has reached");
  }
  return digest_of(*hash);
}

}  // namespace tenantry::projections
