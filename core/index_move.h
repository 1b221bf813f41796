#pragma once

#include <functional>

#include "core/squash.h"

namespace tenantry {

// What is indexed of the scope's blocks behind `through`, where a squash is about to end, goes over
// to the epoch that the index goes on in: so that the closed ones, which then name nothing but what
// leaves, go whole. One bounded batch after the other, from the end on, each of which moves whole
// blocks and the end of the closed epochs before them: between two of them, and if `tick` throws,
// the index is as right as before. For a squash, once it has begun new epochs.
void move_index(const SquashSite& site, events::Scope scope, const ScopePoint& through,
                const std::function<void()>& tick);

}  // namespace tenantry
