#include "core/redact.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "core/block_stream.h"
#include "core/consumers.h"
#include "core/error.h"
#include "core/hash.h"
#include "core/keys.h"
#include "core/sealing.h"
#include "core/segment.h"
#include "core/segment_format.h"
#include "core/state.h"
#include "events/kinds.h"
#include "events/store_events.h"

namespace tenantry {
namespace {

namespace fs = std::filesystem;

constexpr int kNotFoundExitCode = 5;
constexpr int kConflictExitCode = 4;
constexpr std::uint64_t kTickEvents = 4096;

// What of one scope is concerned.
struct RedactedScope {
  events::Scope scope = events::Scope::SYSTEM;
  Position last;  // The last event that loses its payload; 0 for none.
};

// A file that takes the place of another.
struct Replaced {
  events::Scope scope = events::Scope::SYSTEM;
  Sealed file;
  std::optional<ArchiveSegment> segment;  // The one before; or else
  std::optional<Snapshot> snapshot;       // the one before.
};

// The events of a sealed file, one after the other.
class SealedEvents {
 public:
  explicit SealedEvents(const SegmentReader& reader) : reader_(reader) {}

  // Calls `visit` with each event and its record.
  template <class Visit>
  void each(Visit&& visit) {
    for (std::size_t block = 0; block < reader_.blocks().size(); ++block) {
      const Block events = reader_.events(block);
      for (std::size_t n = 0; n < events.records().size(); ++n) {
        visit(events.records()[n], events.record(n));
      }
    }
  }
  // The next record; empty at the end. Valid until the next call.
  std::string_view next() {
    while (!block_ || at_ == block_->records().size()) {
      if (next_block_ == reader_.blocks().size()) return {};
      block_.emplace(reader_.events(next_block_++));
      at_ = 0;
    }
    return block_->record(at_++);
  }

 private:
  const SegmentReader& reader_;
  std::size_t next_block_ = 0;
  std::optional<Block> block_;
  std::size_t at_ = 0;
};

class Redacting {
 public:
  Redacting(const SquashSite& site, const SquashOptions& options, const Progress& progress)
      : site_(site), options_(options), progress_(progress) {
    found_.tenant = options.redact.value();
  }

  SquashReport plan() {
    Moment now = site_.look();
    find(now);
    SquashReport report;
    report.tail = now.head.tail;
    now.view.reset();
    if (const auto squash = squash_before()) report = plan_squash(site_, *squash, progress_);
    report.archive = options_.archive.empty() ? site_.history.archive() : options_.archive;
    report.behind = behind_;
    report.bytes_before = store_bytes();
    found_.segments = count_segments();
    report.redaction = found_;
    for (const RedactedScope& part : parts_) {
      for (const ArchiveSegment& segment : site_.history.now()->of(part.scope).segments) {
        const bool is_left = !segment.directory.empty() && holds_taken(segment, part.last);
        if (is_left) report.left.push_back(site_.history.path_of(segment));
      }
    }
    return report;
  }

  SquashReport run() {
    const auto started = site_.disk.now();
    const std::uint64_t bytes_before = store_bytes();
    end_earlier_squash(site_);
    Moment now = site_.look();
    find(now);
    require_seen();
    SquashReport report;
    report.tail = now.head.tail;
    now.view.reset();
    if (found_.events > 0) {
      if (const auto squash = squash_before()) report = run_before(*squash);
      redact_after(report);
    } else if (any_rebased(behind_)) {
      site_.commit([&](BatchWriter& batch) { forget_rebased(batch.beside(), behind_); });
    }
    // Others may need them: backups have none of their own.
    for (const Replaced& replaced : files_) {
      if (place_of(replaced) == site_.history.archive()) continue;
      report.left.push_back(site_.history.path_of(*replaced.segment));
    }
    report.archive = options_.archive.empty() ? site_.history.archive() : options_.archive;
    report.behind = behind_;
    report.redaction = found_;
    report.bytes_before = bytes_before;
    report.bytes_after = store_bytes();
    report.micros = static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(site_.disk.now() - started).count());
    return report;
  }

 private:
  // Ended before it was published, it leaves nothing, whatever ends it.
  class Undone {
   public:
    explicit Undone(Redacting& work) : work_(work) {}
    Undone(const Undone&) = delete;
    Undone& operator=(const Undone&) = delete;
    ~Undone() {
      if (!work_.publishing_) forget_job(work_.site_);
    }

   private:
    Redacting& work_;
  };

  [[nodiscard]] bool is_ours(const StoredEvent& event) const {
    return event.tenant == found_.tenant && event.position <= through_;
  }
  // Whether it loses its payload. One that another tenant shares is that one's history.
  [[nodiscard]] bool is_taken(const StoredEvent& event) const {
    if (!is_ours(event) || is_redacted(event)) return false;
    return !segment::other_tenant(event, "the log");
  }

  // What there is of the tenant.
  void find(const Moment& now) {
    through_ = options_.through.value_or(now.head.tail);
    if (through_ > now.head.tail) {
      throw UsageError("position_ahead",
                       fmt::format("the log ends at position {}", now.head.tail.value));
    }
    require_consumers(*now.view, options_.rebase);
    for (const events::ScopeInfo& info : events::scopes()) {
      const auto end = now.head.scopes.find(info.scope);
      if (end == now.head.scopes.end()) continue;
      find_in(info.scope, *now.view);
    }
    if (found_.events + found_.earlier + found_.shared == 0) {
      throw UsageError("not_found",
                       fmt::format("no event up to position {} is about tenant {}", through_.value,
                                   events::format_uuid(found_.tenant)),
                       "tenantry log --tenant TENANT", kNotFoundExitCode);
    }
    for (const Consumer& consumer : read_consumers(*now.view)) {
      const bool outdated = is_outdated(consumer, site_.schema_version);
      if (!outdated && consumer.checkpoint >= found_.last) continue;
      behind_.push_back({consumer, !options_.rebase.contains(consumer.name), outdated});
    }
  }

  void find_in(events::Scope scope, const StorageReader& view) {
    RedactedScope part{scope, {}};
    const auto blocks =
        history_blocks(view, site_.history, scope, IndexedBy{keys::kTenantIndex, found_.tenant}, {},
                       through_, false);
    for (auto block = blocks->next(); block; block = blocks->next()) {
      for (const StoredEvent& event : block->records()) {
        if (event.position > through_) break;
        tick();
        if (count(event)) part.last = event.position;
      }
    }
    if (part.last.value == 0) return;
    found_.last = std::max(found_.last, part.last);
    parts_.push_back(part);
  }

  // Whether it is one to be taken.
  bool count(const StoredEvent& event) {
    if (is_taken(event)) {
      ++found_.events;
      found_.payloads += event.payload.size();
      return true;
    }
    if (is_redacted(event)) {
      found_.earlier += is_ours(event) ? 1 : 0;
    } else {
      const auto other = segment::other_tenant(event, "the log");
      found_.shared += is_ours(event) || other == found_.tenant ? 1 : 0;
    }
    return false;
  }

  // A reader that has not come so far could not go on.
  void require_seen() const {
    if (found_.events == 0) return;
    for (const BehindConsumer& behind : behind_) {
      if (!behind.holds) continue;
      const Consumer& consumer = behind.consumer;
      if (behind.outdated) throw_outdated(consumer);
      throw UsageError(
          "consumer_behind",
          fmt::format("{} has come to position {}, and could not read on to {} without what would "
                      "be redacted",
                      consumer.name, consumer.checkpoint.value, found_.last.value),
          fmt::format("`tenantry project` brings it on, `--rebase {}` does not wait for it",
                      consumer.name),
          kConflictExitCode);
    }
  }

  [[noreturn]] void throw_outdated(const Consumer& consumer) const {
    throw UsageError(
        "consumer_outdated",
        fmt::format("{} shows rows of schema version {}, not {}, and could not read again what "
                    "would be redacted",
                    consumer.name, shown_version(consumer), site_.schema_version),
        fmt::format("`tenantry rebuild` fills it anew, `--rebase {}` does not wait for it",
                    consumer.name),
        kConflictExitCode);
  }

  // Of what is still in the log.
  [[nodiscard]] std::optional<SquashOptions> squash_before() const {
    const std::shared_ptr<const Catalogue> catalogue = site_.history.now();
    SquashOptions squash = options_;
    squash.scopes.clear();
    squash.rebase.clear();
    squash.discard_history = false;
    squash.through = found_.last;
    for (const RedactedScope& part : parts_) {
      if (part.last > catalogue->of(part.scope).base.base.position)
        squash.scopes.insert(part.scope);
    }
    return squash.scopes.empty() ? std::nullopt : std::optional(std::move(squash));
  }

  [[nodiscard]] bool holds_taken(const ArchiveSegment& segment, Position last) const {
    if (segment.before.position >= last) return false;
    const auto reader = site_.history.open(segment);
    for (std::size_t block = 0; block < reader->blocks().size(); ++block) {
      if (!reader->may_hold(block, found_.tenant)) continue;
      const Block events = reader->events(block);
      if (std::ranges::any_of(events.records(),
                              [&](const StoredEvent& event) { return is_taken(event); })) {
        return true;
      }
    }
    return false;
  }

  [[nodiscard]] std::uint64_t count_segments() const {
    std::uint64_t count = 0;
    const std::shared_ptr<const Catalogue> catalogue = site_.history.now();
    for (const RedactedScope& part : parts_) {
      count += static_cast<std::uint64_t>(std::ranges::count_if(
          catalogue->of(part.scope).segments,
          [&](const auto& segment) { return holds_taken(segment, part.last); }));
    }
    return count;
  }

  void tick() {
    if (++done_ % kTickEvents == 0 && progress_) progress_(done_, std::max(done_, total_));
  }

  // Who is told of a failure is told what is done all the same.
  // Nobody shall take the end of a squash, which the next opening brings about, for that of a
  // redaction.
  [[nodiscard]] SquashReport run_before(const SquashOptions& squash) {
    constexpr const char* kNothing = "; nothing is redacted";
    try {
      return run_squash(site_, squash, progress_);
    } catch (const UnavailableError& error) {
      throw UnavailableError(error.what() + std::string(kNothing),
                             joined(error.hint(), "the same command goes on from there"),
                             error.code());
    } catch (const CorruptionError& error) {
      throw CorruptionError(error.what() + std::string(kNothing));
    }
  }

  static std::string joined(const std::string& hint, const char* more) {
    return hint.empty() ? more : hint + "; " + more;
  }

  void redact_after(const SquashReport& squashed) {
    std::uint64_t events = 0;
    for (const SquashedScope& scope : squashed.scopes) events += scope.events;
    const auto stands = [&](const std::exception& error) {
      return fmt::format(
          "{}; nothing is redacted, but the {} events that were squashed before are "
          "in the archive",
          error.what(), events);
    };
    try {
      redact();
    } catch (const UnavailableError& error) {
      if (publishing_ || events == 0) throw;
      throw UnavailableError(
          stands(error), joined(error.hint(), "the same command goes on from there"), error.code());
    } catch (const CorruptionError& error) {
      if (publishing_ || events == 0) throw;
      throw CorruptionError(stands(error));
    }
  }

  void redact() {
    site_.mark_format(kFeatureSquashed | kFeatureRedacted);
    catalogue_ = site_.history.now();
    choose_files();
    check_room();
    note_files();
    const Undone undone(*this);
    for (Replaced& replaced : files_) {
      if (replaced.segment) {
        write_events(replaced);
      } else {
        write_state(replaced);
      }
    }
    for (Replaced& replaced : files_) prove(replaced);
    for (Replaced& replaced : files_) replaced.file.name = sealed_name(replaced.file);
    note_files();
    for (Replaced& replaced : files_) place_sealed(replaced.file, place_of(replaced));
    publish();
    try {
      finish_job(site_);
    } catch (const UnavailableError& error) {
      throw UnavailableError(
          fmt::format("the tenant is redacted, but what was taken is still on the disk: {}",
                      error.what()),
          "the next opening of the store removes it");
    }
  }

  // Where the file that is replaced lies, and so the new one.
  [[nodiscard]] fs::path place_of(const Replaced& replaced) const {
    const fs::path before = replaced.segment ? site_.history.path_of(*replaced.segment)
                                             : site_.history.path_of(*replaced.snapshot);
    return before.parent_path();
  }

  void choose_files() {
    for (const RedactedScope& part : parts_) {
      const ScopeCatalogue& scope = catalogue_->of(part.scope);
      if (scope.snapshots.empty() || scope.snapshots.back().at != scope.base.base) {
        throw CorruptionError(fmt::format("scope {}: there is no snapshot of where its log begins",
                                          events::scope_name(part.scope)));
      }
      for (const ArchiveSegment& segment : scope.segments) {
        if (!holds_taken(segment, part.last)) continue;
        files_.push_back({part.scope, {}, segment, std::nullopt});
        total_ += 2 * segment.events();
        ++found_.segments;
      }
      const auto first = std::ranges::find(scope.snapshots, scope.base.discarded, &Snapshot::at);
      const bool begins_with_one = first != scope.snapshots.end() && !is_newest(scope, *first);
      if (begins_with_one) files_.push_back({part.scope, {}, std::nullopt, *first});
    }
    for (std::size_t n = 0; n < files_.size(); ++n) {
      Replaced& replaced = files_[n];
      const auto before = open(replaced);
      replaced.file = new_sealed(place_of(replaced), before->start(), n);
    }
  }

  [[nodiscard]] static bool is_newest(const ScopeCatalogue& scope, const Snapshot& snapshot) {
    return snapshot.at == scope.snapshots.back().at;
  }

  [[nodiscard]] std::shared_ptr<const SegmentReader> open(const Replaced& replaced) const {
    return replaced.segment ? site_.history.open(*replaced.segment)
                            : site_.history.open(*replaced.snapshot);
  }

  void check_room() const {
    for (const Replaced& replaced : files_) {
      std::uint64_t bytes = 0;
      const fs::path place = place_of(replaced);
      for (const Replaced& other : files_) {
        if (place_of(other) != place) continue;
        bytes += other.segment ? other.segment->file_bytes : other.snapshot->file_bytes;
      }
      const std::uint64_t free = site_.disk.free_space(place);
      if (free >= bytes + bytes / 4) continue;
      throw UnavailableError(
          fmt::format("the disk under {} has {} MiB free, a redaction needs some {} MiB",
                      place.string(), free >> 20U, ((bytes + bytes / 4) >> 20U) + 1),
          "free disk space", "disk_low");
    }
  }

  // Tells of the new files that are not in the store's own archive, where whatever is not listed
  // goes.
  void note_files() {
    SquashJob job;
    job.redacts = true;
    for (const Replaced& replaced : files_) {
      const fs::path place = place_of(replaced);
      if (place == site_.history.archive()) continue;
      job.files.push_back(replaced.file.path.string());
      if (replaced.file.name.empty()) continue;
      // One that is there is not ours to remove; it has the same content.
      std::error_code error;
      const fs::path named = place / replaced.file.name;
      if (!fs::exists(named, error)) job.files.push_back(named.string());
    }
    job_ = job;
    site_.commit([&](BatchWriter& batch) { put_job(batch.beside(), job_); });
    site_.history.publish(read_catalogue(site_.storage));
  }

  void write_events(Replaced& replaced) {
    const auto before = open(replaced);
    const std::string name = before->path().string();
    SegmentWriter writer(replaced.file.path, replaced.file.start);
    SealedEvents(*before).each([&](const StoredEvent& event, std::string_view record) {
      tick();
      if (!is_taken(event)) {
        writer.add_event(event, record, segment::other_tenant(event, name));
        return;
      }
      const std::string redacted = redact_record(record);
      const StoredEvent left = decode_record(redacted, name);
      writer.add_event(left, redacted, std::nullopt);
    });
    replaced.file.end = writer.finish();
  }

  // A state that is not known any more, without the tenant: folds begin with it.
  void write_state(Replaced& replaced) {
    const auto before = open(replaced);
    SegmentWriter writer(replaced.file.path, replaced.file.start);
    for (std::size_t block = 0; block < before->blocks().size(); ++block) {
      (void)before->visit_entries(block, [&](std::string_view key, std::string_view value) {
        if (const auto left = without_tenant(key, value, found_.tenant)) {
          writer.add_entry(key, *left);
        }
        return true;
      });
    }
    replaced.file.end = writer.finish();
  }

  // Read again from the disk, chain and digests included; and but for what was taken, all is as it
  // was.
  void prove(const Replaced& replaced) {
    prove_sealed(replaced.file, [&] { tick(); });
    if (!replaced.segment) return;
    const auto before = open(replaced);
    const SegmentReader written(replaced.file.path);
    SealedEvents after(written);
    SealedEvents(*before).each([&](const StoredEvent& event, std::string_view record) {
      tick();
      const std::string_view found = after.next();
      if (is_taken(event) ? found == redact_record(record) : found == record) return;
      throw CorruptionError(fmt::format("{}: event {} is not what was to be written",
                                        replaced.file.path.string(), event.position.value));
    });
    if (!after.next().empty()) {
      throw CorruptionError(replaced.file.path.string() + " has more events than it should");
    }
  }

  void publish() {
    publishing_ = true;
    site_.commit([&](BatchWriter& batch) {
      job_.published = true;
      put_job(batch.beside(), job_);
      AcceptedCommand told = begin_note(site_, options_.circumstances, batch);
      told.events.push_back(event());
      found_.event = batch.add(told);
      for (const RedactedScope& part : parts_) put_part(part, batch);
      for (const Replaced& replaced : files_) {
        if (replaced.segment) {
          put_segment(
              batch.beside(), replaced.scope,
              listed_segment(replaced.file, replaced.segment->before, replaced.segment->directory));
        } else {
          put_snapshot(
              batch.beside(), replaced.scope,
              listed_snapshot(replaced.file, replaced.snapshot->at, replaced.snapshot->previous));
        }
      }
      forget_rebased(batch.beside(), behind_);
    });
    site_.history.publish(read_catalogue(site_.storage));
  }

  // Of the scope's states the newest is known; what is older would tell what was taken.
  void put_part(const RedactedScope& part, BatchWriter& batch) const {
    const ScopeCatalogue& scope = catalogue_->of(part.scope);
    for (const Snapshot& snapshot : scope.snapshots) {
      if (is_newest(scope, snapshot) || snapshot.at == scope.base.discarded) continue;
      remove_snapshot(batch.beside(), part.scope, snapshot);
    }
    Redaction redaction{found_.tenant, part.last, scope.base.base, found_.event};
    for (const Redaction& earlier : scope.redactions) {
      if (earlier.tenant != found_.tenant) continue;
      redaction.through = std::max(redaction.through, earlier.through);
    }
    put_redaction(batch.beside(), part.scope, redaction);
  }

  [[nodiscard]] events::EncodedEvent event() const {
    std::vector<Sealed> segments;
    for (const Replaced& replaced : files_) {
      if (replaced.segment) segments.push_back(replaced.file);
    }
    events::Redacted redacted;
    redacted.store = site_.info.id;
    redacted.tenant = found_.tenant;
    redacted.through = found_.last.value;
    redacted.events = found_.events;
    redacted.archive_digest = hex(archive_digest(segments));
    return events::tenant_redacted(redacted, options_.circumstances);
  }

  [[nodiscard]] std::uint64_t store_bytes() const {
    std::uint64_t bytes = site_.storage.size_bytes();
    for (const auto& [scope, of_scope] : site_.history.now()->scopes) {
      bytes += archive_bytes(of_scope);
    }
    return bytes;
  }

  const SquashSite& site_;
  const SquashOptions& options_;
  const Progress& progress_;
  Position through_;
  RedactionReport found_;
  std::vector<RedactedScope> parts_;  // That have something to lose.
  std::vector<BehindConsumer> behind_;
  std::shared_ptr<const Catalogue> catalogue_;  // When the files are chosen.
  std::vector<Replaced> files_;
  SquashJob job_;
  std::uint64_t done_ = 0;
  std::uint64_t total_ = 0;
  bool publishing_ = false;  // From here on, what was written may be referred to.
};

}  // namespace

SquashReport plan_redaction(const SquashSite& site, const SquashOptions& options,
                            const Progress& progress) {
  return Redacting(site, options, progress).plan();
}

SquashReport run_redaction(const SquashSite& site, const SquashOptions& options,
                           const Progress& progress) {
  return Redacting(site, options, progress).run();
}

}  // namespace tenantry
