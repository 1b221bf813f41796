#include "core/owner/remote_store.h"

#include <algorithm>
#include <future>
#include <optional>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "core/error.h"
#include "core/owner/connection.h"
#include "core/owner/folded_by_caller.h"
#include "core/owner/pieces.h"
#include "core/owner/socket.h"
#include "core/store_files.h"
#include "core/version.h"

namespace tenantry::owner {
namespace {

namespace fs = std::filesystem;

constexpr auto kGreetingTimeout = 2 * kj::SECONDS;
constexpr std::uint32_t kWorkStepMillis = 200;
constexpr auto kAwaitMax = std::chrono::seconds(5);  // In one call.

using HeldOwner = Held<wire::Owner::Client>;
using HeldView = Held<wire::View::Client>;
using HeldRehearsal = Held<wire::Rehearsal::Client>;
using HeldVerification = Held<wire::Verification::Client>;
using HeldBackup = Held<wire::BackingUp::Client>;
using HeldSquash = Held<wire::Squashing::Client>;

std::uint32_t number_of(const events::TableInfo& table) {
  return static_cast<std::uint32_t>(&table - events::tables().data());
}

// --- Commands.

void check_size(std::span<const events::CommandRequest> commands) {
  std::size_t bytes = 0;
  for (const events::CommandRequest& request : commands) bytes += request.command.size();
  if (bytes <= kCommandsBytesMax) return;
  throw UsageError("too_large",
                   fmt::format("commands of {} bytes are more than the owner of the store takes "
                               "in one call",
                               bytes),
                   fmt::format("submit at most {} bytes at a time", kCommandsBytesMax));
}

template <class Client>
auto make_submission(Client& client, std::span<const events::CommandRequest> commands,
                     const SubmitOptions& options) {
  auto request = client.submitRequest();
  write_commands(request.initCommands(static_cast<unsigned int>(commands.size())), commands);
  write_options(request.initOptions(), options);
  return request;
}

// A fault does not take away the answers.
template <class Response>
Submitted read_submitted(const Response& response) {
  return {read_answers(response.getAnswers()), read_fault(response.getFault())};
}

template <class Client>
Submitted submit_to(const Held<Client>& to, std::span<const events::CommandRequest> commands,
                    const SubmitOptions& options) {
  check_size(commands);
  to.connection()->check_there();
  return to.connection()->template wait<Submitted>([&] {
    return make_submission(to.client(), commands, options).send().then([](auto&& response) {
      return read_submitted(response);
    });
  });
}

std::vector<Answer> settle(Submitted submitted, const SubmitOptions& options) {
  if (!submitted.fault) return std::move(submitted.answers);
  if (options.answered != nullptr) *options.answered = std::move(submitted.answers);
  std::rethrow_exception(submitted.fault);
}

class RemoteRehearsal final : public Rehearsal {
 public:
  explicit RemoteRehearsal(std::unique_ptr<HeldRehearsal> held) : held_(std::move(held)) {}

  std::vector<Answer> submit(std::span<const events::CommandRequest> commands,
                             SubmitOptions options) override {
    return settle(submit_to(*held_, commands, options), options);
  }

 private:
  const std::unique_ptr<HeldRehearsal> held_;
};

// --- Rows.

class RemoteView final : public StateView {
 public:
  RemoteView(std::shared_ptr<Connection> connection, wire::View::Client view)
      : held_(std::move(connection), kj::mv(view)) {}

  [[nodiscard]] std::optional<StoredRow> row(const events::TableInfo& table,
                                             const RowKey& key) const override {
    return first_row(held_.call<std::string>(
        [&](wire::View::Client& view) {
          auto request = view.rowRequest();
          request.setTable(number_of(table));
          request.setTenant(data_of(uuid_bytes(key.tenant)));
          request.setId(data_of(uuid_bytes(key.id)));
          return request;
        },
        [](auto& response) { return std::string(bytes_of(response.getRows())); }));
  }

  [[nodiscard]] std::optional<StoredRow> row_by_id(const events::TableInfo& table,
                                                   const events::Uuid& id) const override {
    return first_row(held_.call<std::string>(
        [&](wire::View::Client& view) {
          auto request = view.rowByIdRequest();
          request.setTable(number_of(table));
          request.setId(data_of(uuid_bytes(id)));
          return request;
        },
        [](auto& response) { return std::string(bytes_of(response.getRows())); }));
  }

  [[nodiscard]] std::optional<RowKey> claim_holder(const events::TableInfo& table,
                                                   const events::ClaimInfo& claim,
                                                   std::string_view value) const override {
    const std::vector<RowKey> holders = claim_holders(table, claim, value);
    return holders.empty() ? std::nullopt : std::optional(holders.front());
  }

  [[nodiscard]] std::vector<RowKey> claim_holders(const events::TableInfo& table,
                                                  const events::ClaimInfo& claim,
                                                  std::string_view value) const override {
    const std::string bytes = held_.call<std::string>(
        [&](wire::View::Client& view) {
          auto request = view.claimHoldersRequest();
          request.setTable(number_of(table));
          request.setClaim(static_cast<std::uint32_t>(&claim - table.claims.data()));
          request.setValue(data_of(value));
          return request;
        },
        [](auto& response) { return std::string(bytes_of(response.getKeys())); });
    std::vector<RowKey> keys;
    for (Unpacker packed(bytes); packed.more();) keys.push_back(packed.key());
    return keys;
  }

  void scan_rows(const events::TableInfo& table, const std::optional<events::Uuid>& tenant,
                 const std::function<bool(const StoredRow&)>& visit) const override {
    scan_rows_after(table, tenant, std::nullopt, visit);
  }

  // While one piece is visited the next one is on its way.
  void scan_rows_after(const events::TableInfo& table, const std::optional<events::Uuid>& tenant,
                       const std::optional<RowKey>& after,
                       const std::function<bool(const StoredRow&)>& visit) const override {
    std::future<Reply<Piece>> next = ask_rows(table, tenant, after);
    while (true) {
      const Piece piece = next.get().take();
      if (!piece.ended) next = ask_rows(table, tenant, last_key(piece.bytes));
      for (Unpacker packed(piece.bytes); packed.more();) {
        if (!visit(packed.row())) return;
      }
      if (piece.ended) return;
    }
  }

  void scan_lookup(const events::TableInfo& table, const events::LookupInfo& lookup,
                   std::int64_t first, std::int64_t last,
                   const std::function<bool(const RowKey&)>& visit) const override {
    for (std::uint64_t seen = 0;;) {
      const Piece piece = held_.call<Piece>(
          [&](wire::View::Client& view) {
            auto request = view.scanLookupRequest();
            request.setTable(number_of(table));
            request.setLookup(static_cast<std::uint32_t>(&lookup - table.lookups.data()));
            request.setFirst(first);
            request.setLast(last);
            request.setSkip(seen);
            return request;
          },
          [](auto& response) {
            return Piece{std::string(bytes_of(response.getKeys())), response.getEnded()};
          });
      for (Unpacker packed(piece.bytes); packed.more(); ++seen) {
        if (!visit(packed.key())) return;
      }
      if (piece.ended) return;
    }
  }

  [[nodiscard]] std::int64_t largest_id(const events::TableInfo& table) const override {
    return held_.call<std::int64_t>(
        [&](wire::View::Client& view) {
          auto request = view.largestIdRequest();
          request.setTable(number_of(table));
          return request;
        },
        [](auto& response) { return response.getId(); });
  }

  [[nodiscard]] Version stream_version(const events::TableInfo& table,
                                       const events::Uuid& id) const override {
    return held_.call<Version>(
        [&](wire::View::Client& view) {
          auto request = view.streamVersionRequest();
          request.setTable(number_of(table));
          request.setId(data_of(uuid_bytes(id)));
          return request;
        },
        [](auto& response) { return Version{response.getVersion()}; });
  }

 private:
  [[nodiscard]] std::future<Reply<Piece>> ask_rows(const events::TableInfo& table,
                                                   const std::optional<events::Uuid>& tenant,
                                                   const std::optional<RowKey>& after) const {
    return held_.begin<Piece>(
        [&](wire::View::Client& view) {
          auto request = view.scanRowsRequest();
          request.setTable(number_of(table));
          if (tenant) request.setTenant(data_of(uuid_bytes(*tenant)));
          if (after) {
            std::string key;
            append_key(key, *after);
            request.setAfter(data_of(key));
          }
          return request;
        },
        [](auto& response) {
          return Piece{std::string(bytes_of(response.getRows())), response.getEnded()};
        });
  }

  static RowKey last_key(const std::string& bytes) {
    RowKey last;
    for (Unpacker packed(bytes); packed.more();) last = packed.row().key;
    return last;
  }

  static std::optional<StoredRow> first_row(const std::string& bytes) {
    Unpacker packed(bytes);
    return packed.more() ? std::optional(packed.row()) : std::nullopt;
  }

  const HeldView held_;
};

// --- The store.

class Remote final : public RemoteStore {
 public:
  struct Greeted {
    StoreIdentity identity;
    pid_t process = 0;
    bool read_only = false;
  };

  Remote(Greeted greeted, std::unique_ptr<HeldOwner> held)
      : greeted_(greeted), held_(std::move(held)) {}

  pid_t owner_process() const override { return greeted_.process; }
  bool read_only() const override { return greeted_.read_only; }

  StoreIdentity identity() const override { return greeted_.identity; }

  LogTail tail() const override {
    return held_->call<LogTail>([](wire::Owner::Client& owner) { return owner.tailRequest(); },
                                [](auto& response) { return read_tail(response.getTail()); });
  }

  void read_after(Position after, Position through,
                  const std::function<bool(const StoredEvent&)>& visit) const override {
    LogFilter filter;
    filter.after = after;
    filter.through = through;
    filter.whole = true;
    read_log(filter, visit);
  }

  // While one piece is visited the next one is on its way.
  void read_log(const LogFilter& asked,
                const std::function<bool(const StoredEvent&)>& visit) const override {
    LogFilter filter = asked;
    const Position end = tail().tail;
    filter.through = std::min(filter.through.value_or(end), end);
    std::future<Reply<LogPiece>> next = ask_events(filter);
    while (true) {
      const LogPiece piece = next.get().take();
      if (!piece.ended) {
        go_on_behind(piece.reached, filter);
        next = ask_events(filter);
      }
      for (Unpacker packed(piece.events); packed.more();) {
        if (!visit(packed.event())) return;
      }
      if (piece.ended) return;
    }
  }

  RowsAt rows_now() const override {
    return held_->call<RowsAt>(
        [](wire::Owner::Client& owner) { return owner.lookRequest(); },
        [&](auto& response) {
          return RowsAt{read_tail(response.getTail()),
                        std::make_shared<RemoteView>(held_->connection(), response.getView())};
        });
  }

  RowsAt rows_at(Position position, const Progress& progress) const override {
    return fold_rows_at(*this, position, progress);
  }

  void fold_rows(Position through, const std::function<bool(const StoredEvent&)>& seen,
                 const std::function<bool(const FoldedRow&)>& visit) const override {
    fold_every_row(*this, through, seen, visit);
  }

  std::optional<Hash> chain_hash_at(Position position) const override {
    return held_->call<std::optional<Hash>>(
        [&](wire::Owner::Client& owner) {
          auto request = owner.chainHashAtRequest();
          request.setPosition(position.value);
          return request;
        },
        [](auto& response) -> std::optional<Hash> {
          const auto bytes = response.getHash();
          Hash hash{};
          if (bytes.size() != hash.size()) return std::nullopt;
          std::copy(bytes.begin(), bytes.end(), hash.begin());
          return hash;
        });
  }

  std::vector<Answer> submit(std::span<const events::CommandRequest> commands,
                             SubmitOptions options) override {
    return settle(submit_to(*held_, commands, options), options);
  }

  void submit_then(std::vector<events::CommandRequest> commands, SubmitOptions options,
                   OnSubmitted done) override {
    check_size(commands);
    const std::shared_ptr<Connection>& connection = held_->connection();
    connection->check_there();
    const auto tell = std::make_shared<OnSubmitted>(std::move(done));
    connection->wait<void>([&, &there = *connection] {
      there.keep(make_submission(held_->client(), commands, options)
                     .send()
                     .then([tell](auto&& response) { (*tell)(read_submitted(response)); })
                     .catch_([tell, &there](kj::Exception&& error) {
                       (*tell)({{}, there.fault_of(error)});
                     }));
    });
  }

  std::unique_ptr<Rehearsal> rehearse() override {
    return held_->call<std::unique_ptr<Rehearsal>>(
        [](wire::Owner::Client& owner) { return owner.rehearseRequest(); },
        [&](auto& response) {
          return std::make_unique<RemoteRehearsal>(
              std::make_unique<HeldRehearsal>(held_->connection(), response.getRehearsal()));
        });
  }

  Position await_tail(Position beyond, std::chrono::milliseconds timeout) const override {
    const auto until = std::chrono::steady_clock::now() + timeout;
    while (true) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
          until - std::chrono::steady_clock::now());
      const auto now = std::clamp<std::chrono::milliseconds>(left, {}, kAwaitMax);
      const Position reached = held_->call<Position>(
          [&](wire::Owner::Client& owner) {
            auto request = owner.awaitTailRequest();
            request.setBeyond(beyond.value);
            request.setMillis(static_cast<std::uint32_t>(now.count()));
            return request;
          },
          [](auto& response) { return read_tail(response.getTail()).tail; });
      if (reached > beyond || now == left) return reached;
    }
  }

  Position discarded() const override { return read_beginning({}, {}).discarded; }
  Position complete_after() const override { return read_beginning({}, {}).complete_after; }

  void note_consumer(const std::string& name, Position checkpoint, bool filled_anew) override {
    held_->call<bool>(
        [&](wire::Owner::Client& owner) {
          auto request = owner.noteConsumerRequest();
          request.setName(name.c_str());
          request.setCheckpoint(checkpoint.value);
          request.setFilledAnew(filled_anew);
          return request;
        },
        [](auto& /*response*/) { return true; });
  }

  bool forget_consumer(const std::string& name) override {
    return held_->call<bool>(
        [&](wire::Owner::Client& owner) {
          auto request = owner.forgetConsumerRequest();
          request.setName(name.c_str());
          return request;
        },
        [](auto& response) { return response.getFound(); });
  }

  Beginning read_beginning(Position through, const VisitEntry& visit) const override {
    Beginning beginning;
    for (std::uint64_t seen = 0;;) {
      const Piece piece = held_->call<Piece>(
          [&](wire::Owner::Client& owner) {
            auto request = owner.readBeginningRequest();
            request.setThrough(through.value);
            request.setSkip(seen);
            request.setEntries(static_cast<bool>(visit));
            return request;
          },
          [&](auto& response) {
            const Beginning found = owner::read_beginning(response.getBeginning());
            if (seen > 0 && found != beginning) {
              throw_history_discarded("a squash has discarded or redacted events meanwhile",
                                      "ask again");
            }
            beginning = found;
            return Piece{std::string(bytes_of(response.getEntries())), response.getEnded()};
          });
      for (Unpacker packed(piece.bytes); packed.more(); ++seen) {
        const auto [key, value] = packed.entry();
        if (!visit(key, value)) return beginning;
      }
      if (piece.ended) return beginning;
    }
  }

  Position position_at(events::Timestamp time) const override {
    return held_->call<Position>(
        [&](wire::Owner::Client& owner) {
          auto request = owner.positionAtRequest();
          request.setTime(time.micros);
          return request;
        },
        [](auto& response) { return Position{response.getPosition()}; });
  }

  void read_commands(const LogFilter& filter, const Progress& progress,
                     const VisitCommand& visit) const override {
    fold_commands(*this, filter, progress, visit);
  }

  ResolveOutcome resolve(const ResolveQuery& query) const override {
    return std::move(resolve_all({&query, 1}).front());
  }

  std::vector<ResolveOutcome> resolve_all(std::span<const ResolveQuery> queries) const override {
    return held_->call<std::vector<ResolveOutcome>>(
        [&](wire::Owner::Client& owner) {
          auto request = owner.resolveRequest();
          auto list = request.initQueries(static_cast<unsigned int>(queries.size()));
          for (unsigned int n = 0; n < list.size(); ++n) write_query(list[n], queries[n]);
          return request;
        },
        [&](auto& response) {
          std::vector<ResolveOutcome> outcomes;
          for (const auto outcome : response.getOutcomes()) {
            outcomes.push_back(read_outcome(outcome));
          }
          if (outcomes.size() != queries.size()) {
            throw events::MalformedError("an answer to other questions");
          }
          return outcomes;
        });
  }

  StoreStatus status() const override {
    StoreStatus status =
        held_->call<StoreStatus>([](wire::Owner::Client& owner) { return owner.statusRequest(); },
                                 [](auto& response) { return read_status(response.getStatus()); });
    status.identity = greeted_.identity;
    return status;
  }

  std::vector<CheckResult> verify(VerifyDepth depth, const Progress& progress) const override {
    const auto verification = held_->call<std::unique_ptr<HeldVerification>>(
        [&](wire::Owner::Client& owner) {
          auto request = owner.verifyRequest();
          request.setFull(depth == VerifyDepth::kFull);
          return request;
        },
        [&](auto& response) {
          return std::make_unique<HeldVerification>(held_->connection(),
                                                    response.getVerification());
        });
    return wait_for<std::vector<CheckResult>>(
        *verification, progress, [](auto& response) { return read_checks(response.getChecks()); });
  }

  BackupReport back_up(const fs::path& directory, const Progress& progress) override {
    const std::string absolute = store_directory(directory).string();
    const auto backup = held_->call<std::unique_ptr<HeldBackup>>(
        [&](wire::Owner::Client& owner) {
          auto request = owner.backUpRequest();
          request.setDirectory(absolute.c_str());
          return request;
        },
        [&](auto& response) {
          return std::make_unique<HeldBackup>(held_->connection(), response.getBackup());
        });
    return wait_for<BackupReport>(*backup, progress,
                                  [](auto& response) { return read_backup(response.getReport()); });
  }

  SquashReport plan_squash(const SquashOptions& options, const Progress& progress) const override {
    return ask_squash(options, /*plan=*/true, progress);
  }
  SquashReport squash(const SquashOptions& options, const Progress& progress) override {
    return ask_squash(options, /*plan=*/false, progress);
  }

 private:
  SquashReport ask_squash(const SquashOptions& options, bool plan, const Progress& progress) const {
    const auto squash = held_->call<std::unique_ptr<HeldSquash>>(
        [&](wire::Owner::Client& owner) {
          auto request = owner.squashRequest();
          write_squash_options(request.initOptions(), options);
          request.setPlan(plan);
          return request;
        },
        [&](auto& response) {
          return std::make_unique<HeldSquash>(held_->connection(), response.getSquash());
        });
    return wait_for<SquashReport>(*squash, progress,
                                  [](auto& response) { return read_squash(response.getReport()); });
  }

  // Until the work has ended; `progress` may throw, and the work has no use any more.
  template <class Result, class Client, class Read>
  static Result wait_for(const Held<Client>& work, const Progress& progress, Read&& read) {
    struct Stand {
      std::uint64_t done = 0;
      std::uint64_t total = 0;
      std::optional<Result> result;
    };
    while (true) {
      Stand stand = work.template call<Stand>(
          [](Client& running) {
            auto request = running.waitRequest();
            request.setMillis(kWorkStepMillis);
            return request;
          },
          [&read](auto& response) {
            Stand now{response.getDone(), response.getTotal(), std::nullopt};
            if (response.getEnded()) now.result = read(response);
            return now;
          });
      if (stand.result) return std::move(*stand.result);
      if (progress) progress(stand.done, stand.total);
    }
  }

  [[nodiscard]] std::future<Reply<LogPiece>> ask_events(const LogFilter& filter) const {
    return held_->begin<LogPiece>(
        [&](wire::Owner::Client& owner) {
          auto request = owner.readLogRequest();
          write_filter(request.initFilter(), filter);
          return request;
        },
        [](auto& response) {
          return LogPiece{std::string(bytes_of(response.getEvents())),
                          Position{response.getReached()}, response.getEnded()};
        });
  }

  const Greeted greeted_;
  const std::unique_ptr<HeldOwner> held_;
};

// Who is there, and what it owns; no owner if it is of another version.
struct Welcome {
  std::string version;
  bool leaving = false;
  LockIdentity lock;
  Remote::Greeted greeted;
  std::unique_ptr<HeldOwner> owner;
};

Welcome greet(const std::shared_ptr<Connection>& connection, bool writes) {
  return connection->wait<Welcome>([&] {
    auto request = connection->door().greetRequest();
    request.setVersion(kSoftwareVersion);
    request.setCaller(connection->caller());
    request.setWrites(writes);
    return connection->timer().timeoutAfter(
        kGreetingTimeout, request.send().then([&connection](auto&& response) {
          const auto greeting = response.getGreeting();
          Welcome welcome;
          welcome.version = greeting.getVersion().cStr();
          welcome.leaving = greeting.getLeaving();
          welcome.lock = {greeting.getLockDevice(), greeting.getLockInode()};
          welcome.greeted = {{read_uuid(greeting.getStoreId()), greeting.getIncarnation()},
                             static_cast<pid_t>(greeting.getProcess()),
                             greeting.getReadOnly()};
          if (response.hasOwner()) {
            welcome.owner = std::make_unique<HeldOwner>(connection, response.getOwner());
          }
          return welcome;
        }));
  });
}

}  // namespace

std::unique_ptr<RemoteStore> connect_to_owner(const fs::path& directory, bool writes,
                                              std::chrono::milliseconds look_every) {
  std::optional<FileDescriptor> socket = connect_in(directory);
  if (!socket) return nullptr;
  const auto connection = std::make_shared<Connection>(std::move(*socket), look_every);
  Welcome welcome;
  try {
    welcome = greet(connection, writes);
  } catch (const OwnerGone&) {
    return nullptr;
  } catch (const UnavailableError&) {  // It did not answer in time.
    return nullptr;
  }
  if (welcome.leaving || welcome.lock != lock_identity(directory)) return nullptr;
  if (!welcome.owner) {
    throw UnavailableError(
        fmt::format("process {} owns the store {} and is tenantry {}, this is {}",
                    welcome.greeted.process, directory.string(), welcome.version, kSoftwareVersion),
        "use the same version, or wait until it ends");
  }
  return std::make_unique<Remote>(welcome.greeted, std::move(welcome.owner));
}

}  // namespace tenantry::owner
