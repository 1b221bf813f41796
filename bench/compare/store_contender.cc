#include <algorithm>
#include <deque>
#include <future>
#include <span>
#include <stdexcept>
#include <utility>
#include <vector>

#include "bench/compare/contender.h"
#include "bench/workload.h"
#include "core/owner/remote_store.h"
#include "core/owner/server.h"
#include "core/record.h"
#include "core/store.h"
#include "events/encoding.h"
#include "events/events.capnp.h"
#include "tests/support/temp_directory.h"

namespace tenantry::bench {
namespace {

// Whether the store serves its socket, and whether its callers come through it.
enum class Door { kClosed, kOpen, kUsed };

// A store with its tenants, and the commands of the run.
class StoreRun final : public Run {
 public:
  StoreRun(const std::filesystem::path& directory, const WorkloadOptions& workload,
           const Load& load, Door door)
      : directory_(directory),
        load_(load),
        door_(door),
        commands_(draw_commands(workload, load.events)) {
    init_store(directory, *clock_, *ids_);
    open();
    require_accepted(store_->submit(make_tenants(workload.tenants), {}));
    tenants_end_ = store_->tail().tail;
    if (door != Door::kClosed) server_ = std::make_unique<owner::Server>(*store_, serving());
    if (!load.at_once) return;
    require_accepted(store_->submit(commands_, {}));
    open();  // What is read lies in files.
  }

  // Through the socket each caller has a connection of its own.
  [[nodiscard]] std::unique_ptr<Session> connect(std::size_t) override {
    if (door_ != Door::kUsed) return std::make_unique<StoreSession>(*this, *store_, nullptr);
    auto remote = owner::connect_to_owner(directory_);
    if (!remote) throw std::runtime_error("the store lets nobody in");
    TenancyStore& store = *remote;
    return std::make_unique<StoreSession>(*this, store, std::move(remote));
  }

  // Every field of every event is decoded; no hash is computed.
  [[nodiscard]] std::size_t run_all() override {
    std::size_t read = 0;
    std::size_t bytes = 0;
    store_->read_after(tenants_end_, store_->tail().tail, [&](const StoredEvent& stored) {
      auto view = events::MessageView::over(stored.payload, events::Origin::kStored);
      const auto event = view.root<events::Event>();
      const auto domain = event.getDomainAdded();
      bytes += event.getChannel().size() + event.getReason().size() +
               event.getCorrelationId().size() + event.getActor().size() +
               static_cast<std::size_t>(domain.getId()) + domain.getTenantId().size() +
               domain.getDomain().size() + (domain.getIsPrimary() ? 1 : 0) +
               (domain.getIsActive() ? 1 : 0);
      ++read;
      return true;
    });
    if (bytes == 0) throw std::runtime_error("the events are empty");
    return read;
  }

 private:
  class StoreSession final : public Session {
   public:
    StoreSession(StoreRun& run, TenancyStore& store, std::unique_ptr<TenancyStore> connection)
        : run_(run), connection_(std::move(connection)), store_(store) {}
    StoreSession(const StoreSession&) = delete;
    StoreSession& operator=(const StoreSession&) = delete;
    ~StoreSession() override = default;

    void append(std::size_t first, std::size_t count) override {
      const auto commands = std::span(run_.commands_).subspan(first, count);
      if (run_.load_.calls_in_flight == 1) {
        require_accepted(store_.submit(commands, {}));
        return;
      }
      if (under_way_.size() == run_.load_.calls_in_flight) await_first();
      const std::size_t commit = count > 1 ? count : 0;  // Lone commands share commits.
      under_way_.push_back(
          store_.submit_later({commands.begin(), commands.end()}, {.commit_commands_max = commit}));
    }
    void finish() override {
      while (!under_way_.empty()) await_first();
    }

   private:
    void await_first() {
      require_accepted(under_way_.front().get());
      under_way_.pop_front();
    }

    StoreRun& run_;
    const std::unique_ptr<TenancyStore> connection_;
    TenancyStore& store_;
    std::deque<std::future<std::vector<Answer>>> under_way_;
  };

  void open() {
    store_.reset();
    store_ = open_store({.directory = directory_}, *clock_, *ids_);
  }
  [[nodiscard]] owner::ServerOptions serving() const { return {.directory = directory_}; }

  const std::filesystem::path directory_;
  const Load load_;
  const Door door_;
  const std::vector<events::CommandRequest> commands_;
  std::unique_ptr<Clock> clock_ = make_system_clock();
  std::unique_ptr<IdSource> ids_ = make_random_ids();
  std::unique_ptr<TenancyStore> store_;
  std::unique_ptr<owner::Server> server_;
  Position tenants_end_;
};

WorkloadOptions workload_of(const std::string& name) {
  WorkloadOptions workload;
  workload.with_ids =
      name == names::kStore || name == names::kStoreSocket || name == names::kStoreServing;
  if (name == names::kStoreImport) workload.mix = Mix::kImportUsers;
  if (name == names::kStoreImportDomains) workload.mix = Mix::kImportDomains;
  return workload;
}

Door door_of(const std::string& name) {
  if (name == names::kStoreSocket) return Door::kUsed;
  return name == names::kStoreServing ? Door::kOpen : Door::kClosed;
}

}  // namespace

void require_accepted(const std::vector<Answer>& answers) {
  for (const Answer& answer : answers) {
    if (answer.status != Answer::Status::kAccepted || answer.count == 0) {
      throw std::runtime_error("the store refused a command: " + answer.refusal.message);
    }
  }
}

Contender store_contender(const std::string& name) {
  return {name,
          [workload = workload_of(name), door = door_of(name)](
              const std::filesystem::path& directory, const Load& load) -> std::unique_ptr<Run> {
            WorkloadOptions fitting = workload;
            fitting.tenants = std::min(kTenants, load.events);
            return std::make_unique<StoreRun>(directory, fitting, load, door);
          },
          {}};
}

std::vector<std::string> sample_records() {
  constexpr std::size_t kRecords = 4000;
  const TempDirectory temp;
  const auto clock = make_system_clock();
  const auto ids = make_random_ids();
  init_store(temp / "store", *clock, *ids);
  const auto store = open_store({.directory = temp / "store"}, *clock, *ids);
  require_accepted(store->submit(make_tenants(kTenants), {}));
  const Position tenants_end = store->tail().tail;
  require_accepted(store->submit(draw_commands({.tenants = kTenants}, kRecords), {}));
  std::vector<std::string> records;
  std::size_t bytes = 0;
  store->read_after(tenants_end, store->tail().tail, [&](const StoredEvent& event) {
    Hash chain{};
    records.push_back(encode_record_header(event, event.chain_hash, chain).append(event.payload));
    bytes = std::max(bytes, records.back().size());
    return true;
  });
  for (std::string& record : records) record.resize(bytes, '\0');
  return records;
}

}  // namespace tenantry::bench
