#pragma once

#include <filesystem>
#include <optional>

#include "core/write_ahead_log.h"

namespace tenantry {

// RocksDB takes a manifest that is an older one, or that ends too early, for the truth: table files
// that it does not name are not missed, and a database opened for writing removes them. On a
// manifest that contradicts itself it aborts. So it is looked at before, without RocksDB.
//
// Returns where the manifest that CURRENT names stops being whole, if it does: behind the last edit
// that is not of an unfinished group. `goes_on`: what follows cannot all have been written at once.
// `sequence` means nothing. Throws CorruptionError when it
// - does not hold what a manifest is begun with: CURRENT names it only once all that is synced;
// - goes back in the numbers of the changes that it accounts for;
// - accounts for fewer changes than lie before those of the write-ahead log.
// What is no manifest at all is left for RocksDB to refuse.
[[nodiscard]] std::optional<LogFileEnd> check_manifest(const std::filesystem::path& database,
                                                       const LogFilesEnd& logs);

}  // namespace tenantry
