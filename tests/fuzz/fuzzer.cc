#include <cstddef>
#include <cstdint>
#include <cstdio>

#include "tests/fuzz/targets.h"

// What libFuzzer calls; its names are its own. One program for each target.

// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const tenantry::fuzz::Target* const target =
      tenantry::fuzz::find_target(TENANTRY_FUZZ_TARGET);
  tenantry::fuzz::require(target != nullptr, "there is a target " TENANTRY_FUZZ_TARGET);
  target->run({reinterpret_cast<const char*>(data), size});
  return 0;
}
