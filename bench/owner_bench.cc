#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "bench/workload.h"
#include "core/owner/remote_store.h"
#include "core/owner/server.h"
#include "core/store.h"
#include "tests/support/manual_clock.h"
#include "tests/support/temp_directory.h"

// A store through its owner's socket, and the same without it. Owner and caller are one process.
namespace tenantry::bench {
namespace {

constexpr std::size_t kTenants = 10'000;

// A store with tenants, each with a domain, and a way to it.
class OwnedStore {
 public:
  OwnedStore() {
    init_store(directory_, clock_, *ids_);
    store_ = open_store({.directory = directory_}, clock_, *ids_);
    for (const Answer& answer : store_->submit(make_tenants(kTenants), {})) {
      if (answer.status != Answer::Status::kAccepted) {
        throw std::runtime_error("a command was refused: " + answer.refusal.message);
      }
    }
    server_ =
        std::make_unique<owner::Server>(*store_, owner::ServerOptions{.directory = directory_});
    remote_ = owner::connect_to_owner(directory_);
    if (!remote_) throw std::runtime_error("the store lets nobody in");
  }

  [[nodiscard]] const TenancyStore& store() const { return *store_; }
  [[nodiscard]] const owner::RemoteStore& remote() const { return *remote_; }

 private:
  TempDirectory temp_;
  const std::filesystem::path directory_ = temp_ / "store";
  ManualClock clock_;
  std::unique_ptr<IdSource> ids_ = make_random_ids();
  std::unique_ptr<TenancyStore> store_;
  std::unique_ptr<owner::Server> server_;
  std::unique_ptr<owner::RemoteStore> remote_;
};

std::vector<ResolveQuery> hosts() {
  std::vector<ResolveQuery> queries(kTenants);
  for (std::size_t n = 0; n < kTenants; ++n) queries[n].host = tenant_slug(n) + ".example.org";
  return queries;
}

// `range(0)` queries in each call, on one connection; 0: without the socket. The store knows them
// all by then, as it does between two commits.
void resolve_through_socket(benchmark::State& state) {
  const OwnedStore owned;
  const std::vector<ResolveQuery> queries = hosts();
  const auto window = static_cast<std::size_t>(state.range(0));
  for (const ResolveQuery& query : queries) (void)owned.store().resolve(query);
  std::size_t next = 0;
  std::size_t asked = 0;
  for ([[maybe_unused]] auto turn : state) {
    if (window == 0) {
      benchmark::DoNotOptimize(owned.store().resolve(queries[next++]));
      ++asked;
    } else {
      benchmark::DoNotOptimize(
          owned.remote().resolve_all(std::span(queries).subspan(next, window)));
      next += window;
      asked += window;
    }
    if (next + window >= queries.size()) next = 0;
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(asked));
}
BENCHMARK(resolve_through_socket)->Arg(0)->Arg(1)->Arg(64)->UseRealTime();

// Every event, visited; `range(0)`: through the socket.
void read_log_through_socket(benchmark::State& state) {
  const OwnedStore owned;
  const TenancyStore& log = state.range(0) != 0 ? owned.remote() : owned.store();
  std::size_t events = 0;
  for ([[maybe_unused]] auto turn : state) {
    log.read_log({}, [&events](const StoredEvent&) { return ++events > 0; });
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(events));
}
BENCHMARK(read_log_through_socket)->Arg(0)->Arg(1)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace tenantry::bench
