#pragma once

#include "core/tenancy_store.h"

// What a caller of an owner computes itself, from the events and in a scratch place of its own, so
// that the owner has no more to do than to hand them out. `log` may be in another process.
namespace tenantry::owner {

// EventSource::rows_at(), fold_rows() and TenancyStore::read_commands().
[[nodiscard]] RowsAt fold_rows_at(const TenancyStore& log, Position position,
                                  const Progress& progress);
void fold_every_row(const TenancyStore& log, Position through,
                    const std::function<bool(const StoredEvent&)>& seen,
                    const std::function<bool(const FoldedRow&)>& visit);
void fold_commands(const TenancyStore& log, const LogFilter& filter, const Progress& progress,
                   const VisitCommand& visit);

}  // namespace tenantry::owner
