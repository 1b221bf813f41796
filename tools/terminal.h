#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tenantry::tools {

// Columns of the terminal behind a descriptor; 0 when it is none.
[[nodiscard]] std::size_t terminal_width(int descriptor);

// Columns that a text takes on a terminal: wide characters two, combining ones none. The text has
// no control characters.
[[nodiscard]] std::size_t display_width(std::string_view text);

// `text`, cut to at most `width` columns with `…` at the end when it is longer.
[[nodiscard]] std::string cut_to_width(std::string_view text, std::size_t width);

enum class Style { kBold, kRed, kGreen, kYellow, kDim };
[[nodiscard]] std::string styled(std::string_view text, Style style, bool color);

}  // namespace tenantry::tools
