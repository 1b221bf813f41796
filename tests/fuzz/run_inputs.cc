#include <algorithm>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "core/file_ops.h"
#include "tests/fuzz/seeds.h"
#include "tests/fuzz/targets.h"

// Runs inputs of fuzz targets without a fuzzer; one that fails ends the process.
//   run_inputs                      every target: its seeds, and its files of tests/fuzz/crashers
//   run_inputs TARGET FILE…         these files
//   run_inputs --write-seeds DIR    writes DIR/TARGET/N
namespace tenantry::fuzz {
namespace {

namespace fs = std::filesystem;

void run(const Target& target, const std::string& name, std::string_view input) {
  // The last line before an abort says which input it was.
  fmt::print("{}: {}\n", target.name, name);
  std::fflush(stdout);
  target.run(input);
}

std::vector<fs::path> files_in(const fs::path& directory) {
  std::vector<fs::path> files;
  if (!fs::exists(directory)) return files;
  for (const auto& entry : fs::directory_iterator(directory)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

void run_all() {
  const fs::path crashers = fs::path(TENANTRY_SOURCE_DIR) / "tests" / "fuzz" / "crashers";
  std::size_t seeds = 0;
  std::size_t files = 0;
  for (const Target& target : targets()) {
    for (const std::string& seed : seeds_of(target.name))
      run(target, fmt::format("seed {}", seeds++), seed);
    for (const fs::path& path : files_in(crashers / target.name)) {
      run(target, path.string(), read_file(path).value());
      ++files;
    }
  }
  fmt::print("{} seeds, {} kept inputs\n", seeds, files);
}

void write_seeds(const fs::path& directory) {
  for (const Target& target : targets()) {
    fs::create_directories(directory / target.name);
    std::size_t number = 0;
    for (const std::string& seed : seeds_of(target.name))
      write_file_durably(directory / target.name / std::to_string(number++), seed);
  }
}

int run_command_line(const std::vector<std::string>& arguments) {
  if (arguments.empty()) {
    run_all();
    return 0;
  }
  if (arguments.size() == 2 && arguments[0] == "--write-seeds") {
    write_seeds(arguments[1]);
    return 0;
  }
  const Target* const target = find_target(arguments[0]);
  if (target == nullptr || arguments.size() < 2) {
    fmt::print(stderr, "usage: run_inputs [TARGET FILE… | --write-seeds DIRECTORY]\n");
    return 2;
  }
  for (std::size_t at = 1; at < arguments.size(); ++at) {
    const auto input = read_file(arguments[at]);
    if (!input) {
      fmt::print(stderr, "there is no {}\n", arguments[at]);
      return 2;
    }
    run(*target, arguments[at], *input);
  }
  return 0;
}

}  // namespace
}  // namespace tenantry::fuzz

int main(int count, char** values) {
  try {
    return tenantry::fuzz::run_command_line({values + 1, values + count});
  } catch (const std::exception& error) {
    fmt::print(stderr, "run_inputs: {}\n", error.what());
    return 1;
  }
}
