#include "core/owner/shared_store.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/owner/folded_by_caller.h"
#include "core/owner/pieces.h"
#include "core/owner/remote_store.h"
#include "core/owner/server.h"
#include "core/owner/socket.h"
#include "core/store_lock.h"

namespace tenantry::owner {
namespace {

constexpr int kConflictExit = 4;
constexpr std::chrono::seconds kHandoverMax{2};
constexpr std::chrono::milliseconds kHandoverPause{2};
constexpr std::chrono::milliseconds kMakeRoomMax{1500};

// The store as it is reached now: opened here, or in the process that owns it.
struct Reached {
  std::optional<LockIdentity> lock;  // Of the directory, when it was reached.
  std::unique_ptr<TenancyStore> store;
  enum class Where : std::uint8_t { kElsewhere, kHere, kHereToRead } where = Where::kElsewhere;
  std::atomic<bool> in_the_way = false;  // Of somebody who wants to write. Any thread may ask.
  std::unique_ptr<Server> server;        // Lets others in, when it is opened here. Goes first.
};

// Rows that somebody showed, and who that was, unless they were computed here.
struct Seen {
  std::shared_ptr<Reached> from;
  LogTail tail;
  std::shared_ptr<const StateView> rows;
};

// What was seen last by one who reads rows. Threads: any.
class Sight {
 public:
  explicit Sight(std::shared_ptr<const Seen> seen) : seen_(std::move(seen)) {}

  [[nodiscard]] std::shared_ptr<const Seen> get() const {
    const std::lock_guard lock(mutex_);
    return seen_;
  }
  void replace(const std::shared_ptr<const Seen>& lost, std::shared_ptr<const Seen> found) {
    const std::lock_guard lock(mutex_);
    if (seen_ == lost) seen_ = std::move(found);
  }
  // Keeps nobody who is in the way: then there are no rows, and they have to be seen again.
  void make_room() {
    const std::lock_guard lock(mutex_);
    if (seen_->from && seen_->from->in_the_way) {
      seen_ = std::make_shared<Seen>(Seen{nullptr, seen_->tail, nullptr});
    }
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const Seen> seen_;  // Guarded by mutex_.
};

class SharedStore final : public TenancyStore {
 public:
  SharedStore(StoreOptions options, const Clock& clock, IdSource& ids)
      : options_(std::move(options)), clock_(clock), ids_(ids), reads_only_(options_.read_only) {
    const std::lock_guard lock(mutex_);
    reached_ = reach(Patience::kAsks);
    identity_ = reached_->store->identity();
  }
  SharedStore(const SharedStore&) = delete;
  SharedStore& operator=(const SharedStore&) = delete;
  ~SharedStore() override {
    {
      const std::lock_guard lock(room_mutex_);
      closing_ = true;  // Nobody makes room from here on.
    }
    if (room_maker_.joinable()) room_maker_.join();
    reached_.reset();
  }

  StoreIdentity identity() const override { return identity_; }

  LogTail tail() const override {
    return ask([](const std::shared_ptr<Reached>& reached) { return reached->store->tail(); });
  }

  void read_after(Position after, Position through,
                  const std::function<bool(const StoredEvent&)>& visit) const override {
    LogFilter filter;
    filter.after = after;
    filter.through = through;
    filter.whole = true;
    read_log(filter, visit);
  }

  // Goes on behind the last event that was visited. The end stays where it was at first.
  void read_log(const LogFilter& asked,
                const std::function<bool(const StoredEvent&)>& visit) const override {
    LogFilter filter = asked;
    const Position end = tail().tail;
    filter.through = std::min(filter.through.value_or(end), end);
    bool goes_on = true;
    while (goes_on) {
      const auto piece =
          ask([&](const std::shared_ptr<Reached>& reached) -> std::optional<LogPiece> {
            if (reached->where == Reached::Where::kHereToRead) {
              return read_log_piece(*reached->store, filter);
            }
            reached->store->read_log(LogFilter(filter), [&](const StoredEvent& event) {
              go_on_behind(event.position, filter);
              return visit(event);
            });
            return std::nullopt;
          });
      if (!piece) return;
      for (Unpacker packed(piece->events); goes_on && packed.more();) {
        goes_on = visit(packed.event());
      }
      go_on_behind(piece->reached, filter);
      goes_on = goes_on && !piece->ended;
    }
  }

  RowsAt rows_now() const override {
    const auto now = look();
    const LogTail tail = now->tail;
    const auto sight = std::make_shared<Sight>(now);
    {
      const std::lock_guard lock(sights_mutex_);
      std::erase_if(sights_, [](const std::weak_ptr<Sight>& one) { return one.expired(); });
      sights_.push_back(sight);
    }
    return {tail, std::make_shared<SharedView>(*this, sight)};
  }

  RowsAt rows_at(Position position, const Progress& progress) const override {
    const std::shared_ptr<Reached> reached = here_to_stay();
    return reached ? reached->store->rows_at(position, progress)
                   : fold_rows_at(*this, position, progress);
  }

  void fold_rows(Position through, const std::function<bool(const StoredEvent&)>& seen,
                 const std::function<bool(const FoldedRow&)>& visit) const override {
    const std::shared_ptr<Reached> reached = here_to_stay();
    if (reached) return reached->store->fold_rows(through, seen, visit);
    fold_every_row(*this, through, seen, visit);
  }

  void read_commands(const LogFilter& filter, const Progress& progress,
                     const VisitCommand& visit) const override {
    const std::shared_ptr<Reached> reached = here_to_stay();
    if (reached) return reached->store->read_commands(filter, progress, visit);
    fold_commands(*this, filter, progress, visit);
  }

  std::optional<Hash> chain_hash_at(Position position) const override {
    return ask([&](const std::shared_ptr<Reached>& reached) {
      return reached->store->chain_hash_at(position);
    });
  }

  std::vector<Answer> submit(std::span<const events::CommandRequest> commands,
                             SubmitOptions options) override {
    require_writable();
    return ask([&](const std::shared_ptr<Reached>& reached) {
      try {
        return reached->store->submit(commands, options);
      } catch (const OwnerGone& gone) {
        if (gone.may_be_done()) throw unknown_outcome(gone);
        throw;
      }
    });
  }

  // What an owner that ends leaves undone is not given to the next one: what came later may be
  // before it there.
  void submit_then(std::vector<events::CommandRequest> commands, SubmitOptions options,
                   OnSubmitted done) override {
    require_writable();
    if (const auto reached = here_to_stay()) {
      return reached->store->submit_then(std::move(commands), options, std::move(done));
    }
    const OnSubmitted tell = [done = std::move(done)](Submitted submitted) {
      if (submitted.fault) submitted.fault = outcome_of(submitted.fault);
      done(std::move(submitted));
    };
    ask([&](const std::shared_ptr<Reached>& reached) {
      reached->store->submit_then(commands, options, tell);
    });
  }

  std::unique_ptr<Rehearsal> rehearse() override {
    return ask([](const std::shared_ptr<Reached>& reached) -> std::unique_ptr<Rehearsal> {
      return std::make_unique<SharedRehearsal>(reached, reached->store->rehearse());
    });
  }

  // Who waits for long may be left with a store that is no longer the one of that name.
  Position await_tail(Position beyond, std::chrono::milliseconds timeout) const override {
    const auto until = std::chrono::steady_clock::now() + timeout;
    const Position tail = ask([&](const std::shared_ptr<Reached>& reached) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
          until - std::chrono::steady_clock::now());
      return reached->store->await_tail(beyond, std::max(left, std::chrono::milliseconds(0)));
    });
    if (lock_identity(options_.directory) != current()->lock) throw_replaced();
    return tail;
  }

  Position discarded() const override {
    return ask([](const std::shared_ptr<Reached>& reached) { return reached->store->discarded(); });
  }

  Position complete_after() const override {
    return ask(
        [](const std::shared_ptr<Reached>& reached) { return reached->store->complete_after(); });
  }

  // Both may be repeated.
  void note_consumer(const std::string& name, Position checkpoint, bool filled_anew) override {
    require_writable();
    ask([&](const std::shared_ptr<Reached>& reached) {
      reached->store->note_consumer(name, checkpoint, filled_anew);
      return true;
    });
  }
  bool forget_consumer(const std::string& name) override {
    require_writable();
    return ask([&](const std::shared_ptr<Reached>& reached) {
      return reached->store->forget_consumer(name);
    });
  }

  // Goes on behind the last entry that was visited.
  Beginning read_beginning(Position through, const VisitEntry& visit) const override {
    std::uint64_t visited = 0;
    std::optional<Beginning> first;
    return ask([&](const std::shared_ptr<Reached>& reached) {
      Beginning beginning = reached->store->read_beginning(through, {});
      if (!visit) return beginning;
      if (visited > 0 && first != beginning) {
        throw_history_discarded("a squash has discarded or redacted events meanwhile", "ask again");
      }
      first = beginning;
      std::uint64_t seen = 0;
      return reached->store->read_beginning(through,
                                            [&](std::string_view key, std::string_view value) {
                                              if (seen++ < visited) return true;
                                              ++visited;
                                              return visit(key, value);
                                            });
    });
  }

  Position position_at(events::Timestamp time) const override {
    return ask(
        [&](const std::shared_ptr<Reached>& reached) { return reached->store->position_at(time); });
  }

  ResolveOutcome resolve(const ResolveQuery& query) const override {
    return ask(
        [&](const std::shared_ptr<Reached>& reached) { return reached->store->resolve(query); });
  }

  StoreStatus status() const override {
    return ask([](const std::shared_ptr<Reached>& reached) { return reached->store->status(); });
  }

  BackupReport back_up(const std::filesystem::path& directory, const Progress& progress) override {
    require_writable();
    return ask([&](const std::shared_ptr<Reached>& reached) {
      try {
        return reached->store->back_up(directory, progress);
      } catch (const OwnerGone& gone) {
        if (!gone.may_be_done()) throw;
        throw UnavailableError(
            std::string(gone.what()) + "; nobody knows whether the store was copied",
            "if there is a file BACKUP in " + directory.string() +
                ", it was; else remove what is there and repeat");
      }
    });
  }

  SquashReport plan_squash(const SquashOptions& options, const Progress& progress) const override {
    return ask([&](const std::shared_ptr<Reached>& reached) {
      return reached->store->plan_squash(options, progress);
    });
  }

  SquashReport squash(const SquashOptions& options, const Progress& progress) override {
    require_writable();
    return ask([&](const std::shared_ptr<Reached>& reached) {
      try {
        return reached->store->squash(options, progress);
      } catch (const OwnerGone& gone) {
        if (!gone.may_be_done()) throw;
        throw UnavailableError(
            std::string(gone.what()) + "; nobody knows whether the store was squashed",
            "`tenantry squashes` tells; one that was not finished is forgotten, or finished, when "
            "the store is opened again");
      }
    });
  }

  std::vector<CheckResult> verify(VerifyDepth depth, const Progress& progress) const override {
    return ask([&](const std::shared_ptr<Reached>& reached) {
      return reached->store->verify(depth, [&](std::uint64_t done, std::uint64_t total) {
        if (reached->in_the_way) throw OwnerGone("somebody wants to write", /*may_be_done=*/false);
        if (progress) progress(done, total);
      });
    });
  }

 private:
  // How long an owner is waited for that lets nobody in: as `wait_for_owner` says; the same after
  // as long as it takes to hand a store over; no longer than that, by a thread that is nobody's.
  enum class Patience : std::uint8_t { kAsks, kAsksLater, kHandover };

  // Rows at one position, whoever shows them. Once its owner is gone the next one is asked; if the
  // log has grown by then, they are computed anew from the events.
  class SharedView final : public StateView {
   public:
    SharedView(const SharedStore& store, std::shared_ptr<Sight> sight)
        : store_(store), sight_(std::move(sight)) {}

    std::optional<StoredRow> row(const events::TableInfo& table, const RowKey& key) const override {
      return ask([&](const StateView& rows) { return rows.row(table, key); });
    }
    std::optional<StoredRow> row_by_id(const events::TableInfo& table,
                                       const events::Uuid& id) const override {
      return ask([&](const StateView& rows) { return rows.row_by_id(table, id); });
    }
    std::optional<RowKey> claim_holder(const events::TableInfo& table,
                                       const events::ClaimInfo& claim,
                                       std::string_view value) const override {
      return ask([&](const StateView& rows) { return rows.claim_holder(table, claim, value); });
    }
    std::vector<RowKey> claim_holders(const events::TableInfo& table,
                                      const events::ClaimInfo& claim,
                                      std::string_view value) const override {
      return ask([&](const StateView& rows) { return rows.claim_holders(table, claim, value); });
    }
    void scan_rows(const events::TableInfo& table, const std::optional<events::Uuid>& tenant,
                   const std::function<bool(const StoredRow&)>& visit) const override {
      scan_rows_after(table, tenant, std::nullopt, visit);
    }
    // Goes on behind the last row that was visited.
    void scan_rows_after(const events::TableInfo& table, const std::optional<events::Uuid>& tenant,
                         const std::optional<RowKey>& after,
                         const std::function<bool(const StoredRow&)>& visit) const override {
      std::optional<RowKey> last = after;
      for (bool goes_on = true; goes_on;) {
        const auto piece = ask_seen([&](const Seen& seen) -> std::optional<Piece> {
          if (may_be_in_the_way(seen)) return read_rows_piece(*seen.rows, table, tenant, last);
          seen.rows->scan_rows_after(table, tenant, std::optional(last), [&](const StoredRow& row) {
            last = row.key;
            return visit(row);
          });
          return std::nullopt;
        });
        if (!piece) return;
        for (Unpacker packed(piece->bytes); goes_on && packed.more();) {
          const StoredRow row = packed.row();
          last = row.key;
          goes_on = visit(row);
        }
        goes_on = goes_on && !piece->ended;
      }
    }
    // Keys come in the same order again.
    void scan_lookup(const events::TableInfo& table, const events::LookupInfo& lookup,
                     std::int64_t first, std::int64_t last,
                     const std::function<bool(const RowKey&)>& visit) const override {
      std::uint64_t visited = 0;
      for (bool goes_on = true; goes_on;) {
        const auto piece = ask_seen([&](const Seen& seen) -> std::optional<Piece> {
          if (may_be_in_the_way(seen)) {
            return read_lookup_piece(*seen.rows, table, lookup, first, last, visited);
          }
          std::uint64_t at = 0;
          seen.rows->scan_lookup(table, lookup, first, last, [&](const RowKey& key) {
            if (at++ < visited) return true;
            ++visited;
            return visit(key);
          });
          return std::nullopt;
        });
        if (!piece) return;
        for (Unpacker packed(piece->bytes); goes_on && packed.more(); ++visited) {
          goes_on = visit(packed.key());
        }
        goes_on = goes_on && !piece->ended;
      }
    }
    std::int64_t largest_id(const events::TableInfo& table) const override {
      return ask([&](const StateView& rows) { return rows.largest_id(table); });
    }
    Version stream_version(const events::TableInfo& table, const events::Uuid& id) const override {
      return ask([&](const StateView& rows) { return rows.stream_version(table, id); });
    }

   private:
    static bool may_be_in_the_way(const Seen& seen) {
      return seen.from && seen.from->where == Reached::Where::kHereToRead;
    }

    template <class Question>
    std::invoke_result_t<Question, const StateView&> ask(Question&& question) const {
      return ask_seen([&](const Seen& seen) { return question(*seen.rows); });
    }

    template <class Question>
    std::invoke_result_t<Question, const Seen&> ask_seen(Question&& question) const {
      while (true) {
        const std::shared_ptr<const Seen> seen = sight_->get();
        try {
          if (seen->rows) return question(*seen);
        } catch (const OwnerGone&) {
          (void)seen;  // Somebody else shows them, below.
        }
        see_again(seen);
      }
    }

    void see_again(const std::shared_ptr<const Seen>& lost) const {
      auto found = store_.look();
      if (found->tail.digest != lost->tail.digest) {
        found.reset();  // Folding takes long, and nobody is to be in the way meanwhile.
        RowsAt then = store_.rows_at(lost->tail.tail, {});
        require_all_known(then);
        if (then.tail.digest != lost->tail.digest) throw_replaced();
        found = std::make_shared<Seen>(Seen{nullptr, then.tail, std::move(then.rows)});
      }
      sight_->replace(lost, std::move(found));
    }

    const SharedStore& store_;
    const std::shared_ptr<Sight> sight_;
  };

  [[nodiscard]] std::shared_ptr<const Seen> look() const {
    return ask([](const std::shared_ptr<Reached>& reached) {
      RowsAt now = reached->store->rows_now();
      return std::make_shared<Seen>(Seen{reached, now.tail, std::move(now.rows)});
    });
  }

  // Keeps the store that it is of.
  class SharedRehearsal final : public Rehearsal {
   public:
    SharedRehearsal(std::shared_ptr<Reached> reached, std::unique_ptr<Rehearsal> rehearsal)
        : reached_(std::move(reached)), rehearsal_(std::move(rehearsal)) {}
    std::vector<Answer> submit(std::span<const events::CommandRequest> commands,
                               SubmitOptions options) override {
      try {
        return rehearsal_->submit(commands, options);
      } catch (const OwnerGone& gone) {
        throw begin_again(gone);
      }
    }

   private:
    const std::shared_ptr<Reached> reached_;
    const std::unique_ptr<Rehearsal> rehearsal_;
  };

  [[noreturn]] static void throw_replaced() {
    throw UsageError("store_replaced", "another store, or a restored one, is in its place",
                     "begin again", kConflictExit);
  }

  static UnavailableError begin_again(const OwnerGone& gone) {
    return UnavailableError(gone.what(), "repeat the command");
  }

  static UnavailableError unknown_outcome(const OwnerGone& gone) {
    return UnavailableError(
        std::string(gone.what()) + "; nobody knows whether the commands were done",
        "repeat them with their ids: what was done is answered again, and done "
        "only once");
  }

  // What became of commands that were under way when their owner went.
  static std::exception_ptr outcome_of(const std::exception_ptr& fault) {
    try {
      std::rethrow_exception(fault);
    } catch (const OwnerGone& gone) {
      return std::make_exception_ptr(gone.may_be_done() ? unknown_outcome(gone)
                                                        : begin_again(gone));
    } catch (const std::exception&) {
      return fault;
    }
  }

  // Asks the store, and whoever has it next when its owner is gone.
  template <class Question>
  std::invoke_result_t<Question, const std::shared_ptr<Reached>&> ask(Question&& question) const {
    while (true) {
      std::shared_ptr<Reached> reached = current();
      const std::weak_ptr<Reached> lost = reached;
      try {
        return question(std::as_const(reached));
      } catch (const OwnerGone&) {
        reached.reset();  // Somebody may be waiting for that.
      }
      reach_again(lost);
    }
  }

  void require_writable() const {
    if (options_.read_only) throw UsageError("read_only", "the store is open for reading only");
  }

  [[nodiscard]] std::shared_ptr<Reached> current() const {
    const std::lock_guard lock(mutex_);
    if (!reached_) reached_ = reach_same(Patience::kAsksLater);
    return reached_;
  }

  // Null unless the store is opened here and stays: nobody finds it in the way.
  [[nodiscard]] std::shared_ptr<Reached> here_to_stay() const {
    std::shared_ptr<Reached> reached = current();
    return reached->where == Reached::Where::kHere ? reached : nullptr;
  }

  void reach_again(const std::weak_ptr<Reached>& lost) const {
    const std::lock_guard lock(mutex_);
    const bool changed = lost.owner_before(reached_) || reached_.owner_before(lost);
    // What is opened here is not lost: it could not make room.
    if (!changed && reached_->where == Reached::Where::kElsewhere) {
      reached_ = reach_same(Patience::kAsksLater);
    }
  }

  // With mutex_ held.
  [[nodiscard]] std::shared_ptr<Reached> reach_same(Patience patience) const {
    auto found = reach(patience);
    if (found->store->identity() != identity_) throw_replaced();
    return found;
  }

  // Somebody wants to write what is opened here to read. Does not wait.
  void begin_making_room() const {
    const std::lock_guard lock(room_mutex_);
    if (closing_ || making_room_ || !StoreLock::may_write(options_.directory)) return;
    making_room_ = true;
    try {
      room_maker_ = std::jthread([this] {
        make_room();
        making_room_ = false;
      });
    } catch (const std::system_error&) {
      making_room_ = false;  // There is no thread to be had. Whoever comes next asks again.
    }
  }

  // Opens the store for writing instead, so that others can use it through this process. Whoever
  // reads here keeps nothing of it between two pieces, and goes on.
  void make_room() const {
    const std::lock_guard lock(mutex_);
    if (!reached_ || reached_->where != Reached::Where::kHereToRead) return;
    const std::weak_ptr<Reached> left = reached_;
    reached_->in_the_way = true;
    reached_.reset();
    const auto until = std::chrono::steady_clock::now() + kMakeRoomMax;
    while (!left.expired()) {
      if (std::chrono::steady_clock::now() >= until && (reached_ = left.lock())) {
        reached_->in_the_way = false;  // What is under way takes too long. Whoever comes next asks
        return;                        // again.
      }
      {
        const std::lock_guard sights(sights_mutex_);
        for (const std::weak_ptr<Sight>& one : sights_) {
          if (const auto sight = one.lock()) sight->make_room();
        }
      }
      std::this_thread::sleep_for(kHandoverPause);
    }
    if (closing_) return;
    reads_only_ = false;
    try {
      reached_ = reach_same(Patience::kHandover);
    } catch (const std::exception&) {
      (void)reached_;  // For who writes to find out; who reads here tries again.
    }
    // Whoever wants to write may have been faster. What is opened for writing stays.
    reads_only_ = !reached_ || reached_->where != Reached::Where::kHere;
  }

  // Opens the store, or finds its owner: whichever comes first. While one owner follows another
  // there is none for a moment, for which nobody needs to be asked; nor while one that only reads
  // makes room. With mutex_ held.
  [[nodiscard]] std::shared_ptr<Reached> reach(Patience patience) const {
    auto reached = std::make_shared<Reached>();
    const auto begun = std::chrono::steady_clock::now();
    StoreOptions options = options_;
    options.read_only = reads_only_;
    bool changes_hands = patience != Patience::kAsks;
    options.wait_for_owner = [&, goes_on = options_.wait_for_owner] {
      std::unique_ptr<RemoteStore> owner = connect_to_owner(options_.directory, !reads_only_);
      const bool in_the_way = owner && owner->read_only() && !reads_only_;
      changes_hands = changes_hands || in_the_way;
      if (owner && !in_the_way) {
        reached->store = std::move(owner);
        return false;
      }
      if (changes_hands && std::chrono::steady_clock::now() < begun + kHandoverMax) {
        std::this_thread::sleep_for(kHandoverPause);
        return true;
      }
      return patience != Patience::kHandover && goes_on && goes_on();
    };
    try {
      reached->store = open_store(options, clock_, ids_);
      reached->where = reads_only_ ? Reached::Where::kHereToRead : Reached::Where::kHere;
    } catch (const UnavailableError&) {
      if (!reached->store) throw;
      reached->lock = lock_identity(options_.directory);
      return reached;
    }
    reached->lock = lock_identity(options_.directory);
    try {
      reached->server = std::make_unique<Server>(
          *reached->store, ServerOptions{.directory = options_.directory,
                                         .read_only = reads_only_,
                                         .warn = options_.warn,
                                         .writer_came = [this] { begin_making_room(); }});
    } catch (const UnavailableError& error) {
      // Where nothing can be written there is no socket either.
      if (options_.warn && !reads_only_) {
        options_.warn(std::string("other processes cannot use the store meanwhile: ") +
                      error.what());
      }
    }
    return reached;
  }

  const StoreOptions options_;
  const Clock& clock_;
  IdSource& ids_;
  mutable std::mutex sights_mutex_;
  mutable std::vector<std::weak_ptr<Sight>> sights_;  // Guarded by sights_mutex_.
  mutable std::mutex mutex_;
  mutable bool reads_only_;  // Guarded by mutex_, as are the next two.
  StoreIdentity identity_;
  mutable std::shared_ptr<Reached> reached_;  // Null while it has to be reached again.
  mutable std::mutex room_mutex_;
  std::atomic<bool> closing_ = false;
  mutable std::atomic<bool> making_room_ = false;
  mutable std::jthread room_maker_;  // Guarded by room_mutex_. Last: it uses everything above.
};

}  // namespace

std::unique_ptr<TenancyStore> open_shared_store(StoreOptions options, const Clock& clock,
                                                IdSource& ids) {
  return std::make_unique<SharedStore>(std::move(options), clock, ids);
}

}  // namespace tenantry::owner
