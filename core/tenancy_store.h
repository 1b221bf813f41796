#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/decide.h"
#include "core/event_source.h"
#include "events/commands.h"

// What the command line, and later a client of another process's store, can do with a store.
// Whether the store is opened here or owned elsewhere makes no difference to who calls.
namespace tenantry {

// The answer to one command; durable when it is handed out.
struct Answer {
  enum class Status { kAccepted, kRejected, kInvalid };
  Status status = Status::kAccepted;
  events::Refusal refusal;  // Unless accepted.
  Position first;           // Of its events, which follow each other.
  std::uint32_t count = 0;  // 0: nothing changed.
  std::optional<EntityName> entity;
  bool repeated = false;          // The first answer again, to a command of a known id.
  std::uint64_t incarnation = 0;  // The life of the store that the positions belong to.
};

struct SubmitOptions {
  bool stop_on_refusal = false;  // Nothing after the first refusal is tried; it gets no answer.
  // Of one call no more commands than this share a sync; 0: as many as of several calls.
  std::size_t commit_commands_max = 0;
  // When the call throws: receives the answers that are durable all the same, those of its first
  // commands. Borrowed until the call is over.
  std::vector<Answer>* answered = nullptr;
};

// What submitted commands came to.
struct Submitted {
  std::vector<Answer> answers;
  std::exception_ptr fault;  // Then the answers are those that are durable all the same.
};
// Called once at most, by a thread of the store's that others wait for: it must be quick, and
// throws nothing. Destroyed without a call by the end of a connection that nobody waits for.
using OnSubmitted = std::function<void(Submitted)>;

// Which events to read. What is not set does not filter.
struct LogFilter {
  Position after{};                   // Exclusive.
  std::optional<Position> through{};  // Inclusive.
  std::optional<events::Scope> scope{};
  std::optional<events::Uuid> tenant{};  // Also events by which a row came to or left the tenant.
  std::optional<events::Uuid> stream{};  // events::stream_id().
  std::optional<std::int64_t> user{};    // Events about the user, or that name it.
  std::optional<std::string> actor{};
  std::optional<std::string> channel{};
  std::optional<std::string> correlation_id{};
  std::set<std::uint32_t> kinds{};  // Empty: all.
  bool reverse = false;             // Newest first.
  bool live_only = false;           // Nothing that a squash moved to an archive.
  // Refused (`history_discarded`, `history_redacted`) if some of it, or of what it said, is gone.
  bool whole = false;
  bool operator==(const LogFilter&) const = default;
};

struct ResolveQuery {
  std::optional<std::string> tenant_id{};  // Explicit: a UUID.
  std::optional<std::string> host{};
  std::optional<std::string> user{};  // A username, or `id:N`.
};

// The tenant of a request, and how it was found.
struct Resolution {
  events::Uuid tenant;
  std::string slug;
  std::string name;
  std::string matched;  // `tenant_id`, `domain`, `subdomain` or `membership`.
};
using ResolveOutcome = std::variant<Resolution, events::Refusal>;

struct ScopeStatus {
  events::Scope scope = events::Scope::SYSTEM;
  std::uint64_t events = 0;
  Position last;
  Position base;                    // The last position that a squash removed from the log.
  std::uint64_t archived = 0;       // Events that are in the archive,
  std::uint64_t archive_bytes = 0;  // whose files, snapshots too, have so many bytes.
  std::uint64_t discarded = 0;      // Events that are nowhere any more.
  // That the log's blocks of the scope, and their index entries, take on the disk or, not flushed
  // yet, in memory: about; of what was removed a little may still be counted.
  std::uint64_t live_bytes = 0;
  Position squash;                // The event that tells of the last squash; 0 for none.
  events::Timestamp squashed_at;  // When that was; zero for none.
};

// A last write, left garbled by a crash and answered to nobody, was left out of the log.
struct StoreRepair {
  events::Timestamp at;
  Position tail;                // The end of the log afterwards.
  std::string file;             // Of the write-ahead log, or the manifest; under quarantine/.
  std::uint64_t cut_at = 0;     // From this byte on,
  std::uint64_t cut_bytes = 0;  // so many were left out.
};

// Who reads the log, and how far it has come: what it has not seen is not squashed.
struct Consumer {
  std::string name;
  Position checkpoint;
  events::Timestamp noted_at;
  // events::kSchemaVersion of what filled it; 0: not noted (by a version before there was any),
  // and taken for the first one. While it is older than that nothing is squashed: whoever fills
  // it anew from the events finds them where they were.
  std::uint32_t schema_version = 0;
};

struct StoreStatus {
  StoreIdentity identity;
  LogTail tail;
  events::Timestamp created_at;
  std::string directory;
  std::uint64_t bytes = 0;  // On disk.
  std::uint64_t term = 0;   // Of the last commit.
  std::uint64_t batches = 0;
  std::vector<ScopeStatus> scopes;
  std::vector<std::pair<std::string, std::uint64_t>> rows;  // By table.
  std::vector<StoreRepair> repairs;                         // Oldest first.
  Position discarded;               // Events up to here are not all left; 0 where all are.
  std::vector<Consumer> consumers;  // By name.
};

// One check of verify().
struct CheckResult {
  std::string name;
  bool passed = true;
  std::uint64_t examined = 0;         // Events, entries, files: what the name says.
  std::vector<std::string> problems;  // At most 20, each naming a place.
};

enum class VerifyDepth { kQuick, kFull };

// Commands that are decided one after the other and never written. Threads: one.
class Rehearsal {
 public:
  virtual ~Rehearsal() = default;
  // The answers that TenancyStore::submit() would give, as far as they can be known; the effects of
  // earlier calls are kept in memory and seen by later ones.
  [[nodiscard]] virtual std::vector<Answer> submit(std::span<const events::CommandRequest> commands,
                                                   SubmitOptions options) = 0;
};

// A copy of a store, as it was at one moment.
struct BackupReport {
  std::filesystem::path directory;
  StoreIdentity identity;
  Position tail;  // Its last event.
  Hash head_digest{};
  events::Timestamp taken_at;
  std::uint64_t files = 0;  // Of its database, and
  std::uint64_t bytes = 0;  // what they hold.
};

// What to squash, and where to put it.
struct SquashOptions {
  std::set<events::Scope> scopes{};   // Empty: all that have tables.
  std::optional<Position> through{};  // No event behind it goes. None: the tail.
  std::filesystem::path archive{};    // A directory; empty: inside the store.
  bool discard_history = false;       // No archive is kept, nor any that was.
  std::set<std::string> rebase{};     // Consumers that do not hold it back, and are forgotten.
  // Redacts this tenant: its events up to `through` lose their payloads. Of its scopes whatever is
  // still in the log up to there is squashed before; `scopes`, `discard_history` mean nothing then.
  std::optional<events::Uuid> redact{};
  events::Circumstances circumstances{};  // Of the events that say so.
};

// What a squash does, or did, to one scope.
struct SquashedScope {
  events::Scope scope = events::Scope::SYSTEM;
  Position after;            // The last position that had left the log before.
  Position through;          // The last that leaves it; `after` if there is nothing to do.
  std::uint64_t events = 0;  // That leave it.
  std::map<std::uint32_t, std::uint64_t> kinds;  // How many of each kind.
  events::Timestamp first_time;
  events::Timestamp last_time;
  std::uint64_t log_bytes = 0;   // Of their records.
  std::uint64_t disk_bytes = 0;  // That their blocks and index entries took on the disk, about.
  // Events up to the point that was asked for, or held at, that stay: of a block that goes on
  // behind it, for no block is cut.
  std::uint64_t uncut = 0;
  std::uint64_t discarded = 0;  // Of the archive that there was, that are kept no more.
  // Once it is done:
  std::uint64_t segments = 0;       // Files of the archive,
  std::uint64_t archive_bytes = 0;  // their bytes,
  Hash archive_digest{};            // and the digest of their digests.
  std::uint64_t snapshot_entries = 0;
  std::uint64_t snapshot_bytes = 0;
  Hash snapshot_digest{};
  Hash chain_hash{};  // Of the last event that left.
};

// A consumer that has not seen all that could go, or would have to see it again.
struct BehindConsumer {
  Consumer consumer;
  bool holds = true;      // Nothing behind its checkpoint goes; else it is rebased.
  bool outdated = false;  // Its schema version is an older one: if it holds, nothing goes at all.
};

// What a redaction takes away, or took.
struct RedactionReport {
  events::Uuid tenant;
  Position last;               // The last event that loses its payload; 0 for none.
  std::uint64_t events = 0;    // That lose it.
  std::uint64_t earlier = 0;   // That had lost it before.
  std::uint64_t shared = 0;    // That keep it: they are another tenant's too.
  std::uint64_t payloads = 0;  // Bytes that go.
  std::uint64_t segments = 0;  // Files that are written anew.
  Position event;              // Tells of it; 0 for a plan, and where there was nothing to do.
};

struct SquashReport {
  std::vector<SquashedScope> scopes;   // Each behind those that it depends on.
  std::vector<BehindConsumer> behind;  // By name.
  std::filesystem::path archive;
  bool discarded = false;
  Position tail;                   // The end of the log when it began.
  std::uint64_t bytes_before = 0;  // Of the store on the disk, its archive and the log;
  std::uint64_t bytes_after = 0;   // 0 for a plan.
  std::uint64_t micros = 0;        // It took so long.
  std::optional<RedactionReport> redaction{};
  // Files of an archive elsewhere that this store needs no more, though they hold what was redacted
  // or discarded: backups may need them.
  std::vector<std::filesystem::path> left{};
};

// What a fold begins with where it cannot begin with the first event: some were discarded, or were
// redacted and there is a snapshot that they led to.
struct Beginning {
  std::map<events::Scope, ScopePoint> scopes;  // That begin so, behind these points.
  // Tenants whose rows nobody knows at the point that was asked for: their events count for
  // nothing. With the position from which they are known.
  std::map<events::Uuid, Position> unknown;
  // See EventSource.
  Position discarded;
  Position complete_after;

  [[nodiscard]] std::uint64_t events() const;  // Before those points.
  [[nodiscard]] Position last() const;         // Of them.
  bool operator==(const Beginning&) const = default;
};
// Throw the UsageErrors `history_discarded` and `history_redacted` (exit 5).
[[noreturn]] void throw_history_discarded(const std::string& what, const std::string& hint);
[[noreturn]] void throw_history_redacted(const std::string& what, const std::string& hint);

// An entry of the state.
using VisitEntry = std::function<bool(std::string_view key, std::string_view value)>;

using VisitCommand = std::function<bool(const events::CommandRequest&)>;

// Threads: any thread may call any method. Lifetime: visitors borrow what they get for the call.
// Errors: CorruptionError, UnavailableError, UsageError. After a commit whose fate is unknown every
// further command is refused until the store is opened again; a retry by command id then gives the
// first answer.
class TenancyStore : public EventSource {
 public:
  // Decides the commands one after the other and answers once all that is answered is durable. Each
  // command is one atomic unit; the span is not: after an error its first commands may be done
  // (`answered`).
  [[nodiscard]] virtual std::vector<Answer> submit(std::span<const events::CommandRequest> commands,
                                                   SubmitOptions options) = 0;
  // Gives back at once, for callers that have many commands under way: `done` is called when they
  // are durable. The store answers everything before it
  // closes. `answered` means nothing here.
  virtual void submit_then(std::vector<events::CommandRequest> commands, SubmitOptions options,
                           OnSubmitted done) = 0;
  // The same with a future, out of which errors come.
  [[nodiscard]] std::future<std::vector<Answer>> submit_later(
      std::vector<events::CommandRequest> commands, SubmitOptions options);
  // Rehearses on the store as it is now. The result must not outlive the store.
  [[nodiscard]] virtual std::unique_ptr<Rehearsal> rehearse() = 0;

  // Waits until the log reaches beyond that position, or for so long; returns how far it reaches.
  [[nodiscard]] virtual Position await_tail(Position beyond,
                                            std::chrono::milliseconds timeout) const = 0;
  // Visits the events that pass the filter, in order of position (newest first if `reverse`).
  virtual void read_log(const LogFilter& filter,
                        const std::function<bool(const StoredEvent&)>& visit) const = 0;
  // What a fold up to `through` begins with: visits the state of each scope where it begins, entry
  // by entry, until `visit` returns false; an empty one asks for the points alone. Where nothing
  // was discarded or redacted there is nothing to visit. What follows, read_log() gives.
  [[nodiscard]] virtual Beginning read_beginning(Position through,
                                                 const VisitEntry& visit) const = 0;
  // The last position recorded at or before `time`; 0 when there is none.
  [[nodiscard]] virtual Position position_at(events::Timestamp time) const = 0;

  // Visits, in order, the commands that make the log again: each, applied with its time to what
  // came before it, makes exactly the events of one that was accepted, with the ids and secrets
  // that were drawn then. Visited is what has an event that passes the filter, until `visit`
  // returns false; `reverse` means nothing. Takes as long as deciding the whole log anew. Throws
  // UsageError `not_expressible` for events that no command makes, `history_discarded` or
  // `history_redacted` where the filter does not begin behind what is gone.
  virtual void read_commands(const LogFilter& filter, const Progress& progress,
                             const VisitCommand& visit) const = 0;

  [[nodiscard]] virtual ResolveOutcome resolve(const ResolveQuery& query) const = 0;
  // The same without waiting for the disk; nullopt if that cannot be.
  [[nodiscard]] virtual std::optional<ResolveOutcome> resolve_at_once(
      const ResolveQuery& /*query*/) const {
    return std::nullopt;
  }
  [[nodiscard]] virtual StoreStatus status() const = 0;
  // Notes how far a reader of the log has come; durable. Whoever is noted holds squashes back to
  // its checkpoint. `filled_anew`: all that it shows was made by this version since position 0, or
  // from the state; else it keeps the schema version that is noted, if any is. Throws UsageError
  // for a store that is open for reading only.
  virtual void note_consumer(const std::string& name, Position checkpoint, bool filled_anew) = 0;
  // False if there is none of that name.
  virtual bool forget_consumer(const std::string& name) = 0;
  // Copies the store to a directory that is empty or not there, outside its own; all of it or
  // nothing. Commands go on meanwhile. What was copied is checked before it is called a backup:
  // every file's checksums, and the log (CorruptionError). Table files are second names of the
  // store's own where the file system allows it. Throws UsageError for a directory that holds
  // something, and for a store that is open for reading only.
  [[nodiscard]] virtual BackupReport back_up(const std::filesystem::path& directory,
                                             const Progress& progress) = 0;
  // What squash() would do: changes nothing. Reads the events that would go.
  [[nodiscard]] virtual SquashReport plan_squash(const SquashOptions& options,
                                                 const Progress& progress) const = 0;
  // Moves the first events of scopes from the log into an archive, with a snapshot of the state
  // that they led to, or redacts a tenant's. Commands and readers go on meanwhile. What was written
  // is read again from the disk, and proved to be all that goes, before anything is removed; until
  // then, whatever fails leaves the store as it was. Nothing that can be asked of the store is
  // answered otherwise afterwards, but of history that is to be discarded or redacted. Throws
  // UsageError for options that do not fit, UnavailableError for a full disk and while another
  // squash is under way, CorruptionError for damage.
  [[nodiscard]] virtual SquashReport squash(const SquashOptions& options,
                                            const Progress& progress) = 0;
  // Every check of the store itself. Damage is a failed check, not an exception.
  [[nodiscard]] virtual std::vector<CheckResult> verify(VerifyDepth depth,
                                                        const Progress& progress) const = 0;
};

}  // namespace tenantry
