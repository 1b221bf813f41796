#include "tools/read_model_url.h"

#include <array>
#include <cstdlib>
#include <string_view>

#include "core/error.h"
#include "projections/postgres/postgres_read_model.h"

namespace tenantry::tools {
namespace {

constexpr const char* kHint =
    "--read-model sqlite:read_model.sqlite3, or --read-model postgresql://USER@HOST/DATABASE";

bool names_postgresql(std::string_view url) {
  if (url.starts_with("postgresql:") || url.starts_with("postgres:")) return true;
  constexpr std::array<std::string_view, 6> kKeywords = {
      "host=", "hostaddr=", "dbname=", "service=", "port=", "user="};
  for (const std::string_view keyword : kKeywords) {
    if (url.find(keyword) != std::string_view::npos) return true;
  }
  return false;
}

ReadModelLocation parse_option(const std::string& option) {
  ReadModelLocation location = parse_read_model_url(option);
  if (const auto* server = std::get_if<PostgresLocation>(&location)) {
    if (projections::holds_password(server->connection)) {
      throw UsageError("password_on_command_line",
                       "the URL holds a password, which everybody on this machine can read",
                       "put the URL into TENANTRY_READ_MODEL, or the password into PGPASSWORD or "
                       "~/.pgpass");
    }
  }
  return location;
}

}  // namespace

std::filesystem::path ReadModelTarget::absent_file() const {
  const auto* file = std::get_if<SqliteLocation>(&location);
  if (file == nullptr || std::filesystem::exists(file->path)) return {};
  return file->path;
}

std::string ReadModelTarget::short_name() const {
  if (const auto* file = std::get_if<SqliteLocation>(&location)) {
    return file->path.filename().string();
  }
  return projections::database_name(std::get<PostgresLocation>(location).connection);
}

ReadModelLocation parse_read_model_url(const std::string& url) {
  constexpr std::string_view kScheme = "sqlite:";
  if (url.starts_with(kScheme)) {
    std::string path = url.substr(kScheme.size());
    if (path.starts_with("///")) path.erase(0, 3);
    if (path.empty() || path == ":memory:") {
      throw UsageError("unsupported_read_model", "a read model needs a file of its own", kHint);
    }
    return SqliteLocation{path};
  }
  if (!names_postgresql(url)) {
    throw UsageError("unsupported_read_model", "the read model's URL names no kind of database",
                     kHint);
  }
  // libpq wants slashes even where nothing follows them.
  const std::string connection = url == "postgresql:" || url == "postgres:" ? url + "//" : url;
  // Throws where libpq does not understand it.
  static_cast<void>(projections::holds_password(connection));
  return PostgresLocation{connection};
}

ReadModelTarget find_read_model(const std::string& option, const std::filesystem::path& store) {
  if (!option.empty()) return {parse_option(option), true};
  for (const char* const name : {"TENANTRY_READ_MODEL", "DATABASE_URL"}) {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing here sets variables.
    const char* const value = std::getenv(name);
    if (value != nullptr && *value != '\0') return {parse_read_model_url(value), true};
  }
  return {SqliteLocation{store / "read_model.sqlite3"}, false};
}

}  // namespace tenantry::tools
