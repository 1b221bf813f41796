#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "core/error.h"
#include "tools/command.h"
#include "tools/command_output.h"
#include "tools/log_filter.h"

namespace tenantry::tools {
namespace {

class ExportCommand final : public Command {
 public:
  [[nodiscard]] std::string_view name() const override { return "export"; }
  [[nodiscard]] std::string_view help() const override {
    return "Print the history as the commands that make it again, for apply --historic.\n"
           "- each line is one accepted command, proved to make exactly its events: ids, times, "
           "actors and reasons included\n"
           "- applied to an empty store, all of it gives equal rows and, but for restores, "
           "equal positions with --reveal; without, passwords become unusable and tokens new ones, "
           "all else is equal\n"
           "- with filters, what the lines refer to must be there where they are applied, and ids "
           "that commands cannot name are drawn anew";
  }
  [[nodiscard]] std::string_view examples() const override {
    return "tenantry export > commands.ndjson\n"
           "tenantry export --reveal | tenantry apply --historic --store /srv/copy -q\n"
           "tenantry export --tenant acme --after 30d";
  }
  void declare(CLI::App& app) override { declare_log_filter(app, filter_); }

  [[nodiscard]] ExitCode run(Session& session) override {
    check_output(session);
    const TenancyStore& store = session.store();
    const LogFilter filter = make_log_filter(store, filter_, session.now());
    ProgressMeter meter(session.progress_mode(/*streams=*/true), "export", "events");
    store.read_commands(filter, session.progress_of(meter),
                        [&](const events::CommandRequest& request) {
                          session.interrupt().check();
                          return print(session, request);
                        });
    session.out().flush();
    return ExitCode::kDone;
  }

 private:
  static void check_output(const Session& session) {
    const auto format = requested_format(session.options());
    if (!session.options().fields.empty()) {
      throw UsageError("usage", "--fields has no meaning here: a command is exported whole",
                       "tenantry log --fields position,kind,data");
    }
    if (format && *format != Format::kNdjson) {
      throw UsageError("usage", "commands are exported as NDJSON, the form that apply reads",
                       "tenantry export -o ndjson; tenantry log prints events in every form");
    }
  }

  // Returns whether to go on.
  bool print(Session& session, const events::CommandRequest& request) {
    const std::uint64_t number = printed_ + 1;
    const bool causation = !filter_.filters();
    const std::string full = line_of(request, {true, causation, number});
    check(full, request);
    const std::string masked = line_of(request, {false, causation, number});
    // A search looks at what everybody may see.
    if (masked.find(filter_.grep) == std::string::npos) return true;
    session.out().write((session.reveal() ? full : masked) + "\n");
    return ++printed_ != filter_.limit;
  }

  std::string line_of(const events::CommandRequest& request, const CommandOutput& options) {
    json_.clear();
    build_command(json_, request, options);
    return std::string(json_.text());
  }

  // The line must say to apply what was proved to make the events.
  static void check(const std::string& line, const events::CommandRequest& request) {
    const auto read = events::parse_command_line(line, {}, /*historic=*/true);
    const auto* const again = std::get_if<events::CommandRequest>(&read);
    if (again != nullptr && again->command == request.command) return;
    const auto* const refusal = std::get_if<events::Refusal>(&read);
    const auto at = request.circumstances.at.value_or(events::Timestamp{});
    throw UsageError(
        "not_expressible",
        fmt::format("no line says the command of {}: {}", events::format_timestamp(at),
                    refusal != nullptr ? refusal->message : "it would be read as another one"),
        "tenantry log --after, with that time");
  }

  LogFilterOptions filter_;
  JsonBuilder json_;
  std::uint64_t printed_ = 0;
};

}  // namespace

std::unique_ptr<Command> make_export_command() { return std::make_unique<ExportCommand>(); }

}  // namespace tenantry::tools
