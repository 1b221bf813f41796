#pragma once

#include <filesystem>
#include <functional>

#include "core/event_source.h"

// What is computed from the events of a log alone, in a scratch place under `scratch`: see
// EventSource, whose errors these have.
namespace tenantry {

// EventSource::rows_at().
[[nodiscard]] RowsAt past_rows(const EventSource& log, const std::filesystem::path& scratch,
                               Position position, const Progress& progress);

// EventSource::fold_rows().
void fold_log_rows(const EventSource& log, const std::filesystem::path& scratch, Position through,
                   const std::function<bool(const StoredEvent&)>& seen,
                   const std::function<bool(const FoldedRow&)>& visit);

}  // namespace tenantry
