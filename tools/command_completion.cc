#include <string>

#include <CLI/CLI.hpp>

#include "core/error.h"
#include "tools/command.h"
#include "tools/completion.h"

namespace tenantry::tools {
namespace {

class ShellCompletionCommand final : public Command {
 public:
  [[nodiscard]] std::string_view name() const override { return "completion"; }
  [[nodiscard]] std::string_view help() const override {
    return "Print the script by which a shell completes commands, options and values.";
  }
  [[nodiscard]] std::string_view examples() const override {
    return "tenantry completion bash > ~/.local/share/bash-completion/completions/tenantry\n"
           "tenantry completion zsh > \"${fpath[1]}/_tenantry\"\n"
           "tenantry completion fish > ~/.config/fish/completions/tenantry.fish";
  }
  void declare(CLI::App& app) override {
    app_ = &app;
    app.add_option("SHELL", shell_, "bash, zsh or fish")->required();
  }

  [[nodiscard]] ExitCode run(Session& session) override {
    const auto commands = completion_commands(*app_->get_parent());
    if (shell_ == "bash") {
      session.out().write(bash_completion(commands));
    } else if (shell_ == "zsh") {
      session.out().write(zsh_completion(commands));
    } else if (shell_ == "fish") {
      session.out().write(fish_completion(commands));
    } else {
      throw UsageError("usage", "there is no completion for \"" + shell_ + "\"",
                       "tenantry completion bash, zsh or fish");
    }
    session.out().flush();
    return ExitCode::kDone;
  }

 private:
  CLI::App* app_ = nullptr;
  std::string shell_;
};

}  // namespace

std::unique_ptr<Command> make_completion_command() {
  return std::make_unique<ShellCompletionCommand>();
}

}  // namespace tenantry::tools
