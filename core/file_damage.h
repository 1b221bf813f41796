#pragma once

#include <string>
#include <vector>

#include "core/storage.h"

namespace tenantry {

// The file, what is wrong with it, and what it may hold: positions of the log, or kinds of entries.
[[nodiscard]] std::string describe(const FileDamage& damage);
// Of several files; empty for none.
[[nodiscard]] std::string describe(const std::vector<FileDamage>& damages);

}  // namespace tenantry
