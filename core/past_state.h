#pragma once

#include <filesystem>
#include <functional>
#include <map>

#include "core/fold.h"
#include "core/tenancy_store.h"

// What is computed from the events of a log alone, and from what they go on from where some were
// discarded, in a scratch place under `scratch`: see EventSource, whose errors these have.
namespace tenantry {

// How a fold up to some position went.
struct PastFold {
  Beginning beginning;
  std::map<events::Uuid, events::Uuid> missing;  // See RowsAt.
};

// Folds what is known of the rows at `position` into an empty fold. `seen` is called with each
// event up to there that is left, in order, whether it counts or not.
PastFold fold_until(const TenancyStore& log, Fold& fold, Position position,
                    const std::function<void(const StoredEvent&)>& seen);

// EventSource::rows_at().
[[nodiscard]] RowsAt past_rows(const TenancyStore& log, const std::filesystem::path& scratch,
                               Position position, const Progress& progress);

// EventSource::fold_rows().
void fold_log_rows(const TenancyStore& log, const std::filesystem::path& scratch, Position through,
                   const std::function<bool(const StoredEvent&)>& seen,
                   const std::function<bool(const FoldedRow&)>& visit);

}  // namespace tenantry
