#include <string>
#include <variant>

#include <benchmark/benchmark.h>

#include "bench/workload.h"
#include "core/decide.h"
#include "events/encoding.h"
#include "events/kinds.h"
#include "events/tables.h"

// Events, rows and commands to bytes and back.
namespace tenantry::bench {
namespace {

void parse_command(benchmark::State& state) {
  const std::string line =
      R"({"command":"register_user","data":{"username":"ann","email":"ann@example.com"}})";
  for ([[maybe_unused]] auto turn : state) {
    benchmark::DoNotOptimize(events::parse_command_line(line, {}, false));
  }
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(line.size()));
}
BENCHMARK(parse_command);

// A row of the widest table.
events::RowValues tenant_row() {
  events::RowValues row;
  for (const events::ColumnInfo& column : events::table_of(events::EntityKind::TENANT).columns) {
    switch (column.type) {
      case events::SqlType::UUID:
        row.emplace_back(uuid_from(1, 2));
        break;
      case events::SqlType::BOOLEAN:
        row.emplace_back(true);
        break;
      case events::SqlType::TIMESTAMPTZ:
        row.emplace_back(events::Timestamp{1'769'860'800'000'000});
        break;
      case events::SqlType::INTEGER:
      case events::SqlType::BIGINT:
        row.emplace_back(std::int64_t{7});
        break;
      default:
        row.emplace_back(std::string("{}"));
    }
  }
  return row;
}

void encode_row(benchmark::State& state) {
  const auto& table = events::table_of(events::EntityKind::TENANT);
  const events::RowValues row = tenant_row();
  std::size_t bytes = 0;
  for ([[maybe_unused]] auto turn : state) bytes += events::encode_row(table, row).size();
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes));
}
BENCHMARK(encode_row);

void decode_row(benchmark::State& state) {
  const auto& table = events::table_of(events::EntityKind::TENANT);
  const std::string bytes = events::encode_row(table, tenant_row());
  for ([[maybe_unused]] auto turn : state) {
    benchmark::DoNotOptimize(events::decode_row(table, bytes));
  }
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes.size()));
}
BENCHMARK(decode_row);

void decode_event(benchmark::State& state) {
  const std::string payload = domain_added_event();
  for ([[maybe_unused]] auto turn : state) {
    benchmark::DoNotOptimize(events::EventView(payload).kind().number);
  }
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(payload.size()));
}
BENCHMARK(decode_event);

void row_changes_of_event(benchmark::State& state) {
  const std::string payload = domain_added_event();
  for ([[maybe_unused]] auto turn : state) {
    events::EventView view(payload);
    benchmark::DoNotOptimize(events::row_changes(view, {}));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(row_changes_of_event);

}  // namespace
}  // namespace tenantry::bench
