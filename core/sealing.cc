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

std::string digits(const Hash& digest) { return hex(digest).substr(0, 16); }

}  // namespace

Sealed new_sealed(const fs::path& place, const SegmentStart& start, std::size_t number) {
  Sealed file;
  file.start = start;
  file.path = place / fmt::format("{}-{}-{}{}", events::format_uuid(start.store),
                                  events::scope_name(start.scope), number, kTemporary);
  return file;
}

std::string sealed_name(const Sealed& file) {
  const std::string scope(events::scope_name(file.start.scope));
  if (file.start.kind == SegmentKind::kState) {
    return fmt::format("{}-snapshot-{}-{}.tseg", scope, file.start.seq,
                       digits(file.end.content_digest));
  }
  return fmt::format("{}-{}-{}-{}.tseg", scope, file.start.seq, file.end.last_seq,
                     digits(file.end.content_digest));
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
  std::error_code error;
  for (fs::directory_iterator at(history.archive(), error), end; !error && at != end;
       at.increment(error)) {
    if (!listed.contains(at->path())) orphans.push_back(at->path());
  }
  const SquashJob job = catalogue->job.value_or(SquashJob{});
  for (const std::string& file : job.files) {
    const fs::path path = fs::path(job.directory) / file;
    if (!listed.contains(path)) orphans.push_back(path);
  }
  const std::string ours = events::format_uuid(store) + "-";
  error.clear();
  for (fs::directory_iterator at(job.directory, error), end; !error && at != end;
       at.increment(error)) {
    const fs::path& path = at->path();
    const bool in_the_making = path.extension() == kTemporary;
    if (in_the_making && path.filename().string().starts_with(ours)) orphans.push_back(path);
  }
  std::ranges::sort(orphans);  // The same order whatever the file system's.
  for (const fs::path& path : orphans) remove_durably(path);
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
