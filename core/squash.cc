#include "core/squash.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <set>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>

#include "core/block_counters.h"
#include "core/block_stream.h"
#include "core/consumers.h"
#include "core/error.h"
#include "core/file_damage.h"
#include "core/file_ops.h"
#include "core/hash.h"
#include "core/index_move.h"
#include "core/keys.h"
#include "core/planted.h"
#include "core/row_fold.h"
#include "core/scratch.h"
#include "core/sealing.h"
#include "core/segment.h"
#include "events/kinds.h"
#include "events/store_events.h"

namespace tenantry {
namespace {

namespace fs = std::filesystem;

// A file of the archive takes no more events once it has so many bytes of them.
constexpr std::uint64_t kSegmentBytes = std::uint64_t{256} << 20;
// Snapshots of a scope whose files are kept: the newest, and the one that it can be proved from.
constexpr std::size_t kSnapshotsKept = 2;
constexpr std::uint64_t kProgressEvents = 4096;

// One scope of a squash.
struct Part {
  events::Scope scope = events::Scope::SYSTEM;
  const ScopeCatalogue* before = nullptr;  // Borrowed from the catalogue.
  ScopePoint through;
  std::optional<Position> next;  // Of the first event behind it, if there was one.
  std::uint32_t epoch = 0;       // That the scope's index is in.
  bool is_end = false;           // The state as it was at the end follows from its events.
  std::uint64_t behind = 0;      // Events behind it that prove its snapshot.
  SquashedScope report;
  Counters removed;  // What the blocks that go account for.
  std::vector<Sealed> segments;
  std::optional<Sealed> snapshot;  // None where the last one is of this point.

  [[nodiscard]] const ScopePoint& base() const { return before->base.base; }
};

std::vector<KeyRange> removed_ranges(const Catalogue& catalogue, const SquashJob& job) {
  std::vector<KeyRange> ranges;
  for (const events::Scope scope : job.scopes) {
    const ScopeBase& base = catalogue.of(scope).base;
    ranges.push_back({Family::kLog, keys::block(scope, {0}),
                      keys::block(scope, {base.base.position.value + 1})});
    for (const char kind : {keys::kStreamIndex, keys::kTenantIndex, keys::kActorIndex}) {
      ranges.push_back({Family::kIndex, keys::index_prefix(kind, scope, 0, {}),
                        keys::index_prefix(kind, scope, base.first_epoch, {})});
    }
  }
  return ranges;
}

// Nothing depends on it but how large the store is.
void give_back(Storage& storage, const std::vector<KeyRange>& ranges) {
  storage.drop_files(ranges);
  storage.remove_ranges(ranges);
  storage.flush();
  for (const KeyRange& range : ranges) storage.compact(range);
}

// What rows were before stays in table files, and in the write-ahead log, until they are merged.
void forget_old_values(Storage& storage) {
  storage.flush();
  for (const events::ScopeInfo& info : events::scopes()) {
    const std::string first = keys::state_prefix(info.scope, 0).substr(0, 2);
    storage.compact({Family::kState, first, keys::after_prefix(first)});
  }
}

// What a published job has made superfluous goes from the database.
void carry_out(Storage& storage, const Catalogue& catalogue) {
  const std::vector<KeyRange> ranges = removed_ranges(catalogue, *catalogue.job);
  if (!ranges.empty()) give_back(storage, ranges);
  if (catalogue.job->redacts) forget_old_values(storage);
}

class Squash {
 public:
  Squash(const SquashSite& site, const SquashOptions& options, const Progress& progress)
      : site_(site), options_(options), progress_(progress) {}

  SquashReport plan() {
    Moment now = site_.look();
    choose(now);
    for (Part& part : parts_) read_part(part, *now.view, {});
    return report(now.head);
  }

  SquashReport run() {
    const auto started = site_.disk.now();
    const std::uint64_t bytes_before = store_bytes();
    end_earlier_squash(site_);
    Moment now = site_.look();
    choose(now);
    if (has_work()) {
      check_room();
      check_files();
      now.view.reset();
      now = squash();
    } else if (any_rebased(behind_)) {
      site_.commit([&](BatchWriter& batch) { forget_rebased(batch.beside(), behind_); });
    }
    SquashReport done = report(now.head);
    done.bytes_before = bytes_before;
    done.bytes_after = store_bytes();
    done.micros = static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(site_.disk.now() - started).count());
    return done;
  }

 private:
  // Of the scopes that were asked for, how far each can go.
  void choose(const Moment& now) {
    catalogue_ = site_.history.now();
    parts_.clear();
    Position wanted = options_.through.value_or(now.head.tail);
    if (wanted > now.head.tail) {
      throw UsageError("position_ahead",
                       fmt::format("the log ends at position {}", now.head.tail.value));
    }
    behind_.clear();
    require_consumers(*now.view, options_.rebase);
    held_.reset();
    for (const Consumer& consumer : read_consumers(*now.view)) {
      if (options_.redact) break;  // Whoever asked for it has looked.
      const bool outdated = is_outdated(consumer, site_.schema_version);
      if (!outdated && !misses_events(consumer, now.head, wanted)) continue;
      const bool holds = !options_.rebase.contains(consumer.name);
      behind_.push_back({consumer, holds, outdated});
      if (!holds) continue;
      const Position needed = outdated ? Position{} : consumer.checkpoint;
      held_ = std::min(held_.value_or(needed), needed);
    }
    wanted = std::min(wanted, held_.value_or(wanted));
    for (const events::ScopeInfo& info : events::scopes()) {
      if (!options_.scopes.empty() && !options_.scopes.contains(info.scope)) continue;
      Part part;
      part.scope = info.scope;
      part.before = &catalogue_->of(info.scope);
      part.through = part.base();
      part.report.scope = info.scope;
      const auto end = now.head.scopes.find(info.scope);
      if (end != now.head.scopes.end()) choose_end(part, *now.view, end->second, wanted);
      part.report.after = part.base().position;
      part.report.through = part.through.position;
      part.report.chain_hash = part.through.chain;
      if (options_.discard_history && has_work(part)) {
        part.report.discarded = part.base().seq - part.before->base.discarded.seq;
      }
      parts_.push_back(std::move(part));
    }
  }

  // Whether there are events up to `wanted`, of the scopes in question, that it has not seen; also
  // in the archive, if that goes.
  [[nodiscard]] bool misses_events(const Consumer& consumer, const Head& head,
                                   Position wanted) const {
    return std::ranges::any_of(events::scopes(), [&](const events::ScopeInfo& info) {
      const auto end = head.scopes.find(info.scope);
      const bool asked = options_.scopes.empty() || options_.scopes.contains(info.scope);
      if (!asked || end == head.scopes.end() || end->second.last <= consumer.checkpoint) {
        return false;
      }
      const Position archived =
          options_.discard_history ? catalogue_->of(info.scope).base.base.position : Position{};
      return consumer.checkpoint < std::max(wanted, archived);
    });
  }

  // No block is cut: what is left over waits for the next squash.
  void choose_end(Part& part, const StorageReader& view, const ScopeHead& end, Position wanted) {
    const std::string lower = keys::block(part.scope, {part.base().position.value + 1});
    const auto cursor =
        view.cursor(Family::kLog, lower, keys::after_prefix(lower.substr(0, 2)), /*scan=*/false);
    cursor->seek_for_prev(keys::block(part.scope, wanted));
    if (cursor->valid() && !options_.redact) {
      const Block block(cursor->key(), cursor->value());
      if (block.header().last > wanted) {
        part.next = block.header().first;
        part.report.uncut = static_cast<std::uint64_t>(std::ranges::count_if(
            block.records(), [&](const StoredEvent& event) { return event.position <= wanted; }));
        cursor->prev();
      }
    }
    if (cursor->valid()) {
      const Block block(cursor->key(), cursor->value());
      const StoredEvent& last = block.records().back();
      part.through = {last.position, last.scope_seq, last.chain_hash};
      if (!part.next) {
        cursor->next();
        if (cursor->valid()) part.next = Block(cursor->key(), cursor->value()).header().first;
      }
    } else if (cursor->seek_first(); cursor->valid()) {
      part.next = Block(cursor->key(), cursor->value()).header().first;
    }
    part.is_end = part.through.seq == end.seq;
    part.epoch = end.epoch;
  }

  [[nodiscard]] bool has_work(const Part& part) const {
    if (part.through.seq > part.base().seq) return true;
    // What somebody reads in the archive still is not discarded there either.
    const bool is_held = held_ && *held_ < part.base().position;
    return options_.discard_history && !is_held &&
           part.before->base.discarded.seq < part.base().seq;
  }
  [[nodiscard]] bool has_work() const {
    return std::ranges::any_of(parts_, [&](const Part& part) { return has_work(part); });
  }

  [[nodiscard]] std::uint64_t disk_bytes(const Part& part) const {
    std::uint64_t bytes =
        site_.storage.size_of({Family::kLog, keys::block(part.scope, {0}),
                               keys::block(part.scope, {part.through.position.value + 1})});
    for (const char kind : {keys::kStreamIndex, keys::kTenantIndex, keys::kActorIndex}) {
      bytes += site_.storage.size_of({Family::kIndex, keys::index_prefix(kind, part.scope, 0, {}),
                                      keys::index_prefix(kind, part.scope, UINT32_MAX, {})});
    }
    return bytes;
  }

  void check_room() const {
    std::uint64_t bytes = 0;
    for (const Part& part : parts_) {
      if (!has_work(part)) continue;
      const std::string state = keys::state_prefix(part.scope, 0);
      bytes += disk_bytes(part);
      bytes +=
          site_.storage.size_of({Family::kState, state, keys::after_prefix(state.substr(0, 2))});
      const std::string behind = keys::block(part.scope, {part.through.position.value + 1});
      bytes +=
          site_.storage.size_of({Family::kLog, behind, keys::after_prefix(behind.substr(0, 2))});
    }
    // What is computed aside lies in the store.
    const fs::path store = site_.history.archive().parent_path();
    require_room(store, bytes);
    if (options_.archive.empty()) return;
    std::error_code error;
    require_room(
        fs::exists(options_.archive, error) ? options_.archive : options_.archive.parent_path(),
        bytes);
  }

  void require_room(const fs::path& there, std::uint64_t bytes) const {
    const std::uint64_t free = site_.disk.free_space(there);
    if (free >= 2 * bytes) return;
    const char* const hint =
        options_.archive.empty()
            ? "free disk space, squash one scope at a time, or name another place with --archive"
            : "free disk space, or squash one scope at a time";
    throw UnavailableError(
        fmt::format("the disk under {} has {} MiB free, a squash needs some {} MiB", there.string(),
                    free >> 20U, (2 * bytes >> 20U) + 1),
        hint, "disk_low");
  }

  // A damaged block would pass for less than there is.
  void check_files() const {
    const std::vector<FileDamage> damaged =
        site_.storage.damaged_files([&](std::uint64_t, std::uint64_t) { tick(); });
    if (!damaged.empty()) throw CorruptionError(describe(damaged));
  }

  // Lets whoever waits stop it.
  void tick() const {
    if (progress_) progress_(read_, total());
  }

  // --- Its steps.

  // Ended before it was published, it leaves nothing, whatever ends it.
  class Unpublished {
   public:
    explicit Unpublished(Squash& squash) : squash_(squash) {}
    Unpublished(const Unpublished&) = delete;
    Unpublished& operator=(const Unpublished&) = delete;
    ~Unpublished() {
      if (!squash_.publishing_) forget_job(squash_.site_);
    }

   private:
    Squash& squash_;
  };

  Moment squash() {
    begin();
    const Unpublished unpublished(*this);
    Moment now = site_.look();
    choose(now);
    for (Part& part : parts_) {
      if (part.through.seq > part.base().seq)
        part.behind = now.head.scopes.at(part.scope).seq - part.through.seq;
    }
    make_directories();
    for (Part& part : parts_) {
      if (has_work(part)) write_part(part, now);
    }
    for (Part& part : parts_) {
      for (const Sealed& file : part.segments) prove_sealed(file, [&] { tick(); });
      if (part.snapshot) prove_snapshot(part, now.head);
    }
    if (planted(Plant::kReclaimBeforePublish)) remove_events_of(parts_);
    now.view.reset();
    move_indexes();
    publish();
    try {
      finish_job(site_);
    } catch (const UnavailableError& error) {
      throw UnavailableError(
          fmt::format("the squash is done, but the room that it frees is not given back yet: {}",
                      error.what()),
          "free disk space if that is what is missing; the next opening of the store goes on");
    }
    return now;
  }

  // The index goes on in new epochs, so that what is indexed until now can go as a whole.
  void begin() {
    site_.mark_format(kFeatureSquashed);
    site_.commit([&](BatchWriter& batch) {
      SquashJob job;
      job.directory = options_.archive.string();
      for (const Part& part : parts_) {
        if (!has_work(part)) continue;
        job.scopes.push_back(part.scope);
        ScopeBase base = part.before->base;
        base.closed.push_back(batch.begin_epoch(part.scope));
        put_base(batch.beside(), part.scope, base);
      }
      put_job(batch.beside(), job);
    });
    site_.history.publish(read_catalogue(site_.storage));
  }

  void make_directories() const {
    make_private_directory(site_.history.archive());
    if (!options_.archive.empty()) make_private_directory(options_.archive);
  }

  [[nodiscard]] fs::path place_of(SegmentKind kind) const {
    const bool elsewhere = kind == SegmentKind::kEvents && !options_.archive.empty();
    return elsewhere ? options_.archive : site_.history.archive();
  }

  [[nodiscard]] Sealed new_file(const Part& part, SegmentStart start) {
    start.store = site_.info.id;
    start.scope = part.scope;
    return new_sealed(place_of(start.kind), start, files_++);
  }

  // Visits the events of a part, in the log as `view` shows it, each proved to follow the one
  // before; `take` may be empty.
  using Take = std::function<void(const Block&, std::size_t)>;
  void read_part(Part& part, const StorageReader& view, const Take& take) {
    SquashedScope& report = part.report;
    if (part.through.seq == part.base().seq) return;
    report.disk_bytes = disk_bytes(part);
    ScopePoint at = part.base();
    const auto blocks =
        scan_blocks(view, part.scope, part.base(), at.position, part.through.position, false);
    for (auto block = blocks->next(); block; block = blocks->next()) {
      if (block->header().first > part.through.position) break;
      for (std::size_t n = 0; n < block->records().size(); ++n) {
        const StoredEvent& event = block->records()[n];
        if (event.scope_seq != at.seq + 1 ||
            chain_hash(at.chain, block->hashed_header(n), event.payload) != event.chain_hash) {
          throw CorruptionError(fmt::format("the hash chain of scope {} breaks at position {}",
                                            events::scope_name(part.scope), event.position.value));
        }
        at = {event.position, event.scope_seq, event.chain_hash};
        if (report.events == 0) report.first_time = event.recorded_at;
        report.last_time = event.recorded_at;
        ++report.events;
        ++report.kinds[event.kind];
        report.log_bytes += record_bytes(event);
        if (take) take(*block, n);
        if (++read_ % kProgressEvents == 0) tick();
      }
      count_block(*block, epoch_of(part.before->base, block->header().first, part.epoch),
                  part.removed);
    }
    if (at == part.through) return;
    throw CorruptionError(fmt::format("scope {}: the log goes on to event {}, not to {}",
                                      events::scope_name(part.scope), at.seq, part.through.seq));
  }

  [[nodiscard]] std::uint64_t total() const {
    std::uint64_t events = 0;
    for (const Part& part : parts_) events += part.through.seq - part.base().seq + part.behind;
    return events;
  }

  // Writes what goes, and the state that it led to, which is computed anew. If that is the state as
  // it is now, the snapshot is taken from there; otherwise it is what was computed, and so that it
  // does not prove itself, the events behind it must lead from what was written to what is there
  // now.
  void write_part(Part& part, const Moment& now) {
    if (part.through.seq == part.base().seq) return;  // What is archived already is discarded.
    {  // What is computed aside takes room, and goes before more is.
      RowFold rows(site_.scratch, part.through.seq);
      begin_fold(part, rows);
      write_segments(part, *now.view, rows);
      if (part.is_end) {
        write_snapshot(part, *now.view);
        expected_.emplace_back(&part - parts_.data(), count_entries(part, rows));
        return;
      }
      Scratch sorted(site_.scratch, part.through.seq);
      expected_.emplace_back(&part - parts_.data(), rows.write_entries(part.scope, sorted));
      write_snapshot(part, sorted.storage());
    }
    const ScopeHead& end = now.head.scopes.at(part.scope);
    RowFold later(site_.scratch, end.seq);
    take_snapshot(SegmentReader(part.snapshot->path), later);
    take_rest(part, *now.view, end.last, later);
    require_equal(part, now.head.counters, count_entries(part, later), "the head counts",
                  "the events lead to");
  }

  // Visits what goes: `rows` takes it, and the files of the archive, if it is kept.
  void write_segments(Part& part, const StorageReader& view, RowFold& rows) {
    std::unique_ptr<SegmentWriter> writer;
    const auto seal = [&] {
      if (writer) part.segments.back().end = writer->finish();
      writer.reset();
    };
    read_part(part, view, [&](const Block& block, std::size_t n) {
      const StoredEvent& event = block.records()[n];
      rows.take(event);
      if (options_.discard_history) return;
      if (writer && writer->raw_bytes() >= kSegmentBytes) seal();
      if (!writer) {
        SegmentStart start;
        start.seq = event.scope_seq;
        start.chain =
            part.segments.empty() ? part.base().chain : part.segments.back().end.last_chain;
        Sealed file = new_file(part, start);
        writer = std::make_unique<SegmentWriter>(file.path, file.start);
        part.segments.push_back(std::move(file));
      }
      const auto stored = events::EventView::over(event.payload, events::Origin::kStored);
      writer->add_event(event, block.record(n), stored.other_tenant());
    });
    seal();
  }

  [[nodiscard]] static Counters count_entries(const Part& part, RowFold& rows) {
    Counters counters;
    rows.emit(part.scope, [&](const std::string& key, const std::string& value) {
      counters.add(Family::kState, key, value);
    });
    return counters;
  }

  // What the log has behind the part.
  void take_rest(const Part& part, const StorageReader& view, Position end, RowFold& rows) {
    const auto blocks =
        scan_blocks(view, part.scope, part.base(), part.through.position, end, false);
    for (auto block = blocks->next(); block; block = blocks->next()) {
      for (const StoredEvent& event : block->records()) {
        rows.take(event);
        if (++read_ % kProgressEvents == 0) tick();
      }
    }
  }

  void begin_fold(const Part& part, RowFold& rows) const {
    if (part.base().seq == 0) return;
    if (part.before->snapshots.empty() || part.before->snapshots.back().at != part.base()) {
      throw CorruptionError(fmt::format("scope {}: there is no snapshot of where its log begins",
                                        events::scope_name(part.scope)));
    }
    take_snapshot(*site_.history.open(part.before->snapshots.back()), rows);
  }

  static void take_snapshot(const SegmentReader& snapshot, RowFold& rows) {
    for (std::size_t block = 0; block < snapshot.blocks().size(); ++block) {
      (void)snapshot.visit_entries(block, [&](std::string_view key, std::string_view value) {
        rows.take_entry(key, value);
        return true;
      });
    }
  }

  void write_snapshot(Part& part, const StorageReader& from) {
    SegmentStart start;
    start.kind = SegmentKind::kState;
    start.seq = part.through.seq;
    start.chain = part.through.chain;
    start.position = part.through.position;
    Sealed file = new_file(part, start);
    SegmentWriter writer(file.path, file.start);
    const std::string first = keys::state_prefix(part.scope, 0).substr(0, 2);
    const auto cursor = from.cursor(Family::kState, first, keys::after_prefix(first), true);
    std::uint64_t entries = 0;
    for (cursor->seek_first(); cursor->valid(); cursor->next()) {
      writer.add_entry(cursor->key(), cursor->value());
      if (++entries % kProgressEvents == 0) tick();
    }
    file.end = writer.finish();
    part.snapshot = std::move(file);
  }

  // What it holds must be what follows from the last snapshot and the events since then; and where
  // it is of the end of the log, what the head counts.
  void prove_snapshot(const Part& part, const Head& head) const {
    prove_sealed(*part.snapshot, [&] { tick(); });
    Counters found;
    const SegmentReader reader(part.snapshot->path);
    for (std::size_t block = 0; block < reader.blocks().size(); ++block) {
      (void)reader.visit_entries(block, [&](std::string_view key, std::string_view value) {
        found.add(Family::kState, key, value);
        return true;
      });
    }
    const auto expected = std::ranges::find(expected_, &part - parts_.data(),
                                            &std::pair<std::ptrdiff_t, Counters>::first);
    TENANTRY_ASSERT(expected != expected_.end());
    require_equal(part, expected->second, found, "the events lead to", "the snapshot holds");
    if (part.is_end) {
      require_equal(part, head.counters, found, "the head counts", "the snapshot holds");
    }
  }

  static void require_equal(const Part& part, const Counters& expected, const Counters& found,
                            const char* which, const char* what) {
    std::set<CounterKey> all;
    for (const auto& [key, sum] : expected.sums()) all.insert(key);
    for (const auto& [key, sum] : found.sums()) all.insert(key);
    for (const CounterKey& key : all) {
      if (key.family != Family::kState || key.scope != static_cast<std::uint16_t>(part.scope)) {
        continue;
      }
      if (expected.sum(key) == found.sum(key)) continue;
      throw CorruptionError(
          fmt::format("scope {}: of the state's entries of kind {:#04x} {} {}, {} {}{}; nothing "
                      "was removed, `tenantry verify --full` tells more",
                      events::scope_name(part.scope), key.kind, which, expected.sum(key).rows, what,
                      found.sum(key).rows,
                      expected.sum(key).rows == found.sum(key).rows ? " with other content" : ""));
    }
  }

  void look_again() {
    catalogue_ = site_.history.now();
    for (Part& part : parts_) part.before = &catalogue_->of(part.scope);
  }

  // An epoch of which blocks stay in the log would stay with all that it has of those that leave.
  // Where more stays than leaves this is not worth the work.
  void move_indexes() {
    for (const Part& part : parts_) {
      const std::uint64_t leaving = part.through.seq - part.base().seq;
      if (leaving == 0 || part.behind > leaving) continue;
      move_index(site_, part.scope, part.through, [&] { tick(); });
    }
    look_again();
  }

  // Gives the files their names. Those elsewhere are told first, so that none is left behind.
  void place_files() {
    SquashJob job = catalogue_->job.value_or(SquashJob{});
    std::vector<Sealed*> files;
    for (Part& part : parts_) {
      for (Sealed& file : part.segments) files.push_back(&file);
      if (part.snapshot) files.push_back(&*part.snapshot);
      for (Sealed* file : files) {
        if (file->name.empty()) file->name = sealed_name(*file);
      }
    }
    for (const Sealed* file : files) {
      std::error_code error;
      const fs::path place = place_of(file->start.kind);
      if (place == site_.history.archive()) continue;
      // One that is there is not ours to remove; it has the same content.
      if (!fs::exists(place / file->name, error)) job.files.push_back(file->name);
    }
    if (!job.files.empty()) {
      site_.commit([&](BatchWriter& batch) { put_job(batch.beside(), job); });
      site_.history.publish(read_catalogue(site_.storage));
      look_again();
    }
    for (Sealed* file : files) place_sealed(*file, place_of(file->start.kind));
  }

  // From here on the scopes begin behind what was written.
  void publish() {
    place_files();
    publishing_ = true;
    site_.commit([&](BatchWriter& batch) {
      SquashJob job = catalogue_->job.value_or(SquashJob{});
      job.published = true;
      job.scopes.clear();  // One that had nothing to leave when it began may have by now.
      AcceptedCommand told = begin_note(site_, options_.circumstances, batch);
      for (Part& part : parts_) {
        if (!has_work(part)) continue;
        job.scopes.push_back(part.scope);
        put_part(part, batch);
        told.events.push_back(event_of(part));
      }
      forget_rebased(batch.beside(), behind_);
      put_job(batch.beside(), job);
      (void)batch.add(told);
    });
    site_.history.publish(read_catalogue(site_.storage));
  }

  void put_part(const Part& part, BatchWriter& batch) const {
    ScopeBase base = part.before->base;
    base.base = part.through;
    base.removed.add(part.removed);
    // An epoch under which nothing is left goes whole.
    std::erase_if(base.closed, [&](const ClosedEpoch& closed) {
      return !part.next || *part.next > closed.last;
    });
    base.first_epoch =
        base.closed.empty() ? batch.head().scopes.at(part.scope).epoch : base.closed.front().epoch;
    base.removed.forget_epochs(static_cast<std::uint16_t>(part.scope), base.first_epoch);
    batch.forget_epochs(part.scope, base.first_epoch);
    if (options_.discard_history) {
      base.discarded = part.through;
      for (const ArchiveSegment& segment : part.before->segments) {
        remove_segment(batch.beside(), part.scope, segment);
      }
      for (const Redaction& redaction : part.before->redactions) {
        remove_redaction(batch.beside(), part.scope, redaction);
      }
    }
    put_base(batch.beside(), part.scope, base);
    ScopePoint before = part.base();
    for (const Sealed& file : part.segments) {
      const ArchiveSegment segment = listed_segment(file, before, options_.archive.string());
      put_segment(batch.beside(), part.scope, segment);
      before = segment.through;
    }
    const std::vector<Snapshot>& old = part.before->snapshots;
    const auto previous =
        old.empty() ? std::optional<Hash>() : std::optional(old.back().content_digest);
    if (part.snapshot) {
      put_snapshot(batch.beside(), part.scope,
                   listed_snapshot(*part.snapshot, part.through, previous));
    }
    drop_snapshots(part, base, batch);
  }

  // Of older snapshots none proves anything once the events behind it are discarded.
  void drop_snapshots(const Part& part, const ScopeBase& base, BatchWriter& batch) const {
    if (!part.snapshot && !options_.discard_history) return;
    const std::vector<Snapshot>& old = part.before->snapshots;
    const std::size_t kept = options_.discard_history ? 1 : kSnapshotsKept;
    for (std::size_t n = 0; n + kept < old.size() + (part.snapshot ? 1 : 0); ++n) {
      // What is left goes on from this one.
      if (base.discarded.seq > 0 && old[n].at == base.discarded) continue;
      // What was known since a redaction stays known.
      if (!options_.discard_history && &old[n] == part.before->known_from()) continue;
      remove_snapshot(batch.beside(), part.scope, old[n]);
    }
  }

  [[nodiscard]] events::EncodedEvent event_of(Part& part) const {
    finish_report(part);
    const SquashedScope& report = part.report;
    events::Squashed squashed;
    squashed.store = site_.info.id;
    squashed.scope = part.scope;
    squashed.through = part.through.position.value;
    squashed.events = report.events;
    squashed.log_bytes = report.log_bytes;
    squashed.chain_hash = hex(part.through.chain);
    squashed.snapshot_digest = hex(report.snapshot_digest);
    squashed.archive_digest = hex(report.archive_digest);
    squashed.snapshot_bytes = report.snapshot_bytes;
    squashed.archive_bytes = report.archive_bytes;
    squashed.archive_directory = options_.archive.string();
    squashed.history_discarded = options_.discard_history;
    return events::scope_squashed(squashed, options_.circumstances);
  }

  static void finish_report(Part& part) {
    SquashedScope& report = part.report;
    report.segments = part.segments.size();
    report.archive_bytes = 0;
    for (const Sealed& file : part.segments) report.archive_bytes += file.end.file_bytes;
    report.archive_digest = archive_digest(part.segments);
    if (part.snapshot) {
      report.snapshot_entries = part.snapshot->end.entries;
      report.snapshot_bytes = part.snapshot->end.file_bytes;
      report.snapshot_digest = part.snapshot->end.content_digest;
    } else if (!part.before->snapshots.empty()) {
      report.snapshot_digest = part.before->snapshots.back().content_digest;
    }
  }

  void remove_events_of(const std::vector<Part>& parts) const {
    for (const Part& part : parts) {
      give_back(site_.storage, {{Family::kLog, keys::block(part.scope, {0}),
                                 keys::block(part.scope, {part.through.position.value + 1})}});
    }
  }

  [[nodiscard]] std::uint64_t store_bytes() const {
    std::uint64_t bytes = site_.storage.size_bytes();
    for (const auto& [scope, of_scope] : site_.history.now()->scopes) {
      bytes += archive_bytes(of_scope);
    }
    return bytes;
  }

  [[nodiscard]] SquashReport report(const Head& head) {
    SquashReport report;
    report.archive = options_.archive.empty() ? site_.history.archive() : options_.archive;
    report.discarded = options_.discard_history;
    report.tail = head.tail;
    report.bytes_before = store_bytes();
    report.behind = behind_;
    for (Part& part : parts_) {
      if (part.report.discarded > 0) add_elsewhere(site_.history, *part.before, report.left);
      report.scopes.push_back(std::move(part.report));
    }
    return report;
  }

  const SquashSite& site_;
  const SquashOptions& options_;
  const Progress& progress_;
  std::shared_ptr<const Catalogue> catalogue_;
  std::vector<Part> parts_;
  std::vector<BehindConsumer> behind_;
  std::optional<Position> held_;  // What lies behind it somebody needs; none: nobody.
  std::vector<std::pair<std::ptrdiff_t, Counters>> expected_;  // By part: what its events lead to.
  std::size_t files_ = 0;
  std::uint64_t read_ = 0;
  bool publishing_ = false;  // From here on, what was written may be referred to.
};

}  // namespace

SquashReport plan_squash(const SquashSite& site, const SquashOptions& options,
                         const Progress& progress) {
  return Squash(site, options, progress).plan();
}

SquashReport run_squash(const SquashSite& site, const SquashOptions& options,
                        const Progress& progress) {
  return Squash(site, options, progress).run();
}

void finish_job(const SquashSite& site) {
  const std::shared_ptr<const Catalogue> catalogue = site.history.now();
  if (catalogue->job) carry_out(site.storage, *catalogue);
  sweep_archive(site.history, site.info.id);
  drop_job(site);
}

void end_earlier_squash(const SquashSite& site) {
  Catalogue stored = read_catalogue(site.storage);
  const bool begun = stored.job.has_value();
  // One that failed has changed where epochs end, and may not have come to publishing it.
  site.history.publish(std::move(stored));
  if (!begun) return;
  site.commit([](BatchWriter& /*batch*/) {});  // Behind it no write is in doubt.
  site.history.publish(read_catalogue(site.storage));
  finish_job(site);
}

void finish_squash(Storage& storage, LogHistory& history, const events::Uuid& store) {
  const std::shared_ptr<const Catalogue> catalogue = history.now();
  if (!catalogue->job) return;
  if (catalogue->job->published) carry_out(storage, *catalogue);
  sweep_archive(history, store);
  ChangeSet changes;
  remove_job(changes);
  if (storage.write(changes, /*sync=*/true) != WriteResult::kDone) {
    throw UnavailableError("cannot finish a squash: " + storage.last_error());
  }
  history.publish(read_catalogue(storage));
}

}  // namespace tenantry
