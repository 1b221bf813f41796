#include "core/owner/shared_store.h"

#include <algorithm>
#include <chrono>
#include <mutex>
#include <optional>
#include <thread>
#include <type_traits>
#include <utility>

#include "core/error.h"
#include "core/owner/remote_store.h"
#include "core/owner/server.h"
#include "core/owner/socket.h"

namespace tenantry::owner {
namespace {

constexpr int kConflictExit = 4;
constexpr std::chrono::seconds kHandoverMax{2};
constexpr std::chrono::milliseconds kHandoverPause{2};

// The store as it is reached now: opened here, or in the process that owns it.
struct Reached {
  std::optional<LockIdentity> lock;  // Of the directory, when it was reached.
  std::unique_ptr<TenancyStore> store;
  std::unique_ptr<Server> server;  // Lets others in, when it is opened here. Goes first.
};

class SharedStore final : public TenancyStore {
 public:
  SharedStore(StoreOptions options, const Clock& clock, IdSource& ids)
      : options_(std::move(options)),
        clock_(clock),
        ids_(ids),
        reached_(reach(/*handover=*/false)) {
    identity_ = reached_->store->identity();
  }

  StoreIdentity identity() const override { return identity_; }

  LogTail tail() const override {
    return ask([](TenancyStore& store) { return store.tail(); });
  }

  void read_after(Position after, Position through,
                  const std::function<bool(const StoredEvent&)>& visit) const override {
    LogFilter filter;
    filter.after = after;
    filter.through = through;
    read_log(filter, visit);
  }

  // Goes on behind the last event that was visited. The end stays where it was at first.
  void read_log(const LogFilter& asked,
                const std::function<bool(const StoredEvent&)>& visit) const override {
    LogFilter filter = asked;
    const Position end = tail().tail;
    filter.through = std::min(filter.through.value_or(end), end);
    ask([&](TenancyStore& store) {
      store.read_log(LogFilter(filter), [&](const StoredEvent& event) {
        const Position position = event.position;
        if (!visit(event)) return false;
        if (filter.reverse) {
          filter.through = Position{position.value - 1};
        } else {
          filter.after = position;
        }
        return true;
      });
    });
  }

  void read_state(
      const std::function<void(const LogTail&, const StateView&)>& read) const override {
    bool begun = false;
    ask([&](TenancyStore& store) {
      once(begun, [&](const std::function<void()>& begin) {
        store.read_state([&](const LogTail& tail, const StateView& state) {
          begin();
          read(tail, state);
        });
      });
    });
  }

  void read_state_at(
      Position position, const Progress& progress,
      const std::function<void(const LogTail&, const StateView&)>& read) const override {
    bool begun = false;
    ask([&](TenancyStore& store) {
      once(begun, [&](const std::function<void()>& begin) {
        store.read_state_at(position, progress, [&](const LogTail& tail, const StateView& state) {
          begin();
          read(tail, state);
        });
      });
    });
  }

  void fold_rows(Position through, const std::function<bool(const StoredEvent&)>& seen,
                 const std::function<bool(const FoldedRow&)>& visit) const override {
    bool begun = false;
    ask([&](TenancyStore& store) {
      once(begun, [&](const std::function<void()>& begin) {
        store.fold_rows(
            through,
            [&](const StoredEvent& event) {
              begin();
              return seen(event);
            },
            visit);
      });
    });
  }

  std::optional<Hash> chain_hash_at(Position position) const override {
    return ask([&](TenancyStore& store) { return store.chain_hash_at(position); });
  }

  std::vector<Answer> submit(std::span<const events::CommandRequest> commands,
                             SubmitOptions options) override {
    return ask([&](TenancyStore& store) {
      try {
        return store.submit(commands, options);
      } catch (const OwnerGone& gone) {
        if (gone.may_be_done()) throw_unknown(gone);
        throw;
      }
    });
  }

  // What an owner that ends leaves undone is not given to the next one: what came later may be
  // before it there.
  std::future<std::vector<Answer>> submit_later(std::vector<events::CommandRequest> commands,
                                                SubmitOptions options) override {
    const std::shared_ptr<Reached> reached = current();
    if (reached->server) return reached->store->submit_later(std::move(commands), options);
    auto answers = ask([&](TenancyStore& store) { return store.submit_later(commands, options); });
    return std::async(std::launch::deferred, [answers = std::move(answers)]() mutable {
      try {
        return answers.get();
      } catch (const OwnerGone& gone) {
        if (gone.may_be_done()) throw_unknown(gone);
        throw_begin_again(gone);
      }
    });
  }

  std::unique_ptr<Rehearsal> rehearse() override {
    return ask([&](TenancyStore& store) -> std::unique_ptr<Rehearsal> {
      return std::make_unique<SharedRehearsal>(current(), store.rehearse());
    });
  }

  // Who waits for long may be left with a store that is no longer the one of that name.
  Position await_tail(Position beyond, std::chrono::milliseconds timeout) const override {
    const auto until = std::chrono::steady_clock::now() + timeout;
    const Position tail = ask([&](TenancyStore& store) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
          until - std::chrono::steady_clock::now());
      return store.await_tail(beyond, std::max(left, std::chrono::milliseconds(0)));
    });
    if (lock_identity(options_.directory) != current()->lock) throw_replaced();
    return tail;
  }

  Position position_at(events::Timestamp time) const override {
    return ask([&](TenancyStore& store) { return store.position_at(time); });
  }

  void read_commands(const LogFilter& filter, const Progress& progress,
                     const VisitCommand& visit) const override {
    bool begun = false;
    ask([&](TenancyStore& store) {
      once(begun, [&](const std::function<void()>& begin) {
        store.read_commands(filter, progress, [&](const events::CommandRequest& command) {
          begin();
          return visit(command);
        });
      });
    });
  }

  ResolveOutcome resolve(const ResolveQuery& query) const override {
    return ask([&](TenancyStore& store) { return store.resolve(query); });
  }

  StoreStatus status() const override {
    return ask([](TenancyStore& store) { return store.status(); });
  }

  std::vector<CheckResult> verify(VerifyDepth depth, const Progress& progress) const override {
    return ask([&](TenancyStore& store) { return store.verify(depth, progress); });
  }

 private:
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
        throw_begin_again(gone);
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

  [[noreturn]] static void throw_begin_again(const OwnerGone& gone) {
    throw UnavailableError(gone.what(), "repeat the command");
  }

  [[noreturn]] static void throw_unknown(const OwnerGone& gone) {
    throw UnavailableError(
        std::string(gone.what()) + "; nobody knows whether the commands were done",
        "repeat them with their ids: what was done is answered again, and done "
        "only once");
  }

  // Does `work`, which calls what it is given once what it has shown can no longer be taken back:
  // from there on a lost owner is an error.
  template <class Work>
  static void once(bool& begun, Work&& work) {
    try {
      work([&begun] { begun = true; });
    } catch (const OwnerGone& gone) {
      if (begun) throw_begin_again(gone);
      throw;
    }
  }

  // Asks the store, and whoever has it next when its owner is gone.
  template <class Question>
  std::invoke_result_t<Question, TenancyStore&> ask(Question&& question) const {
    while (true) {
      const std::shared_ptr<Reached> reached = current();
      try {
        return question(*reached->store);
      } catch (const OwnerGone&) {
        reach_again(reached);
      }
    }
  }

  [[nodiscard]] std::shared_ptr<Reached> current() const {
    const std::lock_guard lock(mutex_);
    return reached_;
  }

  void reach_again(const std::shared_ptr<Reached>& lost) const {
    const std::lock_guard lock(mutex_);
    if (reached_ != lost) return;  // Somebody else did.
    auto found = reach(/*handover=*/true);
    if (found->store->identity() != identity_) throw_replaced();
    reached_ = std::move(found);
  }

  // Opens the store, or finds its owner: whichever comes first. While one owner follows another
  // there is none for a moment, for which nobody needs to be asked.
  [[nodiscard]] std::shared_ptr<Reached> reach(bool handover) const {
    auto reached = std::make_shared<Reached>();
    const auto handed_over =
        std::chrono::steady_clock::now() + (handover ? kHandoverMax : std::chrono::seconds(0));
    StoreOptions options = options_;
    options.wait_for_owner = [&, goes_on = options_.wait_for_owner] {
      reached->store = through_owner();
      if (reached->store) return false;
      if (std::chrono::steady_clock::now() < handed_over) {
        std::this_thread::sleep_for(kHandoverPause);
        return true;
      }
      return goes_on && goes_on();
    };
    try {
      reached->store = open_store(options, clock_, ids_);
    } catch (const UnavailableError&) {
      if (!reached->store) throw;
      reached->lock = lock_identity(options_.directory);
      return reached;
    }
    reached->lock = lock_identity(options_.directory);
    try {
      reached->server = std::make_unique<Server>(
          *reached->store, ServerOptions{options_.directory, options_.read_only, options_.warn});
    } catch (const UnavailableError& error) {
      // Where nothing can be written there is no socket either.
      if (options_.warn && !options_.read_only) {
        options_.warn(std::string("other processes cannot use the store meanwhile: ") +
                      error.what());
      }
    }
    return reached;
  }

  // Null while there is none that would do.
  [[nodiscard]] std::unique_ptr<TenancyStore> through_owner() const {
    std::unique_ptr<RemoteStore> remote = connect_to_owner(options_.directory);
    if (!remote || (remote->read_only() && !options_.read_only)) return nullptr;
    return remote;
  }

  const StoreOptions options_;
  const Clock& clock_;
  IdSource& ids_;
  mutable std::mutex mutex_;
  mutable std::shared_ptr<Reached> reached_;  // Guarded by mutex_.
  StoreIdentity identity_;
};

}  // namespace

std::unique_ptr<TenancyStore> open_shared_store(StoreOptions options, const Clock& clock,
                                                IdSource& ids) {
  return std::make_unique<SharedStore>(std::move(options), clock, ids);
}

}  // namespace tenantry::owner
