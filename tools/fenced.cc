#include "tools/fenced.h"

#include <string>

#include "core/error.h"
#include "tools/exit_code.h"

namespace tenantry::tools {

void throw_fenced(const projections::Fenced& fenced) {
  std::string message = "another projection or rebuild changed the read model meanwhile";
  if (fenced.found) {
    message += "; it is at position " + std::to_string(fenced.found->position.value) + ", epoch " +
               std::to_string(fenced.found->epoch);
  }
  throw UsageError("fenced", message, "run it again when the other has ended",
                   static_cast<int>(ExitCode::kConflict));
}

}  // namespace tenantry::tools
