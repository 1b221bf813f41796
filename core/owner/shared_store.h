#pragma once

#include <memory>

#include "core/clock.h"
#include "core/store.h"

namespace tenantry::owner {

// The store in `options.directory`, wherever it is open: here, and then others are let in, or in
// another process, and then it is used through that one. Should that process end, the store is
// opened here or used through the next owner, and what was asked meanwhile is asked again: reading
// goes on where it was, of rows as they were when it began. What is opened here to read is opened
// for writing, if it may be, once another process wants to write: here commands are refused all the
// same. Errors besides those of a store:
// - UnavailableError while an owner neither lets anybody in nor ends, once `wait_for_owner` returns
//   false; so does one that only reads and cannot make room, when this is to write. For each wait a
//   copy of it is made.
// - UnavailableError from submit() when an owner ended in the middle: nobody knows whether the
//   commands were done; and from a rehearsal: begin again.
// - UsageError `store_replaced` (exit 4) when another store, or a restored one, is in its place.
// Threads: any. Borrows `clock` and `ids`.
[[nodiscard]] std::unique_ptr<TenancyStore> open_shared_store(StoreOptions options,
                                                              const Clock& clock, IdSource& ids);

}  // namespace tenantry::owner
