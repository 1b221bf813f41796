#include "core/sealing.h"

#include <algorithm>
#include <memory>
#include <set>
#include <stdexcept>
#include <system_error>

#include <fmt/format.h>

#include "core/error.h"
#include "core/file_ops.h"
#include "core/hash.h"

namespace tenantry {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTemporary = ".tmp";

// What squashes of this store write, and have not named yet.
bool is_in_the_making(const fs::path& path, const events::Uuid& store) {
  return path.extension() == kTemporary &&
         path.filename().string().starts_with(events::format_uuid(store) + "-");
}

// Whether it is a sealed file of this store. One that cannot be read is nobody's.
bool is_sealed_here(const fs::path& path, const events::Uuid& store) {
  std::error_code error;
  const bool is_file = fs::is_regular_file(fs::symlink_status(path, error));
  if (!is_file || !is_sealed_name(path.filename().string())) return false;
  try {
    return SegmentReader(path).start().store == store;
  } catch (const CorruptionError&) {
    return false;
  } catch (const UnavailableError&) {
    return false;
  }
}

// What lies there, but for directories.
std::vector<fs::path> files_in(const fs::path& directory) {
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
    std::error_code unknown;
    if (!fs::is_directory(at->symlink_status(unknown))) files.push_back(at->path());
  }
  return files;
}

}  // namespace

Sealed new_sealed(const fs::path& place, const SegmentStart& start, std::size_t number) {
  Sealed file;
  file.start = start;
  file.path = place / fmt::format("{}-{}-{}{}", events::format_uuid(start.store),
                                  events::scope_name(start.scope), number, kTemporary);
  return file;
}

std::string sealed_name(const Sealed& file) {
  const SegmentStart& start = file.start;
  const Hash& digest = file.end.content_digest;
  return start.kind == SegmentKind::kState
             ? snapshot_name(start.scope, start.seq, digest)
             : segment_name(start.scope, start.seq, file.end.last_seq, digest);
}

void prove_sealed(const Sealed& file, const std::function<void()>& tick) {
  const SegmentReader reader(file.path);
  const SegmentEnd found = reader.verify([&](std::uint64_t, std::uint64_t) { tick(); });
  if (reader.start() == file.start && found == file.end) return;
  throw CorruptionError(file.path.string() + " does not come back from the disk as it was written");
}

void place_sealed(Sealed& file, const fs::path& place) {
  const fs::path named = place / file.name;
  rename_durably(file.path, named);
  file.path = named;
}

ArchiveSegment listed_segment(const Sealed& file, const ScopePoint& before,
                              const std::string& directory) {
  ArchiveSegment segment;
  segment.before = before;
  segment.through = {file.end.last, file.end.last_seq, file.end.last_chain};
  segment.first_time = file.end.first_time;
  segment.last_time = file.end.last_time;
  segment.content_digest = file.end.content_digest;
  segment.file_digest = file.end.file_digest;
  segment.raw_bytes = file.end.raw_bytes;
  segment.file_bytes = file.end.file_bytes;
  segment.directory = directory;
  segment.name = file.name;
  return segment;
}

Snapshot listed_snapshot(const Sealed& file, const ScopePoint& at,
                         const std::optional<Hash>& previous) {
  Snapshot snapshot;
  snapshot.at = at;
  snapshot.entries = file.end.entries;
  snapshot.content_digest = file.end.content_digest;
  snapshot.file_digest = file.end.file_digest;
  snapshot.raw_bytes = file.end.raw_bytes;
  snapshot.file_bytes = file.end.file_bytes;
  snapshot.previous = previous;
  snapshot.name = file.name;
  return snapshot;
}

Hash archive_digest(const std::vector<Sealed>& files) {
  Sha256 digest;
  for (const Sealed& file : files) digest.add(file.end.content_digest);
  return digest.finish();
}

void sweep_archive(const LogHistory& history, const events::Uuid& store) {
  const std::shared_ptr<const Catalogue> catalogue = history.now();
  std::set<fs::path> listed;
  for (const auto& [scope, of_scope] : catalogue->scopes) {
    for (const ArchiveSegment& segment : of_scope.segments) {
      listed.insert(history.path_of(segment));
    }
    for (const Snapshot& snapshot : of_scope.snapshots) listed.insert(history.path_of(snapshot));
  }
  std::vector<fs::path> orphans;
  const auto add_if_ours = [&](const fs::path& path) {
    const bool sealed = !listed.contains(path) && is_sealed_here(path, store);
    if (sealed || is_in_the_making(path, store)) orphans.push_back(path);
  };
  std::ranges::for_each(files_in(history.archive()), add_if_ours);
  const SquashJob job = catalogue->job.value_or(SquashJob{});
  for (const std::string& file : job.files) add_if_ours(fs::path(job.directory) / file);
  for (const fs::path& path : files_in(job.directory)) {
    if (is_in_the_making(path, store)) orphans.push_back(path);
  }
  std::ranges::sort(orphans);  // The same order whatever the file system's.
  for (const fs::path& path : orphans) remove_durably(path);
}

void add_elsewhere(const LogHistory& history, const ScopeCatalogue& scope,
                   std::vector<fs::path>& found) {
  for (const ArchiveSegment& segment : scope.segments) {
    if (!segment.directory.empty()) found.push_back(history.path_of(segment));
  }
}

void drop_job(const SquashSite& site) {
  site.commit([](BatchWriter& batch) { remove_job(batch.beside()); });
  site.history.publish(read_catalogue(site.storage));
}

void forget_job(const SquashSite& site) {
  try {
    sweep_archive(site.history, site.info.id);
    drop_job(site);
  } catch (const std::runtime_error&) {
    return;  // Of the two faults the first is told.
  }
}

AcceptedCommand begin_note(const SquashSite& site, const events::Circumstances& circumstances,
                           const BatchWriter& batch) {
  AcceptedCommand command;
  const events::Timestamp now = site.clock.now();
  command.recorded_at = std::max(now, batch.head().last_recorded);
  command.flags = command.recorded_at > now ? kFlagClockHeld : std::uint16_t{0};
  const std::string& actor = circumstances.actor;
  if (!actor.empty()) command.actor = keyed_hash(site.info.hash_key, actor);
  return command;
}

}  // namespace tenantry
