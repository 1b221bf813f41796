#pragma once

#include <cstddef>
#include <filesystem>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "core/block_stream.h"
#include "core/catalogue.h"
#include "core/head.h"
#include "core/segment.h"

namespace tenantry {

// Where the events of a store are: what squashes made of it, as it is now, and the archive's files.
// Threads: any; one publishes at a time.
class LogHistory {
 public:
  // `archive`: the directory of the store's own sealed files, which need not exist.
  LogHistory(std::filesystem::path archive, Catalogue catalogue);

  [[nodiscard]] std::shared_ptr<const Catalogue> now() const;
  // Once it is durable, and before anything is removed for it.
  void publish(Catalogue catalogue);

  [[nodiscard]] const std::filesystem::path& archive() const { return archive_; }
  [[nodiscard]] std::filesystem::path path_of(const ArchiveSegment& segment) const;
  [[nodiscard]] std::filesystem::path path_of(const Snapshot& snapshot) const;
  // Opened, or as it was opened before: the last ones are kept. Throws CorruptionError unless it is
  // the file that the catalogue speaks of, UnavailableError where an archive elsewhere is not
  // there.
  [[nodiscard]] std::shared_ptr<const SegmentReader> open(const ArchiveSegment& segment) const;
  [[nodiscard]] std::shared_ptr<const SegmentReader> open(const Snapshot& snapshot) const;

 private:
  using Opened = std::pair<std::string, std::shared_ptr<const SegmentReader>>;
  [[nodiscard]] std::shared_ptr<const SegmentReader> open_file(const std::filesystem::path& path,
                                                               bool is_own) const;

  const std::filesystem::path archive_;
  mutable std::mutex mutex_;
  std::shared_ptr<const Catalogue> catalogue_;  // Guarded by mutex_, as is the next.
  mutable std::list<Opened> opened_;            // The last used first.
};

// Every block of one scope, in the archive and in the log, that has an event in (after, through],
// or only those in which an index, or an archive's filter, finds an id. What a squash moves
// meanwhile from the log to the archive is found there, as is what a redaction replaces. Of what
// was discarded there is nothing: who may not miss it asks the catalogue. Borrows `storage` and
// `history`.
[[nodiscard]] std::unique_ptr<BlockStream> history_blocks(
    const StorageReader& storage, const LogHistory& history, events::Scope scope,
    const std::optional<IndexedBy>& by, Position after, Position through, bool reverse);

}  // namespace tenantry
