#include <cstdlib>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <variant>

#include <benchmark/benchmark.h>
#include <pqxx/pqxx>

#include "bench/workload.h"
#include "core/store.h"
#include "projections/digest.h"
#include "projections/postgres/postgres_read_model.h"
#include "projections/projector.h"
#include "projections/sqlite/sqlite_read_model.h"
#include "tests/support/manual_clock.h"
#include "tests/support/temp_directory.h"

// Events into read models, and the fingerprints that compare them.
namespace tenantry::bench {
namespace {

// A store with `events` domains.
class FilledStore {
 public:
  explicit FilledStore(std::size_t events) {
    init_store(temp_ / "store", clock_, *ids_);
    store_ = open_store({.directory = temp_ / "store"}, clock_, *ids_);
    const std::size_t tenants = events / 20 + 1;
    (void)store_->submit(make_tenants(tenants), {});
    (void)store_->submit(draw_commands({.mix = Mix::kImportDomains, .tenants = tenants}, events),
                         {});
  }
  TenancyStore& operator*() { return *store_; }
  std::filesystem::path operator/(const std::string& name) const { return temp_ / name; }

 private:
  TempDirectory temp_;
  ManualClock clock_;
  std::unique_ptr<IdSource> ids_ = make_random_ids();
  std::unique_ptr<TenancyStore> store_;
};

// Everything in the log, `range(1)` events to a transaction.
void project_all(benchmark::State& state, TenancyStore& store, projections::ReadModel& target) {
  const auto outcome = projections::project(
      store, target, {.batch_events = static_cast<std::size_t>(state.range(1))});
  if (!std::holds_alternative<projections::Projected>(outcome)) {
    throw std::runtime_error("the projector was fenced");
  }
}

void project_into_sqlite(benchmark::State& state) {
  FilledStore store(static_cast<std::size_t>(state.range(0)));
  std::size_t run = 0;
  for ([[maybe_unused]] auto turn : state) {
    const auto target = projections::open_sqlite_read_model(
        {.path = store / ("read_model" + std::to_string(run++) + ".sqlite3")});
    project_all(state, *store, *target);
  }
  state.SetItemsProcessed(state.iterations() *
                          static_cast<std::int64_t>((*store).tail().tail.value));
}
BENCHMARK(project_into_sqlite)
    ->ArgNames({"events", "batch"})
    ->ArgsProduct({{5'000}, {20, 1000}})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

void execute(pqxx::connection& connection, const std::string& sql) {
  pqxx::work work(connection);
  work.exec(sql);
  work.commit();
}

// Needs a server: `tools/postgres.sh run --durable --` names it in the environment. Each run has a
// schema of its own.
void project_into_postgres(benchmark::State& state) {
  const char* const url = std::getenv("TENANTRY_TEST_POSTGRES");
  if (url == nullptr) {
    state.SkipWithError("no server: run it under tools/postgres.sh run --durable --");
    return;
  }
  FilledStore store(static_cast<std::size_t>(state.range(0)));
  pqxx::connection connection(url);
  std::size_t run = 0;
  for ([[maybe_unused]] auto turn : state) {
    state.PauseTiming();
    // Unused so far: the mark of a read model outlives its schema.
    const std::string schema =
        "bench " + events::format_uuid((*store).identity().store) + " " + std::to_string(run++);
    execute(connection, "CREATE SCHEMA " + connection.quote_name(schema));
    state.ResumeTiming();
    const auto target =
        projections::open_postgres_read_model({.connection = url, .schema = schema});
    project_all(state, *store, *target);
    state.PauseTiming();
    execute(connection, "DROP SCHEMA " + connection.quote_name(schema) + " CASCADE");
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() *
                          static_cast<std::int64_t>((*store).tail().tail.value));
}
BENCHMARK(project_into_postgres)
    ->ArgNames({"events", "batch"})
    ->ArgsProduct({{5'000}, {20, 1000}})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

void digest_rows(benchmark::State& state) {
  const auto& table = events::table_of(events::EntityKind::DOMAIN);
  const events::RowValues row{std::int64_t{7},      domain_name(7),       true,           true,
                              events::Timestamp{1}, events::Timestamp{2}, uuid_from(1, 7)};
  projections::TableDigest digest(table);
  for ([[maybe_unused]] auto turn : state) digest.add(row);
  benchmark::DoNotOptimize(digest.hex());
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(digest_rows);

}  // namespace
}  // namespace tenantry::bench
