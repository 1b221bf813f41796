#include <filesystem>

#include <CLI/CLI.hpp>

#include "core/error.h"
#include "core/store.h"
#include "core/store_files.h"
#include "tools/command.h"

namespace tenantry::tools {
namespace {

class InitCommand final : public Command {
 public:
  [[nodiscard]] std::string_view name() const override { return "init"; }
  [[nodiscard]] std::string_view help() const override {
    return "Make a store. A directory that is one already stays as it is.";
  }
  [[nodiscard]] std::string_view examples() const override {
    return "tenantry init\n"
           "tenantry init --store /var/lib/tenantry\n"
           "TENANTRY_STORE=/var/lib/tenantry tenantry init";
  }
  void declare(CLI::App& app) override {
    app.add_flag("--dry-run", dry_run_, "say what would be made");
  }

  [[nodiscard]] ExitCode run(Session& session) override {
    const std::filesystem::path directory = session.options().store;
    const bool created = dry_run_ ? would_make_store(directory)
                                  : init_store(directory, session.clock(), session.ids());
    print_record(
        session.out(), session.printing(), {{"store"}, {"created"}, {"dry_run"}},
        {std::filesystem::absolute(directory).lexically_normal().string(), created, dry_run_});
    return ExitCode::kDone;
  }

 private:
  bool dry_run_ = false;
};

}  // namespace

std::unique_ptr<Command> make_init_command() { return std::make_unique<InitCommand>(); }

}  // namespace tenantry::tools
