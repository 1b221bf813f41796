#pragma once

#include <string>

#include "events/commands.h"

namespace CLI {  // NOLINT(readability-identifier-naming): the library's own.
class App;
}

namespace tenantry::tools {

// Who does something with the store, and why: stands in the event that says so.
class CircumstanceOptions {
 public:
  // `actor`: who it is when nobody is named.
  explicit CircumstanceOptions(std::string actor) : actor_(std::move(actor)) {}
  void declare(CLI::App& app);
  // Throws UsageError for a text that no command may have.
  [[nodiscard]] events::Circumstances read(const char* channel) const;

 private:
  std::string actor_;
  std::string reason_;
};

}  // namespace tenantry::tools
