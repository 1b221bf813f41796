#include <CLI/CLI.hpp>

#include "core/error.h"
#include "tools/command.h"
#include "tools/error_report.h"

namespace tenantry::tools {
namespace {

class ResolveCommand final : public Command {
 public:
  [[nodiscard]] std::string_view name() const override { return "resolve"; }
  [[nodiscard]] std::string_view help() const override {
    return "Find the tenant of a request, and say how it was found.";
  }
  [[nodiscard]] std::string_view examples() const override {
    return "tenantry resolve --host acme.example.com\n"
           "tenantry resolve --tenant-id 6f1e9b1c-0c5e-4a8e-9d53-2f6f6c3a1b77 --user ann\n"
           "tenantry resolve --user id:17";
  }
  void declare(CLI::App& app) override {
    app.add_option("--tenant-id", query_.tenant_id, "an explicit tenant")->type_name("UUID");
    app.add_option("--host", query_.host, "the host name of the request")->type_name("HOST");
    app.add_option("--user", query_.user, "the user of the request: a username or id:N")
        ->type_name("USER");
  }

  [[nodiscard]] ExitCode run(Session& session) override {
    if (!query_.tenant_id && !query_.host && !query_.user) {
      throw UsageError("usage", "resolve what?", "--tenant-id, --host or --user");
    }
    auto outcome = session.store().resolve(query_);
    if (auto* refusal = std::get_if<events::Refusal>(&outcome)) {
      throw CommandRefused{std::move(*refusal)};
    }
    const auto& found = std::get<Resolution>(outcome);
    print_record(session.out(), session.printing(),
                 {{"tenant_id"}, {"slug"}, {"name"}, {"matched"}},
                 {found.tenant, found.slug, found.name, found.matched});
    return ExitCode::kDone;
  }

 private:
  ResolveQuery query_;
};

}  // namespace

std::unique_ptr<Command> make_resolve_command() { return std::make_unique<ResolveCommand>(); }

}  // namespace tenantry::tools
