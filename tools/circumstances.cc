#include "tools/circumstances.h"

#include <cstddef>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "core/error.h"
#include "events/text.h"

namespace tenantry::tools {
namespace {

// As of every command.
constexpr std::size_t kActorMax = 200;
constexpr std::size_t kReasonMax = 500;

const std::string& checked(const char* option, const std::string& text, std::size_t max) {
  if (!events::is_storable_text(text)) {
    throw UsageError("invalid_text", fmt::format("{} must be valid UTF-8", option));
  }
  if (events::count_characters(text) > max) {
    throw UsageError("too_long", fmt::format("{} has more than {} characters", option, max));
  }
  return text;
}

}  // namespace

void CircumstanceOptions::declare(CLI::App& app) {
  app.add_option("--actor", actor_, "who does it; stands in the event that says so")
      ->type_name("NAME")
      ->capture_default_str();
  app.add_option("--reason", reason_, "why")->type_name("TEXT");
}

events::Circumstances CircumstanceOptions::read(const char* channel) const {
  events::Circumstances circumstances;
  circumstances.actor = checked("--actor", actor_, kActorMax);
  circumstances.channel = channel;
  circumstances.reason = checked("--reason", reason_, kReasonMax);
  return circumstances;
}

}  // namespace tenantry::tools
