#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/storage.h"

namespace tenantry {

// The file, what is wrong with it, and what it may hold: positions of the log, or kinds of entries.
[[nodiscard]] std::string describe(const FileDamage& damage);
// Of several files; empty for none.
[[nodiscard]] std::string describe(const std::vector<FileDamage>& damages);
// The same of what `find` gives, for damage that was met already: if the disk does not let it look,
// says so instead of throwing UnavailableError.
[[nodiscard]] std::string places_of_damage(const std::function<std::vector<FileDamage>()>& find);

}  // namespace tenantry
