#include "tools/row_progress.h"

#include <cstdint>

namespace tenantry::tools {

std::function<void(const projections::RebuildProgress&)> row_progress(ProgressMeter& meter) {
  return [&meter, before = std::uint64_t{0}, last = std::uint64_t{0},
          table = static_cast<const events::TableInfo*>(nullptr)](
             const projections::RebuildProgress& progress) mutable {
    if (progress.table != table || progress.done < last) before += last;  // Rows of tables done.
    table = progress.table;
    last = progress.done;
    meter.update(before + last, 0);
  };
}

}  // namespace tenantry::tools
