#include "core/store.h"

#include <algorithm>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "core/backup.h"
#include "core/command_reader.h"
#include "core/consumers.h"
#include "core/error.h"
#include "core/keys.h"
#include "core/log_reader.h"
#include "core/past_state.h"
#include "core/planted.h"
#include "core/redact.h"
#include "core/resolver.h"
#include "core/squash.h"
#include "core/store_files.h"
#include "core/verify.h"
#include "core/writer.h"
#include "events/kinds.h"
#include "events/store_events.h"

namespace tenantry {
namespace {

// After this many events closing moves what they wrote out of the write-ahead log, so that opening
// again has little to replay: some 2 MB.
constexpr std::uint64_t kFlushEvents = 2000;
// RocksDB begins a log each time it is opened, and keeps those that stay empty until something is
// flushed. A store that is opened often and seldom written would collect them.
constexpr std::size_t kLogFilesMax = 16;

LogTail tail_of(const StoreInfo& info, const Head& head) {
  return {head.tail, head.last_recorded, head_digest(info.id, head)};
}

// It is found again from wherever the store is opened.
void require_archive_place(const SquashOptions& options) {
  if (options.archive.empty() || options.archive.is_absolute()) return;
  throw UsageError("usage", options.archive.string() + " is no absolute path",
                   "name the archive's directory from the root");
}

// Commands that are decided but never written: effects pile up in memory.
class StoreRehearsal final : public Rehearsal {
 public:
  StoreRehearsal(const StoreInfo& info, Moment now, const Clock& clock, IdSource& ids)
      : view_(std::move(now.view)),
        state_(*view_, State::Reads::kKeep),
        runner_(info, *view_, clock, ids),
        batch_(info, now.head, now.head.term + 1, state_) {}

  std::vector<Answer> submit(std::span<const events::CommandRequest> commands,
                             SubmitOptions options) override {
    std::vector<Answer> answers;
    for (const events::CommandRequest& command : commands) {
      CommandRunner::Decided decided = runner_.decide_command(command, state_, batch_.head());
      if (decided.has_effect) runner_.add(decided, batch_);
      batch_.forget_records();
      const bool refused = decided.answer.status != Answer::Status::kAccepted;
      answers.push_back(std::move(decided.answer));
      if (refused && options.stop_on_refusal) break;
    }
    return answers;
  }

 private:
  const std::unique_ptr<StorageReader> view_;  // What is committed meanwhile does not show.
  State state_;
  CommandRunner runner_;
  BatchWriter batch_;
};

class Store final : public TenancyStore {
 public:
  Store(OpenedStore opened, const StoreOptions& options, const Clock& clock, IdSource& ids)
      : opened_(std::move(opened)),
        clock_(clock),
        ids_(ids),
        warn_(options.warn),
        schema_version_(options.schema_version),
        log_(make_embedded_log(*opened_.storage, opened_.info)),
        writer_({opened_.info, *opened_.storage, *log_, clock, ids, options.group_commands_max,
                 [this](const Head& head) { resolved_.advance(head.batch_seq); },
                 [this](const Head& head) { opened_.ack->note(ack_of(opened_.info, head)); },
                 [this](std::size_t bytes) { opened_.ballast->admit(bytes); }},
                opened_.head) {
    resolved_.advance(opened_.head.batch_seq);
    if (warn_ && !opened_.remark.empty()) warn_(opened_.remark);
  }
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // Nothing that was answered depends on what happens here: failing to tidy up costs time at the
  // next opening.
  ~Store() override {
    try {
      writer_.close();
      if (!opened_.ack) return;  // Only read.
      // Nobody knows where the log ends: the next opening finds out. What was acknowledged stays.
      if (writer_.broken()) return;
      const Head head = writer_.head();
      if (head.tail.value - opened_.head.tail.value > kFlushEvents) opened_.storage->flush();
      if (opened_.storage->log_files() > kLogFilesMax) drop_empty_logs(head);
      opened_.ack->close(ack_of(opened_.info, head));
    } catch (const std::exception& error) {
      if (warn_) warn_("closing " + opened_.paths.directory.string() + ": " + error.what());
    }
  }

  StoreIdentity identity() const override { return {opened_.info.id, opened_.head.incarnation}; }

  LogTail tail() const override { return tail_of(opened_.info, writer_.head()); }

  void read_after(Position after, Position through,
                  const std::function<bool(const StoredEvent&)>& visit) const override {
    reader().read_after(after, through, visit);
  }

  RowsAt rows_now() const override {
    struct Held {
      explicit Held(Moment moment) : now(std::move(moment)), state(*now.view) {}
      Moment now;
      State state;
    };
    const auto held = std::make_shared<Held>(look());
    return {tail_of(opened_.info, held->now.head), {held, &held->state}};
  }

  std::optional<Hash> chain_hash_at(Position position) const override {
    if (position.value == 0) return Hash{};
    std::optional<Hash> found;
    reader().read_one(position, [&](const StoredEvent& event) {
      found = event.chain_hash;
      return false;
    });
    const std::shared_ptr<const Catalogue> catalogue = opened_.history->now();
    if (!found && position <= catalogue->discarded()) {
      for (const auto& [scope, of_scope] : catalogue->scopes) {
        const ScopePoint& last = of_scope.base.discarded;
        if (last.position == position) return last.chain;
      }
      throw_history_discarded(
          fmt::format("a squash has discarded the event at position {}", position.value),
          "a read model that stopped there is brought up by `tenantry rebuild`");
    }
    return found;
  }

  std::vector<Answer> submit(std::span<const events::CommandRequest> commands,
                             SubmitOptions options) override {
    require_writable();
    return writer_.submit(commands, options);
  }

  void submit_then(std::vector<events::CommandRequest> commands, SubmitOptions options,
                   OnSubmitted done) override {
    require_writable();
    writer_.submit_then(std::move(commands), options, std::move(done));
  }

  std::unique_ptr<Rehearsal> rehearse() override {
    return std::make_unique<StoreRehearsal>(opened_.info, look(), clock_, ids_);
  }

  Position await_tail(Position beyond, std::chrono::milliseconds timeout) const override {
    return writer_.await_tail(beyond, timeout);
  }

  void read_log(const LogFilter& filter,
                const std::function<bool(const StoredEvent&)>& visit) const override {
    reader().read(filter, visit);
  }

  Position discarded() const override { return opened_.history->now()->discarded(); }

  Position complete_after() const override { return opened_.history->now()->complete_after(); }

  Beginning read_beginning(Position through, const VisitEntry& visit) const override {
    return reader().read_beginning(through, visit);
  }

  Position position_at(events::Timestamp time) const override { return reader().position_at(time); }

  RowsAt rows_at(Position position, const Progress& progress) const override {
    return past_rows(*this, opened_.paths.scratch(), position, progress);
  }

  void fold_rows(Position through, const std::function<bool(const StoredEvent&)>& seen,
                 const std::function<bool(const FoldedRow&)>& visit) const override {
    fold_log_rows(*this, opened_.paths.scratch(), through, seen, visit);
  }

  void read_commands(const LogFilter& filter, const Progress& progress,
                     const VisitCommand& visit) const override {
    tenantry::read_commands(*this, opened_.paths.scratch(), filter, reader().filter(filter),
                            progress, visit);
  }

  std::optional<ResolveOutcome> resolve_at_once(const ResolveQuery& query) const override {
    return resolved_.find(query);
  }

  ResolveOutcome resolve(const ResolveQuery& query) const override {
    if (auto kept = resolved_.find(query)) return std::move(*kept);
    const Moment now = look();
    ResolveOutcome found = resolve_tenant(State(*now.view), query);
    resolved_.keep(query, found, now.head.batch_seq);
    return found;
  }

  StoreStatus status() const override {
    const Head head = writer_.head();
    StoreStatus status;
    status.identity = identity();
    status.tail = tail_of(opened_.info, head);
    status.created_at = opened_.info.created_at;
    status.directory = opened_.paths.directory.string();
    status.bytes = opened_.storage->size_bytes();
    status.term = head.term;
    status.batches = head.batch_seq;
    const std::shared_ptr<const Catalogue> catalogue = opened_.history->now();
    for (const auto& [scope, end] : head.scopes) {
      status.scopes.push_back(status_of(scope, end, catalogue->of(scope)));
      status.bytes += status.scopes.back().archive_bytes;
    }
    note_last_squashes(head, status.scopes);
    status.repairs = read_repairs(*opened_.storage);
    status.discarded = catalogue->discarded();
    status.consumers = read_consumers(*opened_.storage);
    for (const events::TableInfo& table : events::tables()) {
      const CounterKey key{Family::kState, static_cast<std::uint16_t>(table.scope),
                           static_cast<std::uint8_t>(table.entity), 0};
      status.rows.emplace_back(table.name, head.counters.sum(key).rows);
    }
    return status;
  }

  void note_consumer(const std::string& name, Position checkpoint, bool filled_anew) override {
    require_writable();
    const std::lock_guard lock(consumers_);
    const auto known = find_consumer(*opened_.storage, name);
    // What somebody else has filled is of a version that nobody has noted.
    const std::uint32_t kept = known ? known->schema_version : 0;
    const Consumer consumer{name, checkpoint, clock_.now(), filled_anew ? schema_version_ : kept};
    if (known && known->checkpoint == checkpoint &&
        known->schema_version == consumer.schema_version) {
      return;
    }
    writer_.commit([&](BatchWriter& batch) { put_consumer(batch.beside(), consumer); });
  }

  bool forget_consumer(const std::string& name) override {
    require_writable();
    const std::lock_guard lock(consumers_);
    if (!find_consumer(*opened_.storage, name)) return false;
    writer_.commit([&](BatchWriter& batch) { remove_consumer(batch.beside(), name); });
    return true;
  }

  BackupReport back_up(const std::filesystem::path& directory, const Progress& progress) override {
    require_writable();
    if (writer_.broken()) {
      throw UnavailableError("a write failed and nobody knows whether it reached the disk",
                             "open the store again, then copy it");
    }
    const std::unique_lock keeping = keep_files();
    const Head before = writer_.head();
    return make_backup(
        {*opened_.storage, opened_.info, before, opened_.paths.directory, *opened_.disk}, directory,
        clock_.now(), ids_, progress);
  }

  SquashReport plan_squash(const SquashOptions& options, const Progress& progress) const override {
    require_archive_place(options);
    return options.redact ? plan_redaction(squash_site(), options, progress)
                          : tenantry::plan_squash(squash_site(), options, progress);
  }

  SquashReport squash(const SquashOptions& options, const Progress& progress) override {
    require_writable();
    require_archive_place(options);
    const std::unique_lock keeping = keep_files();
    return options.redact ? run_redaction(squash_site(), options, progress)
                          : run_squash(squash_site(), options, progress);
  }

  std::vector<CheckResult> verify(VerifyDepth depth, const Progress& progress) const override {
    while (true) {
      const std::shared_ptr<const Catalogue> catalogue = opened_.history->now();
      const Moment now = look();
      // As it is in what is looked at.
      const LogHistory history(opened_.paths.archive(), read_catalogue(*now.view));
      std::vector<CheckResult> checks = verify_store(
          {*opened_.storage, *now.view, opened_.info, now.head, history, opened_.paths.scratch()},
          depth, progress);
      // Files that a squash has removed meanwhile are not missing.
      const bool all_passed = std::ranges::all_of(checks, &CheckResult::passed);
      if (all_passed || catalogue == opened_.history->now()) return checks;
    }
  }

 private:
  [[nodiscard]] ScopeStatus status_of(events::Scope scope, const ScopeHead& end,
                                      const ScopeCatalogue& catalogue) const {
    const ScopeBase& base = catalogue.base;
    ScopeStatus status;
    status.scope = scope;
    status.events = end.seq;
    status.last = end.last;
    status.base = base.base.position;
    status.archived = base.base.seq - base.discarded.seq;
    status.archive_bytes = archive_bytes(catalogue);
    status.discarded = base.discarded.seq;
    const std::string first = keys::block(scope, {base.base.position.value + 1});
    status.live_bytes =
        opened_.storage->size_of({Family::kLog, first, keys::after_prefix(first.substr(0, 2))});
    for (const char kind : {keys::kStreamIndex, keys::kTenantIndex, keys::kActorIndex}) {
      status.live_bytes += opened_.storage->size_of(
          {Family::kIndex, keys::index_prefix(kind, scope, base.first_epoch, {}),
           keys::index_prefix(kind, scope, UINT32_MAX, {})});
    }
    return status;
  }

  // The events that tell of squashes never leave the log.
  void note_last_squashes(const Head& head, std::vector<ScopeStatus>& scopes) const {
    auto left = std::ranges::count_if(
        scopes, [](const ScopeStatus& scope) { return scope.base.value > 0; });
    if (left == 0) return;
    LogFilter filter;
    filter.scope = events::Scope::SYSTEM;
    filter.kinds = {events::find_kind("ScopeSquashed")->number};
    filter.reverse = true;
    const LogReader reader(*opened_.storage, opened_.info, head, *opened_.history);
    reader.read(filter, [&](const StoredEvent& event) {
      const events::Squashed told = events::read_squashed(events::EventView(event.payload));
      const auto scope = std::ranges::find(scopes, told.scope, &ScopeStatus::scope);
      if (scope == scopes.end() || scope->squash.value > 0) return true;
      scope->squash = event.position;
      scope->squashed_at = event.recorded_at;
      return --left > 0;
    });
  }

  void require_writable() const {
    if (!opened_.ack) throw UsageError("read_only", "the store is open for reading only");
    if (const std::string error = opened_.ack->error(); !error.empty()) {
      throw UnavailableError(error + "; what was answered can no longer be noted",
                             "look at the disk, open the store again and repeat the commands with "
                             "their ids");
    }
  }

  // Whoever asks the store afterwards meets no older head.
  [[nodiscard]] Moment look() const {
    auto view = opened_.storage->read_view();
    Head head = stored_head(*view);
    Moment now{std::move(view), std::move(head)};
    if (!planted(Plant::kLateHead)) writer_.saw(now.head);
    return now;
  }

  [[nodiscard]] LogReader reader() const {
    return {*opened_.storage, opened_.info, writer_.head(), *opened_.history};
  }

  [[nodiscard]] SquashSite squash_site() const {
    return {*opened_.storage,
            opened_.info,
            *opened_.history,
            opened_.paths.scratch(),
            [this](std::uint64_t features) { mark_features(opened_.paths, features); },
            clock_,
            [this](Writer::Act act) { writer_.commit(std::move(act)); },
            [this] { return look(); },
            *opened_.disk,
            schema_version_};
  }

  // Whoever copies sealed files, or removes some, does it alone.
  [[nodiscard]] std::unique_lock<std::mutex> keep_files() {
    std::unique_lock lock(keeping_, std::try_to_lock);
    if (lock.owns_lock()) return lock;
    throw UnavailableError("another squash or backup of this store is under way",
                           "wait until it is done");
  }

  // Only what is there can be flushed: the head is written as it stands.
  void drop_empty_logs(const Head& head) {
    ChangeSet same;
    same.put(Family::kMeta, "head", encode_head(head));
    if (opened_.storage->write(same, /*sync=*/false) == WriteResult::kDone) {
      opened_.storage->flush();
    }
  }

  OpenedStore opened_;  // Its head is the one at opening.
  const Clock& clock_;
  IdSource& ids_;
  std::function<void(const std::string&)> warn_;
  const std::uint32_t schema_version_;
  std::mutex consumers_;  // Held from where a note is read until what follows from it is written.
  std::unique_ptr<CommitLog> log_;
  mutable Writer writer_;  // Readers tell it what they saw.
  mutable ResolveCache resolved_;
  std::mutex keeping_;
};

}  // namespace

bool init_store(const std::filesystem::path& directory, const Clock& clock, IdSource& ids,
                const Disk& disk) {
  return make_store(directory, clock, ids, disk);
}

Position noted_tail(const std::filesystem::path& directory) {
  require_store(directory);
  const auto ack = AckFile::read(StorePaths{directory}.ack());
  return Position{ack ? ack->tail : 0};
}

std::unique_ptr<TenancyStore> open_store(const StoreOptions& options, const Clock& clock,
                                         IdSource& ids) {
  const OpenOptions open{options.directory, options.read_only, options.memory, options.disk,
                         options.wait_for_owner};
  return std::make_unique<Store>(open_store_files(open, clock), options, clock, ids);
}

}  // namespace tenantry
