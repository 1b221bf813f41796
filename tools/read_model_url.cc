#include "tools/read_model_url.h"

#include <array>
#include <cstdlib>
#include <string_view>

#include "core/error.h"

namespace tenantry::tools {
namespace {

constexpr const char* kHint = "name a file: --read-model sqlite:read_model.sqlite3";

bool names_postgresql(std::string_view url) {
  if (url.starts_with("postgresql:") || url.starts_with("postgres:")) return true;
  constexpr std::array<std::string_view, 5> kKeywords = {
      "host=", "hostaddr=", "dbname=", "service=", "port="};
  for (const std::string_view keyword : kKeywords) {
    if (url.find(keyword) != std::string_view::npos) return true;
  }
  return false;
}

}  // namespace

std::filesystem::path parse_read_model_url(const std::string& url) {
  constexpr std::string_view kScheme = "sqlite:";
  if (names_postgresql(url)) {
    throw UsageError("unsupported_read_model",
                     "this build keeps read models in SQLite only, not in PostgreSQL", kHint);
  }
  if (!url.starts_with(kScheme)) {
    throw UsageError("unsupported_read_model", "the read model's URL names no kind of database",
                     kHint);
  }
  std::string path = url.substr(kScheme.size());
  if (path.starts_with("///")) path.erase(0, 3);
  if (path.empty() || path == ":memory:") {
    throw UsageError("unsupported_read_model", "a read model needs a file of its own", kHint);
  }
  return path;
}

ReadModelTarget find_read_model(const std::string& option, const std::filesystem::path& store) {
  if (!option.empty()) return {parse_read_model_url(option), true};
  for (const char* const name : {"TENANTRY_READ_MODEL", "DATABASE_URL"}) {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing here sets variables.
    const char* const value = std::getenv(name);
    if (value != nullptr && *value != '\0') return {parse_read_model_url(value), true};
  }
  return {store / "read_model.sqlite3", false};
}

}  // namespace tenantry::tools
