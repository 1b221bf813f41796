#include "projections/adopt.h"

#include <algorithm>

#include "core/error.h"
#include "projections/target_check.h"

namespace tenantry::projections {
namespace {

void check_unmarked(const EventSource& source, const Probe& probe, const std::string& name) {
  if (probe.presence == Presence::kAbsent) {
    throw UsageError("read_model_absent", name + " has none of the tables",
                     "`tenantry rebuild` makes and fills them", 5);
  }
  if (probe.mark) {
    const bool ours = probe.mark->store_id == source.identity().store;
    throw UsageError(
        "read_model_marked",
        name + " belongs to " +
            (ours ? "this store already"
                  : "the store " + events::format_uuid(probe.mark->store_id)),
        ours ? "`tenantry verify` compares them" : "`tenantry rebuild --take-over` replaces it",
        kConflict);
  }
  if (!probe.missing_tables.empty()) {
    throw UsageError("read_model_shape", name + " has no table " + probe.missing_tables.front(),
                     "`tenantry schema apply` makes it, without rows", kConflict);
  }
  check_shape(probe, name);
}

}  // namespace

std::variant<Adoption, Fenced> adopt(const EventSource& source, ReadModel& target,
                                     const VerifyOptions& options, bool dry_run) {
  check_unmarked(source, target.probe(), target.name());
  Adoption adoption;
  const RowsAt now = source.rows_now();
  {
    const auto view = target.read();
    for (const events::TableInfo& table : events::tables()) {
      if (options.stop.stop_requested()) return adoption;
      adoption.tables.push_back(compare_table(table, *now.rows, *view, options));
    }
  }
  const StoreIdentity identity = source.identity();
  const Position tail = now.tail.tail;
  adoption.mark = {identity.store, identity.incarnation, 1, tail, digest_at(source, tail)};
  if (!std::ranges::all_of(adoption.tables, &TableVerification::equal) || dry_run) return adoption;
  if (auto fenced = target.adopt(adoption.mark)) return *std::move(fenced);
  adoption.adopted = true;
  return adoption;
}

}  // namespace tenantry::projections
