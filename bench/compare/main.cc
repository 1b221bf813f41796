#include <algorithm>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <sys/vfs.h>

#include "bench/compare/contender.h"
#include "bench/compare/goals.h"
#include "tests/support/temp_directory.h"

// The store beside its rivals: every run of a round follows the other, and ratios are taken inside
// a round.
namespace tenantry::bench {
namespace {

struct Options {
  std::size_t rounds = 5;
  double scale = 1;
  std::string only;
  std::string directory = std::filesystem::temp_directory_path().string();
  std::string postgres;
  std::string redis;
};

std::vector<Contender> make_contenders(const Options& options) {
  const std::vector<std::string> records = sample_records();
  const std::size_t bytes = records.front().size();
  std::vector<Contender> contenders = {
      raw_rocksdb_contender(names::kRaw3, records),
      raw_rocksdb_contender(names::kRaw7, records),
      raw_rocksdb_contender(names::kRaw10, records),
      raw_rocksdb_contender(names::kRawLog, records),
      store_contender(names::kStore),
      store_contender(names::kStoreSocket),
      store_contender(names::kStoreServing),
      store_contender(names::kStoreNoIds),
      store_contender(names::kStoreImport),
      store_contender(names::kStoreImportDomains),
      sqlite_contender(bytes),
      postgres_contender(names::kPostgres, options.postgres, bytes),
      postgres_contender(names::kMessageStore, options.postgres, bytes),
      redis_contender(options.redis, bytes),
      {names::kJetStream,
       {},
       "Debian 12 has NATS 2.9, which cannot sync before it answers (sync_interval came with "
       "2.10)"}};
  for (Contender& one : projection_contenders(options.postgres)) {
    contenders.push_back(std::move(one));
  }
  return contenders;
}

// Every run that a goal needs, those of one load next to each other.
std::vector<RunKey> needed_runs(const std::vector<Load>& all, const std::vector<Goal>& goals) {
  std::set<RunKey> needed;
  for (const Goal& goal : goals) {
    needed.insert(goal.ours);
    needed.insert(goal.rival);
  }
  std::vector<RunKey> ordered;
  for (const Load& load : all) {
    std::copy_if(needed.begin(), needed.end(), std::back_inserter(ordered),
                 [&](const RunKey& run) { return run.load == load.name; });
  }
  return ordered;
}

Measured run_once(const Contender& contender, const Load& load, const std::string& parent) {
  const TempDirectory temp(parent);
  const auto run = contender.start(temp / "run", load);
  return measure(*run, load);
}

void warn_of_memory(const std::string& directory) {
  struct statfs system {};
  constexpr long kTmpfs = 0x01021994;
  if (::statfs(directory.c_str(), &system) == 0 && system.f_type == kTmpfs) {
    fmt::print(stderr,
               "compare: warning: {} lies in memory, where nothing is durable; --directory names "
               "another place\n",
               directory);
  }
}

int compare(const Options& options) {
  warn_of_memory(options.directory);
  const std::vector<Load> all_loads = loads(options.scale);
  const std::vector<Contender> contenders = make_contenders(options);
  const std::vector<Goal> wanted = goals(options.only);
  if (wanted.empty())
    throw std::runtime_error("there is no goal '" + options.only + "'; --help names them");
  std::vector<RunKey> runs = needed_runs(all_loads, wanted);
  std::map<std::string, std::string> left_out;
  for (const Contender& contender : contenders) {
    if (!contender.left_out.empty() &&
        std::ranges::find(runs, contender.name, &RunKey::contender) != runs.end()) {
      left_out[contender.name] = contender.left_out;
    }
  }
  std::vector<Round> rounds;
  for (std::size_t number = 0; number < options.rounds; ++number) {
    Round& round = rounds.emplace_back();
    for (const RunKey& key : runs) {
      if (left_out.contains(key.contender)) continue;
      const auto contender =
          std::find_if(contenders.begin(), contenders.end(),
                       [&](const Contender& each) { return each.name == key.contender; });
      const auto load = std::find_if(all_loads.begin(), all_loads.end(),
                                     [&](const Load& each) { return each.name == key.load; });
      round[key] = run_once(*contender, *load, options.directory);
      fmt::print(stderr, "round {}: {}, {}: {:.0f} events/s\n", number + 1, key.contender, key.load,
                 round[key].events_per_second);
    }
    std::reverse(runs.begin(), runs.end());  // Nobody always comes first.
  }
  fmt::print("{}", report(wanted, rounds, left_out));
  return 0;
}

int run(int argc, char** argv) {
  Options options;
  CLI::App app(
      "Measures the store beside its rivals and prints the ratios. bench/run.sh starts "
      "the servers that some of them need.");
  bool tiny = false;
  app.add_option("--rounds", options.rounds, "how often everything is run")
      ->check(CLI::Range(1, 1000));
  app.add_option("--scale", options.scale, "multiplies the numbers of events")
      ->check(CLI::Range(0.0001, 1000.0));
  app.add_flag("--tiny", tiny, "one round of next to nothing, which only shows that it runs");
  app.add_option("--goal", options.only,
                 "only the runs of this goal: 1 to 5, 7, 10, socket or follow");
  app.add_option("--directory", options.directory, "where databases are made and removed");
  app.add_option("--postgres", options.postgres, "URL of a PostgreSQL server of its own")
      ->envname("TENANTRY_TEST_POSTGRES");
  app.add_option("--redis", options.redis, "socket of a Redis server of its own");
  CLI11_PARSE(app, argc, argv);
  if (tiny) {
    options.rounds = 1;
    options.scale = 0.0001;
  }
  return compare(options);
}

}  // namespace
}  // namespace tenantry::bench

int main(int argc, char** argv) {
  try {
    return tenantry::bench::run(argc, argv);
  } catch (const std::exception& error) {
    std::fputs("compare: error: ", stderr);
    std::fputs(error.what(), stderr);
    std::fputs("\n", stderr);
    return 1;
  }
}
