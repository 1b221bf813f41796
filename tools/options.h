#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tools/printer.h"

namespace CLI {  // NOLINT(readability-identifier-naming): the library's own.
class App;
}

namespace tenantry::tools {

// What every command takes.
struct GlobalOptions {
  std::string store = "./tenantry-store";
  std::string read_model;  // As given by option; the environment is looked at where it is needed.
  std::string output;
  std::string fields;
  std::string color = "auto";
  bool reveal = false;
  bool quiet = false;
  bool yes = false;
};

void declare_global_options(CLI::App& app, GlobalOptions& options);

// Adds an option that takes a whole number from 1.
void add_count(CLI::App& app, const std::string& name, std::uint64_t& value,
               const std::string& help);

// The format that was asked for; none when none was. UsageError for one that does not exist.
[[nodiscard]] std::optional<Format> requested_format(const GlobalOptions& options);

// How errors are wanted, judged by the raw arguments: reading them may be what failed.
[[nodiscard]] bool wants_json_errors(const std::vector<std::string>& arguments);
[[nodiscard]] bool wants_color_errors(const std::vector<std::string>& arguments, bool terminal);

// Whether to colour what goes to a stream that is or is not a terminal: --color, then NO_COLOR.
[[nodiscard]] bool wants_color(const std::string& color, bool terminal);

// `a,b` apart; empty parts are left out.
[[nodiscard]] std::vector<std::string> split_list(const std::string& list);

}  // namespace tenantry::tools
