#include <exception>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include <CLI/CLI.hpp>
#include <sys/resource.h>
#include <unistd.h>

#include "core/error.h"
#include "core/version.h"
#include "events/encoding.h"
#include "tools/command.h"
#include "tools/error_report.h"
#include "tools/help_formatter.h"
#include "tools/near_matches.h"
#include "tools/options.h"

// The program `tenantry`: reads the command line, runs one command, turns faults into messages and
// exit codes.
namespace tenantry::tools {
namespace {

constexpr const char* kDescription =
    "Tenantry: an event-sourced store of tenants, domains, users, memberships and invitations.";
constexpr const char* kExamples =
    "tenantry init\n"
    "tenantry do create_tenant --slug acme --name Acme --contact-email it@acme.example\n"
    "tenantry apply commands.ndjson\n"
    "tenantry log --tenant acme -p\n"
    "tenantry rebuild && tenantry verify";

using Commands = std::vector<std::unique_ptr<Command>>;

Commands make_commands() {
  Commands commands;
  commands.push_back(make_init_command());
  commands.push_back(make_import_command());
  commands.push_back(make_apply_command());
  commands.push_back(make_do_command());
  commands.push_back(make_resolve_command());
  commands.push_back(make_log_command());
  commands.push_back(make_show_command());
  commands.push_back(make_history_command());
  commands.push_back(make_blame_command());
  commands.push_back(make_rows_command());
  commands.push_back(make_members_command());
  commands.push_back(make_diff_command());
  commands.push_back(make_status_command());
  commands.push_back(make_project_command());
  commands.push_back(make_rebuild_command());
  commands.push_back(make_verify_command());
  commands.push_back(make_squash_command());
  commands.push_back(make_squashes_command());
  commands.push_back(make_backup_command());
  commands.push_back(make_restore_command());
  commands.push_back(make_schema_command());
  commands.push_back(make_generate_command());
  commands.push_back(make_export_command());
  commands.push_back(make_completion_command());
  return commands;
}

// An empty value is an unset variable of a script: it must not mean `no filter`.
void refuse_empty_values(CLI::App& app) {
  const auto takes_value = [](const CLI::Option* option) {
    return option->nonpositional() && option->get_items_expected_max() > 0;
  };
  for (CLI::Option* const option : app.get_options(takes_value)) {
    option->check(CLI::Validator(
        [](const std::string& text) {
          return text.empty() ? std::string("must not be empty") : std::string();
        },
        ""));
  }
}

void declare(CLI::App& app, const Commands& commands, GlobalOptions& options) {
  app.formatter(make_help_formatter());
  app.footer(kExamples);
  app.fallthrough();
  app.set_version_flag("--version", std::string("tenantry ") + kSoftwareVersion);
  declare_global_options(app, options);
  for (const auto& command : commands) {
    CLI::App* const sub =
        app.add_subcommand(std::string(command->name()), std::string(command->help()));
    sub->footer(std::string(command->examples()));
    command->declare(*sub);
    if (command->name() == "do") continue;  // Fields may be empty, and reasons.
    refuse_empty_values(*sub);
    for (CLI::App* const inner : sub->get_subcommands({})) refuse_empty_values(*inner);
  }
  refuse_empty_values(app);
  app.require_subcommand(1);
}

// The app whose command was chosen last on the line.
const CLI::App& innermost(const CLI::App& app) {
  const auto chosen = app.get_subcommands();
  return chosen.empty() ? app : innermost(*chosen.back());
}

std::string help_command(const CLI::App& app) {
  const CLI::App* const above = app.get_parent();
  return above == nullptr ? app.get_name() : help_command(*above) + " " + app.get_name();
}

[[noreturn]] void throw_usage_error(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App& place = innermost(app);
  const std::string see = help_command(place) + " --help";
  std::vector<std::string> names;
  for (const CLI::App* const sub : place.get_subcommands({})) names.push_back(sub->get_name());
  const std::vector<std::string> rest = app.remaining(true);
  if (!names.empty() && !rest.empty() && !rest.front().starts_with("-")) {
    const std::string near = did_you_mean(rest.front(), names);
    throw UsageError("unknown_command", "there is no command \"" + rest.front() + "\"",
                     near.empty() ? see : near);
  }
  if (!rest.empty()) {
    std::vector<std::string> options;
    for (const CLI::Option* const option : place.get_options()) {
      if (option->nonpositional()) options.push_back(option->get_name());
    }
    const std::string near = did_you_mean(rest.front(), options);
    throw UsageError("usage", "\"" + rest.front() + "\" is not expected by " + help_command(place),
                     near.empty() ? see : near);
  }
  throw UsageError("usage", error.what(), see);
}

ExitCode run(const std::vector<std::string>& arguments, const Interrupt& interrupt,
             OutputStream& out) {
  GlobalOptions options;
  const Commands commands = make_commands();
  CLI::App app(kDescription, "tenantry");
  declare(app, commands, options);
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::CallForHelp&) {
    out.write(app.help());
    out.flush();
    return ExitCode::kDone;
  } catch (const CLI::CallForVersion& version) {
    out.write(std::string(version.what()) + "\n");
    out.flush();
    return ExitCode::kDone;
  } catch (const CLI::ParseError& error) {
    throw_usage_error(app, error);
  }
  const std::string chosen = app.get_subcommands().front()->get_name();
  for (const auto& command : commands) {
    if (command->name() != chosen) continue;
    Session session(options, interrupt, out);
    if (command->opens() == Command::Opens::kToWrite) session.allow_writing();
    if (command->opens() == Command::Opens::kToReadForLong) session.prefer_writing();
    try {
      const ExitCode code = command->run(session);
      session.close();
      out.flush();
      return code;
    } catch (const std::runtime_error& fault) {
      out.flush();  // What was found before the fault stands.
      // A server that was given up for a stop is no fault.
      const bool unavailable = dynamic_cast<const UnavailableError*>(&fault) != nullptr;
      if (unavailable && interrupt.requested()) throw Interrupted{};
      throw;
    }
  }
  return ExitCode::kUsage;
}

ExitCode report(const ErrorReport& error, const std::vector<std::string>& arguments) {
  const bool json = wants_json_errors(arguments);
  const bool color = !json && wants_color_errors(arguments, ::isatty(STDERR_FILENO) == 1);
  const std::string text = format_error(error, json, color);
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
  return error.exit;
}

// A large store has more files open than the usual limit allows, which is there for the sake of old
// programs that use select(). What the administrator allows stays the limit.
void raise_limit_of_open_files() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);  // Else the store says that it cannot open a file.
}

ExitCode guarded_run(const std::vector<std::string>& arguments) {
  OutputStream out(STDOUT_FILENO);
  try {
    const Interrupt interrupt;
    return run(arguments, interrupt, out);
  } catch (const UsageError& error) {
    return report({error.code(), error.what(), {}, error.hint(), ExitCode{error.exit_code()}},
                  arguments);
  } catch (const UnavailableError& error) {
    return report({error.code(), error.what(), {}, error.hint(), ExitCode::kUnavailable},
                  arguments);
  } catch (const CorruptionError& error) {
    return report({"corruption", error.what(), {}, "tenantry verify --full", ExitCode::kCorrupt},
                  arguments);
  } catch (const events::MalformedError& error) {
    return report({"corruption", error.what(), {}, "tenantry verify --full", ExitCode::kCorrupt},
                  arguments);
  } catch (const CommandRefused& refused) {
    return report(report_of(refused.refusal), arguments);
  } catch (const Interrupted&) {
    return report({"interrupted", "stopped before the end", {}, {}, ExitCode::kInterrupted},
                  arguments);
  } catch (const ClosedPipe&) {
    return ExitCode::kDone;
  } catch (const std::system_error& error) {
    // The system refused something, mostly about a file; its message names which.
    return report({"unavailable", error.what(), {}, {}, ExitCode::kUnavailable}, arguments);
  } catch (const std::bad_alloc&) {
    return report({"unavailable", "out of memory", {}, {}, ExitCode::kUnavailable}, arguments);
  }
}

}  // namespace
}  // namespace tenantry::tools

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  tenantry::tools::raise_limit_of_open_files();
  try {
    return static_cast<int>(tenantry::tools::guarded_run(arguments));
  } catch (const std::exception& bug) {
    tenantry::assertion_failed(bug.what(), "main.cc", __LINE__);
  } catch (...) {
    tenantry::assertion_failed("an exception of no known type", "main.cc", __LINE__);
  }
}
