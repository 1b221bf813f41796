#include "projections/read_model.h"

#include <algorithm>

namespace tenantry::projections {

bool Probe::fits() const {
  return std::ranges::none_of(
      findings, [](const ShapeFinding& finding) { return finding.severity == Severity::kFatal; });
}

}  // namespace tenantry::projections
