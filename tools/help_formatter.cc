#include "tools/help_formatter.h"

#include <sstream>
#include <string>

#include <CLI/CLI.hpp>

namespace tenantry::tools {
namespace {

constexpr std::size_t kColumnWidth = 34;

class HelpFormatter final : public CLI::Formatter {
 public:
  HelpFormatter() { column_width(kColumnWidth); }

  std::string make_help(const CLI::App* app, std::string /*name*/,
                        CLI::AppFormatMode mode) const override {
    std::ostringstream out;
    if (!app->get_footer().empty()) {
      out << "Examples:\n";
      std::istringstream examples(app->get_footer());
      for (std::string line; std::getline(examples, line);) out << "  " << line << "\n";
      out << "\n";
    }
    out << app->get_description() << "\n\n" << make_usage(app, full_name(app));
    out << make_positionals(app) << make_groups(app, mode) << make_subcommands(app, mode);
    for (const CLI::App* above = app->get_parent(); above != nullptr; above = above->get_parent()) {
      const auto options = above->get_options([](const CLI::Option* option) {
        return option->nonpositional() && option->get_name() != "--help" &&
               option->get_name() != "--version" && option->get_name() != "--list";
      });
      const std::string title =
          above->get_parent() == nullptr ? "Everywhere" : "With every command";
      if (!options.empty()) out << make_group(title, false, options);
    }
    return out.str();
  }

 private:
  static std::string full_name(const CLI::App* app) {
    const CLI::App* const above = app->get_parent();
    return above == nullptr ? app->get_name() : full_name(above) + " " + app->get_name();
  }
};

}  // namespace

std::shared_ptr<CLI::FormatterBase> make_help_formatter() {
  return std::make_shared<HelpFormatter>();
}

}  // namespace tenantry::tools
