#include <charconv>
#include <chrono>
#include <cstdint>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "core/error.h"
#include "tools/command.h"
#include "tools/generator/generator.h"

namespace tenantry::tools {
namespace {

constexpr std::uint64_t kEventsPerTenant = 100;
constexpr std::uint64_t kCommandsBetweenChecks = 1024;

std::uint64_t parse_number(const char* option, const std::string& text) {
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error == std::errc() && rest == end) return number;
  throw UsageError(
      "usage", fmt::format("{} takes a whole number from 0 to 2^64 - 1, not \"{}\"", option, text),
      "tenantry generate --help");
}

class GenerateCommand final : public Command {
 public:
  [[nodiscard]] std::string_view name() const override { return "generate"; }
  [[nodiscard]] std::string_view help() const override {
    return "Make up a believable history, as commands for apply --historic. The same options give "
           "the same bytes.";
  }
  [[nodiscard]] std::string_view examples() const override {
    return "tenantry generate --tenants 10 --seed 1 | tenantry apply --historic -\n"
           "tenantry generate --tenants 1000 --seed 7 --events 1000000 > history.ndjson\n"
           "tenantry generate --tenants 50 --seed 3 --events 20000 --rejections 5 > mixed.ndjson";
  }

  void declare(CLI::App& app) override {
    app.add_option("--tenants", tenants_, "how many live from the middle of the history on")
        ->type_name("N")
        ->required();
    app.add_option("--seed", seed_, "which history: another seed gives another one")
        ->type_name("S")
        ->required();
    app.add_option("--events", events_,
                   "exactly so many events are caused by the commands (default 100 a tenant)")
        ->type_name("N");
    app.add_option("--rejections", rejections_,
                   "of a hundred commands, so many that a rule rejects (default 0, at most 90)")
        ->type_name("PERCENT");
  }

  [[nodiscard]] ExitCode run(Session& session) override {
    const generator::GeneratorOptions options = parse_options();
    generator::Generator generator(options);
    ProgressMeter meter(session.progress_mode(/*streams=*/true), "generate", "events");
    const auto started = std::chrono::steady_clock::now();
    std::uint64_t commands = 0;
    generator::GeneratedCommand command;
    while (generator.next(command)) {
      session.out().write(command.line);
      session.out().write("\n");
      if (++commands % kCommandsBetweenChecks != 0) continue;
      session.interrupt().check();
      meter.update(generator.events(), options.events);
    }
    session.out().flush();
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - started;
    session.remark(fmt::format("{} commands, {} events in {:.1f} s", commands, generator.events(),
                               taken.count()));
    return ExitCode::kDone;
  }

 private:
  [[nodiscard]] generator::GeneratorOptions parse_options() const {
    generator::GeneratorOptions options;
    options.tenants = parse_number("--tenants", tenants_);
    options.seed = parse_number("--seed", seed_);
    options.rejections_percent = parse_number("--rejections", rejections_);
    // Out of range is for the generator to say; the product must not overflow before.
    options.events =
        events_.empty() ? default_events(options.tenants) : parse_number("--events", events_);
    return options;
  }

  static std::uint64_t default_events(std::uint64_t tenants) {
    return tenants <= generator::kTenantsMax ? tenants * kEventsPerTenant : 1;
  }

  std::string tenants_;
  std::string seed_;
  std::string events_;
  std::string rejections_ = "0";
};

}  // namespace

std::unique_ptr<Command> make_generate_command() { return std::make_unique<GenerateCommand>(); }

}  // namespace tenantry::tools
