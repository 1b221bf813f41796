#pragma once

#include <memory>

namespace CLI {  // NOLINT(readability-identifier-naming): the library's own.
class App;
class FormatterBase;
}  // namespace CLI

namespace tenantry::tools {

// Help that starts with examples, which are an app's footer, and ends with the options of the apps
// above it.
[[nodiscard]] std::shared_ptr<CLI::FormatterBase> make_help_formatter();

}  // namespace tenantry::tools
