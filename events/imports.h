#pragma once

#include <cstdint>

#include "events/commands.h"
#include "events/encoding.h"
#include "events/tables.h"

// The events of an import, which repeat what a database held.
namespace tenantry::events {

// `row` has every column of `table`, each with a value that its type allows. Larger than
// kPayloadBytesMax if the row is: that is for the caller to look at.
[[nodiscard]] EncodedEvent imported_row(const TableInfo& table, const RowValues& row,
                                        const Circumstances& circumstances);
// That ids up to `largest` were given out. The table has integer ids.
[[nodiscard]] EncodedEvent reserved_ids(const TableInfo& table, std::int64_t largest,
                                        const Circumstances& circumstances);

}  // namespace tenantry::events
