#pragma once

#include <string>
#include <vector>

namespace CLI {  // NOLINT(readability-identifier-naming): the library's own.
class App;
}

// What can be typed where, and scripts by which shells complete it.
namespace tenantry::tools {

// What stands after an option, or in the place of an argument.
struct CompletionValue {
  enum class Kind { kNone, kAnything, kWords, kFile, kDirectory };
  Kind kind = Kind::kNone;  // kNone: an option that takes no value.
  std::vector<std::string> words;
};

struct CompletionOption {
  std::vector<std::string> names;  // `-o`, `--output`
  std::string help;
  CompletionValue value;
};

struct CompletionCommand {
  std::string path;  // `log`, `do create_tenant`; empty for the program itself.
  std::string help;
  std::vector<CompletionOption> options;
  CompletionValue argument;
};

// The program's commands, of which `root` is the app, and those that `do` takes. The first one is
// the program itself.
[[nodiscard]] std::vector<CompletionCommand> completion_commands(const CLI::App& root);

[[nodiscard]] std::string bash_completion(const std::vector<CompletionCommand>& commands);
[[nodiscard]] std::string zsh_completion(const std::vector<CompletionCommand>& commands);
[[nodiscard]] std::string fish_completion(const std::vector<CompletionCommand>& commands);

}  // namespace tenantry::tools
