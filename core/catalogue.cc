#include "core/catalogue.h"

#include <algorithm>
#include <charconv>
#include <system_error>
#include <utility>

#include <capnp/message.h>
#include <fmt/format.h>

#include "core/counters_format.h"
#include "core/error.h"
#include "core/fixed_data.h"
#include "core/format.capnp.h"
#include "core/keys.h"
#include "core/segment.h"
#include "events/encoding.h"

namespace tenantry {
namespace {

constexpr const char* kJobKey = "squash";

std::string base_key(events::Scope scope) {
  return fmt::format("base/{:04x}", static_cast<unsigned int>(scope));
}
std::string segment_key(events::Scope scope, const ArchiveSegment& segment) {
  return fmt::format("segment/{:04x}/{:016x}", static_cast<unsigned int>(scope),
                     segment.before.seq + 1);
}
std::string snapshot_key(events::Scope scope, const Snapshot& snapshot) {
  return fmt::format("snapshot/{:04x}/{:016x}", static_cast<unsigned int>(scope), snapshot.at.seq);
}

std::string redaction_key(events::Scope scope, const Redaction& redaction) {
  return fmt::format("redaction/{:04x}/{}", static_cast<unsigned int>(scope),
                     events::format_uuid(redaction.tenant));
}

void write_point(format::ScopePoint::Builder to, const ScopePoint& point) {
  to.setPosition(point.position.value);
  to.setSeq(point.seq);
  to.setChainHash(as_data(point.chain));
}

ScopePoint read_point(format::ScopePoint::Reader from, const char* what) {
  return {{from.getPosition()}, from.getSeq(), read_fixed<Hash>(from.getChainHash(), what)};
}

ScopeBase read_base(std::string_view bytes) {
  return read_stored("a scope's base", [&] {
    events::MessageView view(bytes);
    const auto root = view.root<format::ScopeBase>();
    ScopeBase base;
    base.base = read_point(root.getBase(), "a scope's base");
    base.discarded = read_point(root.getDiscarded(), "a scope's base");
    base.first_epoch = root.getFirstEpoch();
    for (const auto epoch : root.getClosedEpochs()) {
      base.closed.push_back({epoch.getEpoch(), {epoch.getLast()}});
    }
    base.removed = read_counters(root.getRemoved(), "a scope's base");
    return base;
  });
}

ArchiveSegment read_segment(std::string_view bytes) {
  return read_stored("an archive's segment", [&] {
    constexpr const char* kWhat = "an archive's segment";
    events::MessageView view(bytes);
    const auto root = view.root<format::ArchiveSegment>();
    ArchiveSegment segment;
    segment.before = read_point(root.getBefore(), kWhat);
    segment.through = read_point(root.getThrough(), kWhat);
    segment.first_time = {root.getFirstTime()};
    segment.last_time = {root.getLastTime()};
    segment.content_digest = read_fixed<Hash>(root.getContentDigest(), kWhat);
    segment.file_digest = read_fixed<Hash>(root.getFileDigest(), kWhat);
    segment.raw_bytes = root.getRawBytes();
    segment.file_bytes = root.getFileBytes();
    segment.directory = root.getDirectory().cStr();
    segment.name = root.getName().cStr();
    return segment;
  });
}

Snapshot read_snapshot(std::string_view bytes) {
  return read_stored("a snapshot", [&] {
    constexpr const char* kWhat = "a snapshot";
    events::MessageView view(bytes);
    const auto root = view.root<format::Snapshot>();
    Snapshot snapshot;
    snapshot.at = read_point(root.getAt(), kWhat);
    snapshot.entries = root.getEntries();
    snapshot.content_digest = read_fixed<Hash>(root.getContentDigest(), kWhat);
    snapshot.file_digest = read_fixed<Hash>(root.getFileDigest(), kWhat);
    snapshot.raw_bytes = root.getRawBytes();
    snapshot.file_bytes = root.getFileBytes();
    if (root.getPrevious().size() > 0) {
      snapshot.previous = read_fixed<Hash>(root.getPrevious(), kWhat);
    }
    snapshot.name = root.getName().cStr();
    return snapshot;
  });
}

Redaction read_redaction(std::string_view bytes) {
  return read_stored("a redaction", [&] {
    constexpr const char* kWhat = "a redaction";
    events::MessageView view(bytes);
    const auto root = view.root<format::Redaction>();
    Redaction redaction;
    redaction.tenant = read_fixed<events::Uuid>(root.getTenant(), kWhat);
    redaction.through = {root.getThrough()};
    redaction.base = read_point(root.getBase(), kWhat);
    redaction.event = {root.getEvent()};
    return redaction;
  });
}

SquashJob read_job(std::string_view bytes) {
  return read_stored("the squash under way", [&] {
    events::MessageView view(bytes);
    const auto root = view.root<format::SquashJob>();
    SquashJob job;
    job.directory = root.getDirectory().cStr();
    job.published = root.getPublished();
    job.redacts = root.getRedacts();
    for (const auto scope : root.getScopes()) {
      job.scopes.push_back(static_cast<events::Scope>(scope));
    }
    for (const auto file : root.getFiles()) job.files.emplace_back(file.cStr());
    return job;
  });
}

// A name that follows from what the file holds leads nowhere else.
void check_names(events::Scope scope, const ScopeCatalogue& catalogue) {
  const auto check = [&](const std::string& name, const std::string& expected) {
    if (name == expected) return;
    throw CorruptionError(fmt::format("scope {}: the archive lists a file as '{}', not as {}",
                                      events::scope_name(scope), name, expected));
  };
  for (const ArchiveSegment& segment : catalogue.segments) {
    check(segment.name,
          segment_name(scope, segment.before.seq + 1, segment.through.seq, segment.content_digest));
    if (segment.directory.empty() || segment.directory.starts_with('/')) continue;
    throw CorruptionError(fmt::format("scope {}: the archive lists {} in '{}', no absolute path",
                                      events::scope_name(scope), segment.name, segment.directory));
  }
  for (const Snapshot& snapshot : catalogue.snapshots) {
    check(snapshot.name, snapshot_name(scope, snapshot.at.seq, snapshot.content_digest));
  }
}

// Calls `visit` with the scope and the value of each key that begins so.
template <class Visit>
void visit_keys(const StorageReader& storage, const std::string& prefix, Visit&& visit) {
  const auto cursor =
      storage.cursor(Family::kMeta, prefix, keys::after_prefix(prefix), /*scan=*/false);
  for (cursor->seek_first(); cursor->valid(); cursor->next()) {
    const std::string digits(cursor->key().substr(prefix.size(), 4));
    unsigned int scope = 0;
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), scope, 16);
    if (error != std::errc() || digits.size() != 4 || end != digits.data() + digits.size()) {
      throw CorruptionError("the store's database has a key that no version wrote: " + prefix +
                            digits);
    }
    visit(static_cast<events::Scope>(scope), cursor->value());
  }
}

// What is missing between two files, or at an end, was lost.
void check_joined(events::Scope scope, const ScopeCatalogue& catalogue) {
  ScopePoint end = catalogue.base.discarded;
  for (const ArchiveSegment& segment : catalogue.segments) {
    if (segment.before.seq != end.seq || segment.before.chain != end.chain) break;
    end = segment.through;
  }
  if (end == catalogue.base.base) return;
  throw CorruptionError(
      fmt::format("scope {}: the archive's list lacks what follows position {} (event {})",
                  events::scope_name(scope), end.position.value, end.seq));
}

}  // namespace

const Snapshot* ScopeCatalogue::known_from() const {
  if (redactions.empty()) return nullptr;
  std::uint64_t seq = 0;
  for (const Redaction& redaction : redactions) seq = std::max(seq, redaction.base.seq);
  const auto found = std::ranges::find_if(
      snapshots, [&](const Snapshot& snapshot) { return snapshot.at.seq >= seq; });
  return found == snapshots.end() ? nullptr : &*found;
}

const ScopeCatalogue& Catalogue::of(events::Scope scope) const {
  static const ScopeCatalogue none;
  const auto found = scopes.find(scope);
  return found == scopes.end() ? none : found->second;
}

Position Catalogue::discarded() const {
  Position last;
  for (const auto& [scope, catalogue] : scopes) {
    last = std::max(last, catalogue.base.discarded.position);
  }
  return last;
}

Position Catalogue::complete_after() const {
  Position last = discarded();
  for (const auto& [scope, catalogue] : scopes) {
    for (const Redaction& redaction : catalogue.redactions) {
      last = std::max(last, redaction.through);
    }
  }
  return last;
}

std::uint64_t features_of(const Catalogue& catalogue) {
  std::uint64_t features = catalogue.empty() ? 0 : kFeatureSquashed;
  for (const auto& [scope, of_scope] : catalogue.scopes) {
    if (!of_scope.redactions.empty()) features |= kFeatureRedacted;
  }
  return features;
}

ScopeBase stored_base(const StorageReader& storage, events::Scope scope) {
  const auto bytes = storage.get(Family::kMeta, base_key(scope));
  return bytes ? read_base(*bytes) : ScopeBase{};
}

Catalogue read_catalogue(const StorageReader& storage) {
  Catalogue catalogue;
  visit_keys(storage, "base/", [&](events::Scope scope, std::string_view value) {
    catalogue.scopes[scope].base = read_base(value);
  });
  visit_keys(storage, "segment/", [&](events::Scope scope, std::string_view value) {
    catalogue.scopes[scope].segments.push_back(read_segment(value));
  });
  visit_keys(storage, "snapshot/", [&](events::Scope scope, std::string_view value) {
    catalogue.scopes[scope].snapshots.push_back(read_snapshot(value));
  });
  visit_keys(storage, "redaction/", [&](events::Scope scope, std::string_view value) {
    catalogue.scopes[scope].redactions.push_back(read_redaction(value));
  });
  for (const auto& [scope, of_scope] : catalogue.scopes) {
    check_joined(scope, of_scope);
    check_names(scope, of_scope);
  }
  if (const auto job = storage.get(Family::kMeta, kJobKey)) catalogue.job = read_job(*job);
  return catalogue;
}

void put_base(ChangeSet& changes, events::Scope scope, const ScopeBase& base) {
  capnp::MallocMessageBuilder message;
  auto root = message.initRoot<format::ScopeBase>();
  write_point(root.initBase(), base.base);
  write_point(root.initDiscarded(), base.discarded);
  root.setFirstEpoch(base.first_epoch);
  auto closed = root.initClosedEpochs(static_cast<unsigned int>(base.closed.size()));
  for (unsigned int n = 0; n < closed.size(); ++n) {
    closed[n].setEpoch(base.closed[n].epoch);
    closed[n].setLast(base.closed[n].last.value);
  }
  write_counters(root.initRemoved(static_cast<unsigned int>(base.removed.sums().size())),
                 base.removed);
  changes.put(Family::kMeta, base_key(scope), events::encode_canonical(root.asReader()));
}

void put_segment(ChangeSet& changes, events::Scope scope, const ArchiveSegment& segment) {
  capnp::MallocMessageBuilder message;
  auto root = message.initRoot<format::ArchiveSegment>();
  write_point(root.initBefore(), segment.before);
  write_point(root.initThrough(), segment.through);
  root.setFirstTime(segment.first_time.micros);
  root.setLastTime(segment.last_time.micros);
  root.setContentDigest(as_data(segment.content_digest));
  root.setFileDigest(as_data(segment.file_digest));
  root.setRawBytes(segment.raw_bytes);
  root.setFileBytes(segment.file_bytes);
  root.setDirectory(segment.directory);
  root.setName(segment.name);
  changes.put(Family::kMeta, segment_key(scope, segment),
              events::encode_canonical(root.asReader()));
}

void remove_segment(ChangeSet& changes, events::Scope scope, const ArchiveSegment& segment) {
  changes.remove(Family::kMeta, segment_key(scope, segment));
}

void put_snapshot(ChangeSet& changes, events::Scope scope, const Snapshot& snapshot) {
  capnp::MallocMessageBuilder message;
  auto root = message.initRoot<format::Snapshot>();
  write_point(root.initAt(), snapshot.at);
  root.setEntries(snapshot.entries);
  root.setContentDigest(as_data(snapshot.content_digest));
  root.setFileDigest(as_data(snapshot.file_digest));
  root.setRawBytes(snapshot.raw_bytes);
  root.setFileBytes(snapshot.file_bytes);
  if (snapshot.previous) root.setPrevious(as_data(*snapshot.previous));
  root.setName(snapshot.name);
  changes.put(Family::kMeta, snapshot_key(scope, snapshot),
              events::encode_canonical(root.asReader()));
}

void remove_snapshot(ChangeSet& changes, events::Scope scope, const Snapshot& snapshot) {
  changes.remove(Family::kMeta, snapshot_key(scope, snapshot));
}

void put_redaction(ChangeSet& changes, events::Scope scope, const Redaction& redaction) {
  capnp::MallocMessageBuilder message;
  auto root = message.initRoot<format::Redaction>();
  root.setTenant(as_data(redaction.tenant));
  root.setThrough(redaction.through.value);
  write_point(root.initBase(), redaction.base);
  root.setEvent(redaction.event.value);
  changes.put(Family::kMeta, redaction_key(scope, redaction),
              events::encode_canonical(root.asReader()));
}

void remove_redaction(ChangeSet& changes, events::Scope scope, const Redaction& redaction) {
  changes.remove(Family::kMeta, redaction_key(scope, redaction));
}

void put_job(ChangeSet& changes, const SquashJob& job) {
  capnp::MallocMessageBuilder message;
  auto root = message.initRoot<format::SquashJob>();
  root.setDirectory(job.directory);
  root.setPublished(job.published);
  root.setRedacts(job.redacts);
  auto scopes = root.initScopes(static_cast<unsigned int>(job.scopes.size()));
  for (unsigned int n = 0; n < scopes.size(); ++n) {
    scopes.set(n, static_cast<std::uint16_t>(job.scopes[n]));
  }
  auto files = root.initFiles(static_cast<unsigned int>(job.files.size()));
  for (unsigned int n = 0; n < files.size(); ++n) files.set(n, job.files[n]);
  changes.put(Family::kMeta, kJobKey, events::encode_canonical(root.asReader()));
}

void remove_job(ChangeSet& changes) { changes.remove(Family::kMeta, kJobKey); }

std::uint64_t archive_bytes(const ScopeCatalogue& scope) {
  std::uint64_t bytes = 0;
  for (const ArchiveSegment& segment : scope.segments) bytes += segment.file_bytes;
  for (const Snapshot& snapshot : scope.snapshots) bytes += snapshot.file_bytes;
  return bytes;
}

std::uint32_t epoch_of(const ScopeBase& base, Position first, std::uint32_t current) {
  for (const ClosedEpoch& closed : base.closed) {
    if (first <= closed.last) return closed.epoch;
  }
  return current;
}

}  // namespace tenantry
