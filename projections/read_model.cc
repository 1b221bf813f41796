#include "projections/read_model.h"

#include <algorithm>

#include "core/planted.h"

namespace tenantry::projections {

bool Probe::fits() const {
  return std::ranges::none_of(
      findings, [](const ShapeFinding& finding) { return finding.severity == Severity::kFatal; });
}

void Probe::conclude() {
  const bool none = missing_tables.size() == events::tables().size();
  if (none) {
    presence = Presence::kAbsent;
  } else {
    presence = mark ? Presence::kMarked : Presence::kUnmarked;
  }
  if (none && !mark) missing_tables.clear();
}

bool still_stands(const std::optional<Mark>& before, const std::optional<Mark>& now) {
  if (!before || !now) return before.has_value() == now.has_value();
  return now->store_id == before->store_id && now->incarnation == before->incarnation &&
         (now->epoch == before->epoch || planted(Plant::kNoEpoch));
}

}  // namespace tenantry::projections
