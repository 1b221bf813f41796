#pragma once

#include <filesystem>
#include <string>
#include <variant>

namespace tenantry::tools {

struct SqliteLocation {
  std::filesystem::path path;
};
// What libpq connects with. It may hold a password: never printed.
struct PostgresLocation {
  std::string connection;
};
using ReadModelLocation = std::variant<SqliteLocation, PostgresLocation>;

// Which database holds the read model.
struct ReadModelTarget {
  ReadModelLocation location;
  bool named = false;  // By option or environment, rather than by default.

  // The path of a read model in a file that is not there; empty for all others.
  [[nodiscard]] std::filesystem::path absent_file() const;
  // What somebody types to confirm that rows of it may be deleted: the name of the file or
  // database.
  [[nodiscard]] std::string short_name() const;
};

// `option` is --read-model, empty for none; then come TENANTRY_READ_MODEL and DATABASE_URL, then
// the default inside the store. Throws UsageError `unsupported_read_model` for databases that this
// build does not know and `password_on_command_line` for an option that everybody on the machine
// could read a password from; no message repeats a password.
[[nodiscard]] ReadModelTarget find_read_model(const std::string& option,
                                              const std::filesystem::path& store);

// `sqlite:PATH`; also `sqlite:///PATH` as web frameworks write it (a fourth slash: absolute).
// `postgresql://…`, `postgres://…` or a keyword string of libpq, such as `host=… dbname=…`.
[[nodiscard]] ReadModelLocation parse_read_model_url(const std::string& url);

}  // namespace tenantry::tools
