#pragma once

#include <functional>
#include <optional>

#include "core/state_view.h"

namespace tenantry::tools {

// A row that is not the same in two states: null where there is none. Both are borrowed.
struct RowPair {
  const StoredRow* before = nullptr;
  const StoredRow* after = nullptr;
};

// Visits the rows of a table, all or those of one tenant, that differ between two states, in key
// order, until `visit` returns false. A row that moved to another tenant is one that changed; of
// one tenant, also one that came to it or left it. Memory does not grow with the number of rows.
void diff_rows(const StateView& before, const StateView& after, const events::TableInfo& table,
               const std::optional<events::Uuid>& tenant,
               const std::function<bool(const RowPair&)>& visit);

}  // namespace tenantry::tools
