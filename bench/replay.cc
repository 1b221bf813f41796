#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "core/store.h"
#include "events/encoding.h"

// Reads a store's log from its first event to its last and decodes each: tenantry_replay_bench DIR.
// Prints how many there were.
namespace tenantry::bench {
namespace {

std::uint64_t replay(const std::string& directory) {
  const auto clock = make_system_clock();
  const auto ids = make_random_ids();
  const auto store = open_store({.directory = directory, .read_only = true}, *clock, *ids);
  std::uint64_t events = 0;
  store->read_after({}, store->tail().tail, [&](const StoredEvent& event) {
    benchmark::DoNotOptimize(
        events::EventView::over(event.payload, events::Origin::kStored).fields());
    ++events;
    return true;
  });
  return events;
}

}  // namespace
}  // namespace tenantry::bench

int main(int count, char** values) {
  const std::vector<std::string> arguments(values + 1, values + count);
  try {
    if (arguments.size() != 1) {
      fmt::print(stderr, "usage: tenantry_replay_bench DIR\n");
      return 2;
    }
    fmt::print("{}\n", tenantry::bench::replay(arguments[0]));
  } catch (const std::exception& error) {
    fmt::print(stderr, "tenantry_replay_bench: {}\n", error.what());
    return 1;
  }
}
