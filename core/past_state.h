#pragma once

#include <filesystem>
#include <functional>

#include "core/tenancy_store.h"

// What is computed from the events of a log alone, and from what they go on from where some were
// discarded, in a scratch place under `scratch`: see EventSource, whose errors these have.
namespace tenantry {

// EventSource::rows_at().
[[nodiscard]] RowsAt past_rows(const TenancyStore& log, const std::filesystem::path& scratch,
                               Position position, const Progress& progress);

// EventSource::fold_rows().
void fold_log_rows(const TenancyStore& log, const std::filesystem::path& scratch, Position through,
                   const std::function<bool(const StoredEvent&)>& seen,
                   const std::function<bool(const FoldedRow&)>& visit);

}  // namespace tenantry
