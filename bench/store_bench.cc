#include <algorithm>
#include <cstddef>
#include <future>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>

#include "bench/workload.h"
#include "core/hash.h"
#include "core/record.h"
#include "core/store.h"
#include "events/kinds.h"
#include "tests/support/manual_clock.h"
#include "tests/support/temp_directory.h"

// The store as a library calls it, in a temporary directory on this machine's disk.
namespace tenantry::bench {
namespace {

void require_accepted(const std::vector<Answer>& answers) {
  for (const Answer& answer : answers) {
    if (answer.status != Answer::Status::kAccepted) {
      throw std::runtime_error("a command was refused: " + answer.refusal.message);
    }
  }
}

// A store with tenants, each with a domain.
class StoreFixture {
 public:
  explicit StoreFixture(std::size_t tenants = 100) {
    init_store(temp_ / "store", clock_, *ids_);
    open();
    require_accepted(store_->submit(make_tenants(tenants), {}));
  }
  void close() { store_.reset(); }
  void open() { store_ = open_store({.directory = temp_ / "store"}, clock_, *ids_); }
  TenancyStore* operator->() { return store_.get(); }
  TenancyStore& operator*() { return *store_; }

 private:
  TempDirectory temp_;
  ManualClock clock_;
  std::unique_ptr<IdSource> ids_ = make_random_ids();
  std::unique_ptr<TenancyStore> store_;
};

std::vector<events::CommandRequest> draw(Mix mix, bool with_ids, std::size_t count,
                                         std::size_t tenants = 100) {
  return draw_commands({.mix = mix, .tenants = tenants, .with_ids = with_ids}, count);
}

// Hosts in turn, as a middleware asks.
void resolve_by_host(benchmark::State& state) {
  const auto tenants = static_cast<std::size_t>(state.range(0));
  StoreFixture store(tenants);
  std::vector<ResolveQuery> queries(tenants);
  for (std::size_t n = 0; n < tenants; ++n) queries[n].host = tenant_slug(n) + ".example.org";
  std::size_t next = 0;
  for ([[maybe_unused]] auto turn : state) {
    benchmark::DoNotOptimize(store->resolve(queries[next]));
    next = next + 1 == queries.size() ? 0 : next + 1;
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(resolve_by_host)->Arg(100)->Arg(10'000);

// For writing, after `range(0)` tenants were made and the store was closed.
void open_again(benchmark::State& state) {
  StoreFixture store(static_cast<std::size_t>(state.range(0)));
  for ([[maybe_unused]] auto turn : state) {
    state.PauseTiming();
    store.close();
    state.ResumeTiming();
    store.open();
  }
}
BENCHMARK(open_again)->Arg(0)->Arg(100'000)->Unit(benchmark::kMillisecond)->UseRealTime();

// Decided and applied in memory: everything but the disk.
void decide_and_apply(benchmark::State& state) {
  constexpr std::size_t kCommands = 1000;
  const auto commands = draw(Mix::kRandom, /*with_ids=*/true, kCommands);
  for ([[maybe_unused]] auto turn : state) {
    state.PauseTiming();
    auto store = std::make_unique<StoreFixture>();
    state.ResumeTiming();
    require_accepted((*store)->rehearse()->submit(commands, {}));
    state.PauseTiming();
    store.reset();
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kCommands));
}
BENCHMARK(decide_and_apply)->Unit(benchmark::kMillisecond);

// One store for all threads of a run.
class SharedStore {
 public:
  void start() { store_ = std::make_unique<StoreFixture>(); }
  void stop() { store_.reset(); }
  TenancyStore& store() { return **store_; }

 private:
  std::unique_ptr<StoreFixture> store_;
};
SharedStore shared_store;  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables): see below.
void start_shared(const benchmark::State&) { shared_store.start(); }
void stop_shared(const benchmark::State&) { shared_store.stop(); }

// The commands of one of a run's threads.
std::vector<events::CommandRequest> draw_share(const benchmark::State& state) {
  const auto thread = static_cast<std::size_t>(state.thread_index());
  return draw_commands({.tenants = 100, .seed = thread + 1, .first = thread * state.max_iterations},
                       state.max_iterations);
}

// One event to a call; callers that come together share a sync. Google Benchmark hands its threads
// nothing but the state, hence the global above.
void submit_one(benchmark::State& state) {
  const std::vector<events::CommandRequest> commands = draw_share(state);
  std::size_t next = 0;
  for ([[maybe_unused]] auto turn : state) {
    require_accepted(shared_store.store().submit({&commands[next++], 1}, {}));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(submit_one)
    ->Threads(1)
    ->Threads(8)
    ->Threads(32)
    ->Setup(start_shared)
    ->Teardown(stop_shared)
    ->UseRealTime();

// Each caller has `range(0)` commands under way.
void submit_in_flight(benchmark::State& state) {
  const auto window = static_cast<std::size_t>(state.range(0));
  const std::vector<events::CommandRequest> commands = draw_share(state);
  std::vector<std::future<std::vector<Answer>>> under_way(window);
  std::size_t at = 0;
  std::size_t next = 0;
  for ([[maybe_unused]] auto turn : state) {
    if (under_way[at].valid()) require_accepted(under_way[at].get());
    under_way[at] = shared_store.store().submit_later({commands[next++]}, {});
    at = (at + 1) % window;
  }
  for (auto& answers : under_way) {
    if (answers.valid()) require_accepted(answers.get());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(submit_in_flight)
    ->Arg(16)
    ->Threads(4)
    ->Setup(start_shared)
    ->Teardown(stop_shared)
    ->UseRealTime();

// `range(0)` one-event commands to a commit, with ids or without.
void import_commands(benchmark::State& state) {
  constexpr std::size_t kCommandsMax = 100'000;
  const auto group = static_cast<std::size_t>(state.range(0));
  const std::size_t count = std::min<std::size_t>(state.max_iterations * group, kCommandsMax);
  const std::size_t tenants = count / 20 + 1;
  const auto commands = draw(Mix::kImportDomains, state.range(1) != 0, count, tenants);
  auto store = std::make_unique<StoreFixture>(tenants);
  std::size_t next = 0;
  for ([[maybe_unused]] auto turn : state) {
    if (next + group > count) {  // All are there: begin anew.
      state.PauseTiming();
      store = std::make_unique<StoreFixture>(tenants);
      next = 0;
      state.ResumeTiming();
    }
    require_accepted((*store)->submit(std::span(commands).subspan(next, group), {}));
    next += group;
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(import_commands)
    ->ArgNames({"group", "ids"})
    ->ArgsProduct({{100, 1000}, {0, 1}})
    ->UseRealTime();

// Every event of a log, decoded; with its hashes computed anew if `range(1)`.
void replay_log(benchmark::State& state) {
  const auto events = static_cast<std::size_t>(state.range(0));
  const bool hashes = state.range(1) != 0;
  StoreFixture store;
  require_accepted(store->submit(draw(Mix::kImportDomains, false, events), {}));
  std::int64_t count = 0;
  std::int64_t bytes = 0;
  const std::string header(kRecordHashedBytes, 'h');
  for ([[maybe_unused]] auto turn : state) {
    Hash link{};
    store->read_after({}, store->tail().tail, [&](const StoredEvent& event) {
      if (hashes) link = chain_hash(link, header, event.payload);
      const auto view = events::EventView::over(event.payload, events::Origin::kStored);
      benchmark::DoNotOptimize(view.fields());
      ++count;
      bytes += static_cast<std::int64_t>(event.payload.size());
      return true;
    });
    benchmark::DoNotOptimize(link);
  }
  state.SetItemsProcessed(count);
  state.SetBytesProcessed(bytes);
}
BENCHMARK(replay_log)
    ->ArgNames({"events", "hashes"})
    ->ArgsProduct({{20'000}, {0, 1}})
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace tenantry::bench
