#include "tools/options.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <string_view>

#include <CLI/CLI.hpp>

#include "core/error.h"

namespace tenantry::tools {
namespace {

constexpr const char* kFormats = "table, json, ndjson or csv";

std::optional<Format> find_format(std::string_view name) {
  if (name == "table") return Format::kTable;
  if (name == "json") return Format::kJson;
  if (name == "ndjson") return Format::kNdjson;
  if (name == "csv") return Format::kCsv;
  return std::nullopt;
}

// The last value that the raw arguments give an option.
std::string_view last_value(const std::vector<std::string>& arguments, std::string_view long_name,
                            std::string_view short_name) {
  std::string_view value;
  for (std::size_t i = 0; i < arguments.size() && arguments[i] != "--"; ++i) {
    const std::string_view argument = arguments[i];
    if (argument == long_name || (!short_name.empty() && argument == short_name)) {
      if (i + 1 < arguments.size()) value = arguments[i + 1];
    } else if (argument.starts_with(long_name) && argument[long_name.size()] == '=') {
      value = argument.substr(long_name.size() + 1);
    } else if (!short_name.empty() && argument.starts_with(short_name)) {
      value = argument.substr(short_name.size());
    }
  }
  return value;
}

}  // namespace

void declare_global_options(CLI::App& app, GlobalOptions& options) {
  app.add_option("--store", options.store, "the store (default ./tenantry-store)")
      ->envname("TENANTRY_STORE")
      ->type_name("DIR");
  app.add_option("--read-model", options.read_model,
                 "sqlite:PATH, postgresql://USER@HOST/DATABASE or a keyword string of libpq, "
                 "without a password (Env:TENANTRY_READ_MODEL, then DATABASE_URL; default: "
                 "read_model.sqlite3 inside the store)")
      ->type_name("URL");
  app.add_option("-o,--output", options.output,
                 "table, json, ndjson or csv (default: table on a terminal, ndjson elsewhere)")
      ->type_name("FORMAT");
  app.add_option("--fields", options.fields, "print these fields, in this order")->type_name("A,B");
  app.add_option("--color", options.color, "auto, always or never (NO_COLOR is honoured)")
      ->type_name("WHEN");
  app.add_flag("--reveal", options.reveal, "print secrets whole");
  app.add_flag("-q,--quiet", options.quiet, "no progress and no remarks; warnings stay");
  app.add_flag("-y,--yes", options.yes, "do not ask before something is destroyed");
}

void add_count(CLI::App& app, const std::string& name, std::uint64_t& value,
               const std::string& help) {
  // Checked as text: the library would take -1 for a very large number.
  const CLI::Validator count(
      [](const std::string& text) {
        const bool digits = text.find_first_not_of("0123456789") == std::string::npos;
        std::uint64_t number = 0;
        const auto result = std::from_chars(text.data(), text.data() + text.size(), number);
        const bool whole = result.ec == std::errc() && result.ptr == text.data() + text.size();
        if (digits && whole && number > 0) return std::string();
        return "must be a whole number from 1, not " + text;
      },
      "");
  app.add_option(name, value, help)->type_name("N")->check(count);
}

std::optional<Format> requested_format(const GlobalOptions& options) {
  if (options.output.empty()) return std::nullopt;
  const auto format = find_format(options.output);
  if (!format) {
    throw UsageError("usage", "there is no output format \"" + options.output + "\"",
                     std::string("-o takes ") + kFormats);
  }
  return format;
}

bool wants_json_errors(const std::vector<std::string>& arguments) {
  const std::string_view format = last_value(arguments, "--output", "-o");
  return format == "json" || format == "ndjson";
}

bool wants_color_errors(const std::vector<std::string>& arguments, bool terminal) {
  const std::string_view color = last_value(arguments, "--color", {});
  return wants_color(color == "always" || color == "never" ? std::string(color) : "auto", terminal);
}

bool wants_color(const std::string& color, bool terminal) {
  if (color == "always") return true;
  if (color == "never") return false;
  if (color != "auto") {
    throw UsageError("usage", "--color does not take \"" + color + "\"",
                     "it takes auto, always or never");
  }
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing here sets variables.
  const char* const no_color = std::getenv("NO_COLOR");
  return terminal && (no_color == nullptr || *no_color == '\0');
}

std::vector<std::string> split_list(const std::string& list) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  while (begin <= list.size()) {
    const std::size_t end = std::min(list.find(',', begin), list.size());
    if (end > begin) parts.push_back(list.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

}  // namespace tenantry::tools
