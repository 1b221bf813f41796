#pragma once

#include "core/squash.h"

// Taking the payloads from a tenant's events. What is hashed of them stays, so that the chain can
// be checked as before; rows stay as they are, and whoever asks for what lies before is told. No
// block of the log is ever written anew: what is to be redacted is squashed first, and the files of
// the archive that hold it are replaced. LOG_FORMAT.md gives the steps.
namespace tenantry {

// See TenancyStore; `options.redact` is set. One at a time, and no squash meanwhile.
[[nodiscard]] SquashReport plan_redaction(const SquashSite& site, const SquashOptions& options,
                                          const Progress& progress);
[[nodiscard]] SquashReport run_redaction(const SquashSite& site, const SquashOptions& options,
                                         const Progress& progress);

}  // namespace tenantry
