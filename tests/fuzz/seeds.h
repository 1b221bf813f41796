#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tenantry::fuzz {

// Inputs to begin with, made of the golden files and of histories; the same each time.
[[nodiscard]] std::vector<std::string> seeds_of(std::string_view target);

// What callers send to an owner, each with one question or a few.
[[nodiscard]] std::vector<std::string> frames_seeds();

}  // namespace tenantry::fuzz
