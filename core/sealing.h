#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/batch.h"
#include "core/catalogue.h"
#include "core/log_history.h"
#include "core/segment.h"
#include "core/squash.h"

// Files of the archive in the making, for squashes and redactions: written under a name that says
// so, read again from the disk, named, and only then referred to.
namespace tenantry {

// A file that is written, and where it is to be.
struct Sealed {
  std::filesystem::path path;  // Where it is now.
  std::string name;            // Once it is known.
  SegmentStart start;
  SegmentEnd end;
};

// A file to be written to `place`; `number` tells it from others of the same work.
[[nodiscard]] Sealed new_sealed(const std::filesystem::path& place, const SegmentStart& start,
                                std::size_t number);
// What it is called for good: by what it holds.
[[nodiscard]] std::string sealed_name(const Sealed& file);
// Reads it again, from the disk. Throws CorruptionError for what is not as it was written.
void prove_sealed(const Sealed& file, const std::function<void()>& tick);
// Gives it its name, durably.
void place_sealed(Sealed& file, const std::filesystem::path& place);

// `directory`: as ArchiveSegment has it.
[[nodiscard]] ArchiveSegment listed_segment(const Sealed& file, const ScopePoint& before,
                                            const std::string& directory);
[[nodiscard]] Snapshot listed_snapshot(const Sealed& file, const ScopePoint& at,
                                       const std::optional<Hash>& previous);
// The digest of the content digests of the files.
[[nodiscard]] Hash archive_digest(const std::vector<Sealed>& files);

// Removes the files of sealed content that nothing refers to: all of them from the store's own
// archive; from a directory elsewhere, where others may keep theirs, those that the job tells of
// and those in the making. What is called otherwise than such files, or is another store's, stays.
void sweep_archive(const LogHistory& history, const events::Uuid& store);
// The segments that are not in the store's own archive.
void add_elsewhere(const LogHistory& history, const ScopeCatalogue& scope,
                   std::vector<std::filesystem::path>& found);
// The job is over; the catalogue is read anew.
void drop_job(const SquashSite& site);
// What was written is of no use. What cannot be removed now is by the next opening.
void forget_job(const SquashSite& site);

// With the time and the actor of what is done with the store, and no event yet.
[[nodiscard]] AcceptedCommand begin_note(const SquashSite& site,
                                         const events::Circumstances& circumstances,
                                         const BatchWriter& batch);

}  // namespace tenantry
