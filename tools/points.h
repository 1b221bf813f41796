#pragma once

#include <string>

#include "core/tenancy_store.h"

namespace tenantry::tools {

// A point in history as people type it: digits alone are a position, all else is a time or an age,
// which means the last position recorded by then. Throws UsageError for what is neither.
[[nodiscard]] Position parse_point(const TenancyStore& store, const std::string& text,
                                   events::Timestamp now);

// As parse_point(), but the log must reach that far (UsageError `not_found`, exit 5).
[[nodiscard]] Position parse_reached_point(const TenancyStore& store, const std::string& text,
                                           events::Timestamp now);

// Digits alone that fit a position.
[[nodiscard]] std::optional<Position> parse_position(const std::string& text);

}  // namespace tenantry::tools
