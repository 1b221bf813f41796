#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "core/store.h"
#include "events/commands.h"
#include "tests/support/manual_clock.h"
#include "tests/support/temp_directory.h"

// The store as a library calls it, in a temporary directory on this machine's disk.
namespace tenantry {
namespace {

events::CommandRequest request(const std::string& line) {
  return std::get<events::CommandRequest>(events::parse_command_line(line, {}, false));
}

events::CommandRequest new_tenant(std::int64_t number) {
  const std::string name = "t" + std::to_string(number);
  return request(R"({"command":"create_tenant","data":{"name":"T","slug":")" + name +
                 R"(","contact_email":"a@b.io","domain":")" + name + R"(.example.com"}})");
}

// A store with `tenants` tenants, each with a domain.
class StoreFixture {
 public:
  explicit StoreFixture(std::int64_t tenants) {
    init_store(temp_ / "store", clock_, *ids_);
    store_ = open_store({.directory = temp_ / "store"}, clock_, *ids_);
    std::vector<events::CommandRequest> commands;
    for (std::int64_t n = 0; n < tenants; ++n) commands.push_back(new_tenant(n));
    (void)store_->submit(commands, {});
  }
  TenancyStore& operator*() { return *store_; }

 private:
  TempDirectory temp_;
  ManualClock clock_;
  std::unique_ptr<IdSource> ids_ = make_random_ids();
  std::unique_ptr<TenancyStore> store_;
};

// Hosts in turn, as a middleware asks.
void resolve_by_host(benchmark::State& state) {
  const std::int64_t tenants = state.range(0);
  StoreFixture store(tenants);
  std::vector<ResolveQuery> queries;
  for (std::int64_t n = 0; n < tenants; ++n) {
    ResolveQuery query;
    query.host = "t" + std::to_string(n) + ".example.com";
    queries.push_back(std::move(query));
  }
  std::size_t next = 0;
  for ([[maybe_unused]] auto turn : state) {
    benchmark::DoNotOptimize((*store).resolve(queries[next]));
    next = next + 1 == queries.size() ? 0 : next + 1;
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(resolve_by_host)->Arg(100)->Arg(10'000);

// One-event commands, `range(0)` to a call and so to a sync.
void submit_in_groups(benchmark::State& state) {
  StoreFixture store(1);
  const std::int64_t group = state.range(0);
  std::int64_t next = 0;
  for ([[maybe_unused]] auto turn : state) {
    state.PauseTiming();
    std::vector<events::CommandRequest> commands;
    for (std::int64_t n = 0; n < group; ++n) {
      commands.push_back(request(R"({"command":"register_user","data":{"username":"u)" +
                                 std::to_string(next++) + R"("}})"));
    }
    state.ResumeTiming();
    benchmark::DoNotOptimize((*store).submit(commands, {}));
  }
  state.SetItemsProcessed(state.iterations() * group);
}
BENCHMARK(submit_in_groups)->Arg(1)->Arg(100)->Arg(1000);

}  // namespace
}  // namespace tenantry
