#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/counters.h"
#include "core/event_source.h"
#include "core/storage.h"

// What squashes made of a store: where the log of each scope begins, and the sealed files that hold
// what lies before. Kept in the database beside the log, and read whole: it is small.
namespace tenantry {

// Required features of a store: the log does not begin with its first event; there are events
// without their payloads.
inline constexpr std::uint64_t kFeatureSquashed = 1U << 0U;
inline constexpr std::uint64_t kFeatureRedacted = 1U << 1U;
inline constexpr std::uint64_t kFeaturesKnown = kFeatureSquashed | kFeatureRedacted;

// Index entries of an epoch that nothing is added to any more.
struct ClosedEpoch {
  std::uint32_t epoch = 0;
  Position last;  // Of the scope's positions, the last that may be indexed under it.
  bool operator==(const ClosedEpoch&) const = default;
};

// Where the log of one scope begins.
struct ScopeBase {
  ScopePoint base;                  // Whatever lies before it in the log does not count.
  ScopePoint discarded;             // Of that, what is in no archive either.
  std::uint32_t first_epoch = 1;    // Whatever is indexed under older ones does not count.
  std::vector<ClosedEpoch> closed;  // The others but the last, oldest first.
  // Answers, and index entries of epochs that count, which blocks account for that were removed.
  Counters removed;

  // In which the scope's index goes on.
  [[nodiscard]] std::uint32_t present_epoch() const {
    return closed.empty() ? first_epoch : closed.back().epoch + 1;
  }
};

// A sealed file of events.
struct ArchiveSegment {
  ScopePoint before;   // What lies before the first event, and
  ScopePoint through;  // what the last one ends.
  events::Timestamp first_time;
  events::Timestamp last_time;
  Hash content_digest{};
  Hash file_digest{};
  std::uint64_t raw_bytes = 0;
  std::uint64_t file_bytes = 0;
  std::string directory;  // Absolute; empty for the store's own.
  std::string name;

  [[nodiscard]] std::uint64_t events() const { return through.seq - before.seq; }
};

// The state of a scope in a sealed file.
struct Snapshot {
  ScopePoint at;
  std::uint64_t entries = 0;
  Hash content_digest{};
  Hash file_digest{};
  std::uint64_t raw_bytes = 0;
  std::uint64_t file_bytes = 0;
  std::optional<Hash> previous;  // Content digest of the one before it.
  std::string name;
};

// The payloads of a tenant's events were taken away.
struct Redaction {
  events::Uuid tenant;
  Position through;  // Of the last event that has lost it.
  ScopePoint base;   // Where the scope's log began then: from here on the tenant's rows are known.
  Position event;    // Says when, by whom and why.
};

// A squash that is under way, or whose removed blocks are not all gone.
struct SquashJob {
  std::string directory;  // Of the archive; empty for the store's own.
  bool published = false;
  bool redacts = false;  // Values that rows had before are to leave the disk, too.
  std::vector<events::Scope> scopes;
  // Its own in a directory elsewhere (that of the archive, if only named): to be removed if not
  // listed.
  std::vector<std::string> files;
};

struct ScopeCatalogue {
  ScopeBase base;
  std::vector<ArchiveSegment> segments;  // Oldest first; one goes on where the one before ends.
  std::vector<Snapshot> snapshots;       // Oldest first.
  std::vector<Redaction> redactions;     // One for a tenant.

  // From which all rows follow without what was redacted: the first such one, none where nothing
  // was.
  [[nodiscard]] const Snapshot* known_from() const;
};

struct Catalogue {
  std::map<events::Scope, ScopeCatalogue> scopes;  // Those that a squash was begun of.
  std::optional<SquashJob> job;

  [[nodiscard]] bool empty() const { return scopes.empty() && !job; }
  // Of a scope that is not there: one whose log begins with its first event.
  [[nodiscard]] const ScopeCatalogue& of(events::Scope scope) const;
  // Behind this position there are all events of all scopes; 0 where nothing was discarded.
  [[nodiscard]] Position discarded() const;
  // Behind this one, besides, they all have their payloads.
  [[nodiscard]] Position complete_after() const;
};

// What a store with this catalogue requires.
[[nodiscard]] std::uint64_t features_of(const Catalogue& catalogue);

// Of a scope that no squash was begun of: one whose log begins with its first event. Throws
// CorruptionError for bytes that no version wrote.
[[nodiscard]] ScopeBase stored_base(const StorageReader& storage, events::Scope scope);
// The same of everything, and where segments do not join, or are called otherwise than by what they
// hold.
[[nodiscard]] Catalogue read_catalogue(const StorageReader& storage);

void put_base(ChangeSet& changes, events::Scope scope, const ScopeBase& base);
void put_segment(ChangeSet& changes, events::Scope scope, const ArchiveSegment& segment);
void remove_segment(ChangeSet& changes, events::Scope scope, const ArchiveSegment& segment);
void put_snapshot(ChangeSet& changes, events::Scope scope, const Snapshot& snapshot);
void remove_snapshot(ChangeSet& changes, events::Scope scope, const Snapshot& snapshot);
void put_redaction(ChangeSet& changes, events::Scope scope, const Redaction& redaction);
void remove_redaction(ChangeSet& changes, events::Scope scope, const Redaction& redaction);
void put_job(ChangeSet& changes, const SquashJob& job);
void remove_job(ChangeSet& changes);

// Bytes of the archive's files, snapshots too.
[[nodiscard]] std::uint64_t archive_bytes(const ScopeCatalogue& scope);

// The epoch under which the block that begins at `first` is indexed; `current`: the scope's last.
[[nodiscard]] std::uint32_t epoch_of(const ScopeBase& base, Position first, std::uint32_t current);

}  // namespace tenantry
