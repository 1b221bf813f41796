#pragma once

#include <variant>
#include <vector>

#include "core/event_source.h"
#include "projections/read_model.h"
#include "projections/verify.h"

// Makes tables that somebody else filled this store's read model.
namespace tenantry::projections {

struct Adoption {
  Mark mark;                              // Which it has now, if `adopted`.
  std::vector<TableVerification> tables;  // The store's rows beside those that were found.
  bool adopted = false;
};

// Marks the tables as showing the end of the log if their rows are those of the store, column by
// column but for the application's own, and changes nothing otherwise; a row that is changed
// between the comparison and the mark is not noticed. With `dry_run` it only compares.
// Throws UsageError `read_model_absent` (exit 5) when there are no tables, `read_model_marked`
// (exit 4) when they are a read model already, `read_model_shape` (exit 4) when rows of ours do not
// fit into them.
[[nodiscard]] std::variant<Adoption, Fenced> adopt(const EventSource& source, ReadModel& target,
                                                   const VerifyOptions& options, bool dry_run);

}  // namespace tenantry::projections
