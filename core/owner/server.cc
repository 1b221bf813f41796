#include "core/owner/server.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <future>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include <capnp/rpc-twoparty.h>
#include <fmt/format.h>
#include <kj/async-io.h>
#include <kj/exception.h>
#include <unistd.h>

#include "core/error.h"
#include "core/owner/desk.h"
#include "core/owner/frame_guard.h"
#include "core/owner/pieces.h"
#include "core/owner/running_work.h"
#include "core/owner/socket.h"
#include "core/owner/wire.h"
#include "core/owner/workers.h"
#include "core/version.h"

// The library's servers are destroyed by whoever made them, as what they are.
#pragma GCC diagnostic ignored "-Wnon-virtual-dtor"
// NOLINTBEGIN(cppcoreguidelines-virtual-class-destructor)

namespace tenantry::owner {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kCallersMax = 128;
// Of calls of one caller that are not answered yet; beyond that no more are read.
constexpr std::size_t kCallWordsMax = std::size_t{4} << 20;
constexpr auto kWaitMax = 10s;
constexpr auto kWaitStep = 100ms;  // How often who waits looks whether to go on.
// When the server ends: for what is under way, and for callers that do not listen.
constexpr auto kDrainMax = 2s;
constexpr auto kFarewellMax = 200 * kj::MILLISECONDS;
constexpr auto kAcceptPause = 100 * kj::MILLISECONDS;

const events::TableInfo& table_at(std::uint32_t table) {
  if (table >= events::tables().size()) throw events::MalformedError("there is no such table");
  return events::tables()[table];
}

template <class Item>
const Item& item_at(const std::vector<Item>& items, std::uint32_t at) {
  if (at >= items.size()) throw events::MalformedError("there is no such claim or lookup");
  return items[at];
}

// --- What callers may ask of a view, and of a verification.

class ViewServer final : public wire::View::Server {
 public:
  ViewServer(Desk& desk, Desk::Place place, std::shared_ptr<const StateView> rows)
      : desk_(desk), place_(std::move(place)), rows_(std::move(rows)), strand_(desk.workers) {}

  kj::Promise<void> row(RowContext context) override {
    const auto params = context.getParams();
    const events::TableInfo& table = table_at(params.getTable());
    const RowKey key{read_uuid(params.getTenant()), read_uuid(params.getId())};
    return row_that(context,
                    [&table, key](const StateView& state) { return state.row(table, key); });
  }

  kj::Promise<void> rowById(RowByIdContext context) override {
    const auto params = context.getParams();
    const events::TableInfo& table = table_at(params.getTable());
    const events::Uuid id = read_uuid(params.getId());
    return row_that(context,
                    [&table, id](const StateView& state) { return state.row_by_id(table, id); });
  }

  kj::Promise<void> claimHolders(ClaimHoldersContext context) override {
    const auto params = context.getParams();
    const events::TableInfo& table = table_at(params.getTable());
    const events::ClaimInfo& claim = item_at(table.claims, params.getClaim());
    const std::string value(bytes_of(params.getValue()));
    return answer<std::string>(
        context,
        [&table, &claim, value](const StateView& state) {
          std::string keys;
          for (const RowKey& key : state.claim_holders(table, claim, value)) append_key(keys, key);
          return keys;
        },
        [](auto& results, std::string& keys) { results.setKeys(data_of(keys)); });
  }

  kj::Promise<void> scanRows(ScanRowsContext context) override {
    const auto params = context.getParams();
    const events::TableInfo& table = table_at(params.getTable());
    const auto tenant = read_optional_uuid(params.getTenant());
    std::optional<RowKey> after;
    if (params.getAfter().size() > 0) after = Unpacker(bytes_of(params.getAfter())).key();
    return answer<Piece>(
        context,
        [&table, tenant, after](const StateView& state) {
          return read_rows_piece(state, table, tenant, after);
        },
        [](auto& results, Piece& piece) {
          results.setRows(data_of(piece.bytes));
          results.setEnded(piece.ended);
        });
  }

  kj::Promise<void> scanLookup(ScanLookupContext context) override {
    const auto params = context.getParams();
    const events::TableInfo& table = table_at(params.getTable());
    const events::LookupInfo& lookup = item_at(table.lookups, params.getLookup());
    const std::int64_t first = params.getFirst();
    const std::int64_t last = params.getLast();
    const std::uint64_t skip = params.getSkip();
    return answer<Piece>(
        context,
        [&table, &lookup, first, last, skip](const StateView& state) {
          return read_lookup_piece(state, table, lookup, first, last, skip);
        },
        [](auto& results, Piece& piece) {
          results.setKeys(data_of(piece.bytes));
          results.setEnded(piece.ended);
        });
  }

  kj::Promise<void> largestId(LargestIdContext context) override {
    const events::TableInfo& table = table_at(context.getParams().getTable());
    return answer<std::int64_t>(
        context, [&table](const StateView& state) { return state.largest_id(table); },
        [](auto& results, std::int64_t& id) { results.setId(id); });
  }

  kj::Promise<void> streamVersion(StreamVersionContext context) override {
    const auto params = context.getParams();
    const events::TableInfo& table = table_at(params.getTable());
    const events::Uuid id = read_uuid(params.getId());
    return answer<std::uint64_t>(
        context,
        [&table, id](const StateView& state) { return state.stream_version(table, id).value; },
        [](auto& results, std::uint64_t& version) { results.setVersion(version); });
  }

 private:
  template <class Context>
  kj::Promise<void> row_that(Context context,
                             std::function<std::optional<StoredRow>(const StateView&)> find) {
    return answer<std::string>(
        context,
        [find = std::move(find)](const StateView& state) {
          std::string bytes;
          if (const auto row = find(state)) append_row(bytes, *row);
          return bytes;
        },
        [](auto& results, std::string& bytes) { results.setRows(data_of(bytes)); });
  }

  template <class Result, class Context, class Fill>
  kj::Promise<void> answer(Context context, std::function<Result(const StateView&)> question,
                           Fill fill) {
    return desk_.answer_by<Result>(
        strand_, context,
        [rows = rows_, question = std::move(question)] { return question(*rows); },
        std::move(fill));
  }

  Desk& desk_;
  const Desk::Place place_;
  const std::shared_ptr<const StateView> rows_;
  Strand strand_;
};

// What a caller asks about work that is under way, and drops when it has no use any more.
template <class Result>
class RunningServer {
 public:
  RunningServer(Desk& desk, std::shared_ptr<RunningWork<Result>> running)
      : desk_(desk), running_(std::move(running)) {}
  RunningServer(const RunningServer&) = delete;
  RunningServer& operator=(const RunningServer&) = delete;

 protected:
  ~RunningServer() { running_->drop(); }

  // `fill` writes the result, once there is one.
  template <class Context, class Fill>
  kj::Promise<void> answer_wait(Context context, Fill fill) {
    using Stand = typename RunningWork<Result>::Stand;
    const std::chrono::milliseconds timeout = std::min<std::chrono::milliseconds>(
        std::chrono::milliseconds(context.getParams().getMillis()), kWaitMax);
    return desk_.answer<Stand>(
        context, [running = running_, timeout] { return running->wait(timeout); },
        [fill = std::move(fill)](auto& results, Stand& stand) {
          results.setDone(stand.done);
          results.setTotal(stand.total);
          results.setEnded(stand.ended);
          if (stand.fault) {
            write_fault(results.initFault(), stand.fault);
          } else if (stand.ended) {
            fill(results, stand.result);
          }
        });
  }

 private:
  Desk& desk_;
  const std::shared_ptr<RunningWork<Result>> running_;
};

using Checks = std::vector<CheckResult>;
class VerificationServer final : public wire::Verification::Server, private RunningServer<Checks> {
 public:
  using RunningServer::RunningServer;
  kj::Promise<void> wait(WaitContext context) override {
    return answer_wait(context, [](auto& results, const Checks& checks) {
      write_checks(results.initChecks(static_cast<unsigned int>(checks.size())), checks);
    });
  }
};

class BackingUpServer final : public wire::BackingUp::Server, private RunningServer<BackupReport> {
 public:
  using RunningServer::RunningServer;
  kj::Promise<void> wait(WaitContext context) override {
    return answer_wait(context, [](auto& results, const BackupReport& report) {
      write_backup(results.initReport(), report);
    });
  }
};

class SquashingServer final : public wire::Squashing::Server, private RunningServer<SquashReport> {
 public:
  using RunningServer::RunningServer;
  kj::Promise<void> wait(WaitContext context) override {
    return answer_wait(context, [](auto& results, const SquashReport& report) {
      write_squash(results.initReport(), report);
    });
  }
};

// --- What a caller may ask.

// What is no command at all must not reach those whose commands share its commit. More need not be
// checked: who may use the socket may as well write the store's files.
std::vector<events::CommandRequest> read_checked(capnp::List<wire::Command>::Reader commands) {
  try {
    std::vector<events::CommandRequest> read = read_commands(commands);
    for (const events::CommandRequest& request : read) {
      events::MessageView view(request.command);
      (void)events::command_info(view.root<events::Command>().which());
    }
    return read;
  } catch (const events::MalformedError& error) {
    throw UsageError("malformed_call", std::string("what was sent is no command: ") + error.what());
  }
}

template <class Results>
void fill_answers(Results& results, const Submitted& submitted) {
  if (submitted.fault) write_fault(results.initFault(), submitted.fault);
  write_answers(results.initAnswers(static_cast<unsigned int>(submitted.answers.size())),
                submitted.answers);
}

class RehearsalServer final : public wire::Rehearsal::Server {
 public:
  RehearsalServer(Desk& desk, std::shared_ptr<Rehearsal> rehearsal)
      : desk_(desk), rehearsal_(std::move(rehearsal)), strand_(desk.workers) {}

  kj::Promise<void> submit(SubmitContext context) override {
    const auto params = context.getParams();
    return desk_.answer_by<Submitted>(
        strand_, context,
        [rehearsal = rehearsal_, commands = read_checked(params.getCommands()),
         options = read_options(params.getOptions())] {
          return Submitted{rehearsal->submit(commands, options), nullptr};
        },
        [](auto& results, Submitted& submitted) { fill_answers(results, submitted); });
  }

 private:
  Desk& desk_;
  const std::shared_ptr<Rehearsal> rehearsal_;
  Strand strand_;
};

class OwnerServer final : public wire::Owner::Server {
 public:
  explicit OwnerServer(Desk& desk) : desk_(desk) {}

  // Joined here, so that calls of one caller are decided in their order; from there on it is
  // answered, whoever leaves.
  kj::Promise<void> submit(SubmitContext context) override {
    if (desk_.refuses(context)) return kj::READY_NOW;
    const auto params = context.getParams();
    auto promise = kj::newPromiseAndCrossThreadFulfiller<Parcel<Submitted>>();
    try {
      desk_.submit(read_checked(params.getCommands()), read_options(params.getOptions()),
                   kj::mv(promise.fulfiller));
    } catch (const std::runtime_error&) {
      write_fault(context.getResults().initFault(), std::current_exception());
      return kj::READY_NOW;
    }
    return Desk::deliver<Submitted>(
        context, kj::mv(promise.promise),
        [](auto& results, Submitted& submitted) { fill_answers(results, submitted); });
  }

  kj::Promise<void> rehearse(RehearseContext context) override {
    using Result = std::shared_ptr<Rehearsal>;
    return desk_.answer<Result>(
        context, [&desk = desk_] { return Result(desk.store.rehearse()); },
        [&desk = desk_](auto& results, Result& rehearsal) {
          results.setRehearsal(kj::heap<RehearsalServer>(desk, std::move(rehearsal)));
        });
  }

  kj::Promise<void> tail(TailContext context) override {
    return desk_.answer<LogTail>(
        context, [&store = desk_.store] { return store.tail(); },
        [](auto& results, LogTail& tail) { write_tail(results.initTail(), tail); });
  }

  kj::Promise<void> awaitTail(AwaitTailContext context) override {
    const Position beyond{context.getParams().getBeyond()};
    const auto until = std::chrono::steady_clock::now() +
                       std::min<std::chrono::milliseconds>(
                           std::chrono::milliseconds(context.getParams().getMillis()), kWaitMax);
    Desk::Place place = desk_.take_place(context);
    if (!place) return kj::READY_NOW;
    return Desk::deliver<LogTail>(
        context, desk_.have_done<LogTail>([&desk = desk_, place = std::move(place), beyond, until] {
          while (desk.store.await_tail(beyond, kWaitStep) <= beyond) {
            if (desk.leaving) throw OwnerLeaves{};
            if (std::chrono::steady_clock::now() >= until) break;
          }
          return desk.store.tail();
        }),
        [](auto& results, LogTail& tail) { write_tail(results.initTail(), tail); });
  }

  kj::Promise<void> readLog(ReadLogContext context) override {
    return desk_.answer<LogPiece>(
        context,
        [&store = desk_.store, filter = read_filter(context.getParams().getFilter())] {
          return read_log_piece(store, filter);
        },
        [](auto& results, LogPiece& piece) {
          results.setEvents(data_of(piece.events));
          results.setReached(piece.reached.value);
          results.setEnded(piece.ended);
        });
  }

  kj::Promise<void> positionAt(PositionAtContext context) override {
    const events::Timestamp time{context.getParams().getTime()};
    return desk_.answer<Position>(
        context, [&store = desk_.store, time] { return store.position_at(time); },
        [](auto& results, Position& position) { results.setPosition(position.value); });
  }

  kj::Promise<void> chainHashAt(ChainHashAtContext context) override {
    const Position position{context.getParams().getPosition()};
    return desk_.answer<std::optional<Hash>>(
        context, [&store = desk_.store, position] { return store.chain_hash_at(position); },
        [](auto& results, std::optional<Hash>& hash) {
          if (hash) results.setHash({hash->data(), hash->size()});
        });
  }

  kj::Promise<void> noteConsumer(NoteConsumerContext context) override {
    const std::string name(context.getParams().getName().cStr());
    const Position checkpoint{context.getParams().getCheckpoint()};
    const bool filled_anew = context.getParams().getFilledAnew();
    return desk_.answer<bool>(
        context,
        [&store = desk_.store, name, checkpoint, filled_anew] {
          store.note_consumer(name, checkpoint, filled_anew);
          return true;
        },
        [](auto& /*results*/, bool /*noted*/) {});
  }

  kj::Promise<void> forgetConsumer(ForgetConsumerContext context) override {
    const std::string name(context.getParams().getName().cStr());
    return desk_.answer<bool>(
        context, [&store = desk_.store, name] { return store.forget_consumer(name); },
        [](auto& results, bool found) { results.setFound(found); });
  }

  kj::Promise<void> readBeginning(ReadBeginningContext context) override {
    const Position through{context.getParams().getThrough()};
    const std::uint64_t skip = context.getParams().getSkip();
    const bool entries = context.getParams().getEntries();
    return desk_.answer<BeginningPiece>(
        context,
        [&store = desk_.store, through, skip, entries] {
          return read_beginning_piece(store, through, skip, entries);
        },
        [](auto& results, BeginningPiece& piece) {
          write_beginning(results.initBeginning(), piece.beginning);
          results.setEntries(data_of(piece.entries.bytes));
          results.setEnded(piece.entries.ended);
        });
  }

  // What the store knows by heart needs no worker.
  kj::Promise<void> resolve(ResolveContext context) override {
    if (desk_.refuses(context)) return kj::READY_NOW;
    std::vector<ResolveQuery> queries;
    for (const auto query : context.getParams().getQueries()) queries.push_back(read_query(query));
    std::vector<ResolveOutcome> known;
    for (const ResolveQuery& query : queries) {
      auto outcome = desk_.store.resolve_at_once(query);
      if (!outcome) break;
      known.push_back(*std::move(outcome));
    }
    if (known.size() == queries.size()) {
      auto results = context.getResults();
      write_outcomes(results, known);
      return kj::READY_NOW;
    }
    return desk_.answer<std::vector<ResolveOutcome>>(
        context,
        [&store = desk_.store, queries = std::move(queries)] {
          std::vector<ResolveOutcome> outcomes;
          for (const ResolveQuery& query : queries) {
            outcomes.push_back(store.resolve(query));
          }
          return outcomes;
        },
        [](auto& results, std::vector<ResolveOutcome>& outcomes) {
          write_outcomes(results, outcomes);
        });
  }

  kj::Promise<void> status(StatusContext context) override {
    return desk_.answer<StoreStatus>(
        context, [&store = desk_.store] { return store.status(); },
        [](auto& results, StoreStatus& status) { write_status(results.initStatus(), status); });
  }

  kj::Promise<void> verify(VerifyContext context) override {
    const auto depth = context.getParams().getFull() ? VerifyDepth::kFull : VerifyDepth::kQuick;
    const auto running = run_on<Checks>(
        context,
        [depth](TenancyStore& store, const Progress& told) { return store.verify(depth, told); });
    if (running) {
      context.getResults().setVerification(kj::heap<VerificationServer>(desk_, running));
    }
    return kj::READY_NOW;
  }

  kj::Promise<void> backUp(BackUpContext context) override {
    const std::filesystem::path directory(context.getParams().getDirectory().cStr());
    const auto running =
        run_on<BackupReport>(context, [directory](TenancyStore& store, const Progress& told) {
          return store.back_up(directory, told);
        });
    if (running) context.getResults().setBackup(kj::heap<BackingUpServer>(desk_, running));
    return kj::READY_NOW;
  }

  kj::Promise<void> squash(SquashContext context) override {
    const SquashOptions options = read_squash_options(context.getParams().getOptions());
    const bool plan = context.getParams().getPlan();
    const auto running =
        run_on<SquashReport>(context, [options, plan](TenancyStore& store, const Progress& told) {
          return plan ? store.plan_squash(options, told) : store.squash(options, told);
        });
    if (running) context.getResults().setSquash(kj::heap<SquashingServer>(desk_, running));
    return kj::READY_NOW;
  }

  kj::Promise<void> look(LookContext context) override {
    Desk::Place place = desk_.take_place(context);
    if (!place) return kj::READY_NOW;
    return Desk::deliver<RowsAt>(
        context, desk_.have_done<RowsAt>([&store = desk_.store] { return store.rows_now(); }),
        [&desk = desk_, place = std::move(place)](auto& results, RowsAt& now) {
          write_tail(results.initTail(), now.tail);
          results.setView(kj::heap<ViewServer>(desk, place, std::move(now.rows)));
        });
  }

 private:
  // Begins the work in a place of its own; null if there is none, and the results say so.
  template <class Result, class Context>
  std::shared_ptr<RunningWork<Result>> run_on(
      Context& context, std::function<Result(TenancyStore&, const Progress&)> work) {
    Desk::Place place = desk_.take_place(context);
    if (!place) return nullptr;
    auto running = std::make_shared<RunningWork<Result>>();
    desk_.workers.run([&desk = desk_, place = std::move(place), running, work = std::move(work)] {
      running->run([&](const Progress& told) { return work(desk.store, told); }, desk.leaving);
    });
    return running;
  }

  template <class Results>
  static void write_outcomes(Results& results, const std::vector<ResolveOutcome>& outcomes) {
    auto list = results.initOutcomes(static_cast<unsigned int>(outcomes.size()));
    for (unsigned int n = 0; n < list.size(); ++n) write_outcome(list[n], outcomes[n]);
  }

  Desk& desk_;
};

class DoorServer final : public wire::Door::Server {
 public:
  // `number` is its connection's.
  DoorServer(Desk& desk, std::uint64_t number) : desk_(desk), number_(number) {}

  kj::Promise<void> greet(GreetContext context) override {
    auto results = context.getResults();
    auto greeting = results.initGreeting();
    greeting.setVersion(kSoftwareVersion);
    greeting.setProcess(::getpid());
    greeting.setLockDevice(desk_.lock.device);
    greeting.setLockInode(desk_.lock.inode);
    const StoreIdentity identity = desk_.store.identity();
    greeting.setStoreId(data_of(uuid_bytes(identity.store)));
    greeting.setIncarnation(identity.incarnation);
    greeting.setReadOnly(desk_.options.read_only);
    greeting.setLeaving(desk_.leaving);
    if (!greeting.getLeaving() && context.getParams().getVersion() == kSoftwareVersion) {
      const bool is_in_the_way = desk_.options.read_only && context.getParams().getWrites();
      if (is_in_the_way && desk_.options.writer_came) desk_.options.writer_came();
      results.setOwner(kj::heap<OwnerServer>(desk_));
      desk_.greeted.insert_or_assign(number_, context.getParams().getCaller());
    }
    return kj::READY_NOW;
  }

  kj::Promise<void> ping(PingContext /*context*/) override { return kj::READY_NOW; }

 private:
  Desk& desk_;
  const std::uint64_t number_;
};

}  // namespace

class Server::Loop final : private kj::TaskSet::ErrorHandler {
 public:
  Loop(TenancyStore& store, ServerOptions options)
      : options_(std::move(options)), desk_(store, options_), listener_(options_.directory) {
    std::promise<void> ready;
    std::future<void> is_ready = ready.get_future();
    thread_ = std::jthread([this, &ready] { run(ready); });
    is_ready.get();
  }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  ~Loop() {
    listener_.remove();
    desk_.leaving = true;
    (*stop_)->fulfill();
    thread_.join();
  }

 private:
  // One caller, for as long as it is connected. What it gave of its own goes with it, and may well
  // be what it got here.
  struct Connection {
    Connection(kj::Own<kj::AsyncIoStream> connection, Desk& its_desk)
        : desk(its_desk),
          stream(kj::mv(connection)),
          messages(guarded(*stream, Reading::kOnceWritten, desk.let_go)),
          network(*messages, capnp::rpc::twoparty::Side::SERVER, limits()),
          rpc(capnp::makeRpcServer(network, kj::heap<DoorServer>(desk, number))) {
      rpc.setFlowLimit(kCallWordsMax);
    }
    static capnp::ReaderOptions limits() {
      capnp::ReaderOptions limits;
      limits.traversalLimitInWords = kMessageWordsMax;
      limits.nestingLimit = 16;
      return limits;
    }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    ~Connection() { desk.greeted.erase(number); }

    Desk& desk;
    const std::uint64_t number = ++desk.numbers;
    kj::Own<kj::AsyncIoStream> stream;
    kj::Own<kj::AsyncIoStream> messages;  // What of it is one.
    capnp::TwoPartyVatNetwork network;
    capnp::RpcSystem<capnp::rpc::twoparty::VatId> rpc;
  };

  void run(std::promise<void>& ready) {
    try {
      serve(ready);
    } catch (const kj::Exception& error) {
      // Only before it is ready: for want of descriptors, or of memory.
      ready.set_exception(std::make_exception_ptr(UnavailableError(
          std::string("cannot let other processes in: ") + error.getDescription().cStr())));
    }
  }

  void serve(std::promise<void>& ready) {
    auto io = kj::setupAsyncIo();
    auto stop = kj::newPromiseAndCrossThreadFulfiller<void>();
    stop_.emplace(kj::mv(stop.fulfiller));
    kj::TaskSet tasks(*this);
    auto receiver = io.lowLevelProvider->wrapListenSocketFd(
        listener_.descriptor(), kj::LowLevelAsyncIoProvider::ALREADY_CLOEXEC |
                                    kj::LowLevelAsyncIoProvider::ALREADY_NONBLOCK);
    tasks_ = &tasks;
    timer_ = &io.provider->getTimer();
    auto listening = let_in(*receiver).eagerlyEvaluate(nullptr);
    ready.set_value();
    stop.promise.wait(io.waitScope);
    listening = nullptr;
    take_leave(io.waitScope);
  }

  kj::Promise<void> let_in(kj::ConnectionReceiver& receiver) {
    return receiver.accept()
        .then([this](kj::Own<kj::AsyncIoStream>&& stream) { welcome(kj::mv(stream)); })
        .catch_([this](kj::Exception&& error) {
          // There are too few descriptors, say: others may be let in later.
          warn(std::string("a caller was not let in: ") + error.getDescription().cStr());
          return timer_->afterDelay(kAcceptPause);
        })
        .then([this, &receiver] { return let_in(receiver); });
  }

  void welcome(kj::Own<kj::AsyncIoStream> stream) {
    int descriptor = -1;
    KJ_IF_MAYBE (fd, stream->getFd()) descriptor = *fd;
    if (!peer_is_trusted(descriptor)) return warn("a caller of another user was turned away");
    if (desk_.callers >= kCallersMax) return warn("a caller was turned away: there are too many");
    ++desk_.callers;
    auto connection = kj::heap<Connection>(kj::mv(stream), desk_);
    auto gone = connection->network.onDisconnect().exclusiveJoin(overdue(connection->number));
    tasks_->add(gone.attach(kj::mv(connection), kj::defer([this] { --desk_.callers; })));
  }

  // Done once it is plain that a caller will not say who it is: it takes the place of others.
  kj::Promise<void> overdue(std::uint64_t number) {
    const auto patience = options_.greeting_max / 1ms * kj::MILLISECONDS;
    return timer_->afterDelay(patience).then([this, number]() -> kj::Promise<void> {
      if (desk_.greeted.contains(number)) return kj::NEVER_DONE;
      warn("a caller was let go: it did not say what it is");
      return kj::READY_NOW;
    });
  }

  // Until all that was taken is answered. Then everybody is told that what is not was not done: so
  // if that takes too long, they are only cut off.
  void take_leave(kj::WaitScope& scope) {
    const auto until = std::chrono::steady_clock::now() + kDrainMax;
    const auto is_done = [this] { return *desk_.under_way == 0 && desk_.workers.idle(); };
    while (!is_done() && std::chrono::steady_clock::now() < until) {
      timer_->afterDelay(1 * kj::MILLISECONDS).wait(scope);
    }
    if (*desk_.under_way > 0) return;
    scope.poll();  // What they came to is on its way.
    auto told = kj::heapArrayBuilder<kj::Promise<void>>(desk_.greeted.size());
    for (auto& [number, caller] : desk_.greeted) {
      told.add(caller.farewellRequest().send().ignoreResult().catch_([](kj::Exception&&) {}));
    }
    kj::joinPromises(told.finish()).exclusiveJoin(timer_->afterDelay(kFarewellMax)).wait(scope);
  }

  void taskFailed(kj::Exception&& exception) override {
    if (exception.getType() == kj::Exception::Type::DISCONNECTED) return;
    warn(std::string("a caller was let go: ") + exception.getDescription().cStr());
  }

  void warn(const std::string& text) const {
    if (options_.warn) options_.warn(text);
  }

  const ServerOptions options_;
  Desk desk_;
  Listener listener_;
  std::optional<kj::Own<kj::CrossThreadPromiseFulfiller<void>>> stop_;
  kj::TaskSet* tasks_ = nullptr;  // Of the loop's thread, as is the next.
  kj::Timer* timer_ = nullptr;
  std::jthread thread_;  // Last: it uses everything above.
};

Server::Server(TenancyStore& store, ServerOptions options)
    : loop_(std::make_unique<Loop>(store, std::move(options))) {}

Server::~Server() = default;

}  // namespace tenantry::owner
// NOLINTEND(cppcoreguidelines-virtual-class-destructor)
