#pragma once

#include <filesystem>
#include <string>

namespace tenantry::tools {

// Which database holds the read model.
struct ReadModelTarget {
  std::filesystem::path sqlite;
  bool named = false;  // By option or environment, rather than by default.
};

// `option` is --read-model, empty for none; then come TENANTRY_READ_MODEL and DATABASE_URL, then
// the default inside the store. Throws UsageError for databases that this build does not know;
// no message repeats a password.
[[nodiscard]] ReadModelTarget find_read_model(const std::string& option,
                                              const std::filesystem::path& store);

// `sqlite:PATH`; also `sqlite:///PATH` as web frameworks write it (a fourth slash: absolute).
[[nodiscard]] std::filesystem::path parse_read_model_url(const std::string& url);

}  // namespace tenantry::tools
