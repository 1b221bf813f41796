#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>

#include "core/write_ahead_log.h"

namespace tenantry {

// RocksDB takes a manifest that is an older one, or that ends too early, for the truth: table files
// that it does not name are not missed, and a database opened for writing removes them. On a
// manifest that contradicts itself it aborts. So it is looked at before, without RocksDB. What is
// no manifest at all is left for RocksDB to refuse.
class ManifestCheck {
 public:
  // Reads the manifest that CURRENT names.
  explicit ManifestCheck(const std::filesystem::path& database);
  ManifestCheck(const ManifestCheck&) = delete;
  ManifestCheck& operator=(const ManifestCheck&) = delete;
  ~ManifestCheck();

  // Files of the write-ahead log with smaller numbers are not read any more. 0: it cannot be told.
  [[nodiscard]] std::uint64_t oldest_log() const;

  // Where the manifest stops being whole, if it does: behind the last edit that is not of an
  // unfinished group. `goes_on`: what follows cannot all have been written at once. `sequence`
  // means nothing. `logs` are the files from oldest_log() on. Throws CorruptionError when it
  // - does not hold what a manifest is begun with: CURRENT names it only once all that is synced;
  // - goes back in the numbers of the changes that it accounts for;
  // - accounts for fewer changes than lie before those of the write-ahead log.
  [[nodiscard]] std::optional<LogFileEnd> check(const LogFilesEnd& logs) const;

 private:
  struct Read;
  std::unique_ptr<const Read> read_;  // Null: there is none that can be understood.
};

}  // namespace tenantry
