#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/tenancy_store.h"

namespace CLI {  // NOLINT(readability-identifier-naming): the library's own.
class App;
}

namespace tenantry::tools {

// Which events are wanted, as it is typed.
struct LogFilterOptions {
  std::string tenant;
  std::string user;
  std::string stream;
  std::string scope;
  std::optional<std::string> kinds;
  std::optional<std::string> actor;
  std::optional<std::string> channel;
  std::optional<std::string> correlation;
  std::string after;
  std::string through;
  std::string grep;
  std::uint64_t limit = 0;  // 0: none.

  // Whether any of them leaves something out.
  [[nodiscard]] bool filters() const;
};

// Throws UsageError `unknown_scope` for what is none.
[[nodiscard]] events::Scope parse_scope(const std::string& text);

void declare_log_filter(CLI::App& app, LogFilterOptions& options);

// All but `grep` and `limit`. Throws UsageError for what names nothing, or several.
[[nodiscard]] LogFilter make_log_filter(const TenancyStore& store, const LogFilterOptions& options,
                                        events::Timestamp now);

}  // namespace tenantry::tools
