#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "events/values.h"

// Bloom filters of ids: which are certainly not among some, in 10 bits for each that is. Of those
// that are not, one in a hundred passes. LOG_FORMAT.md gives the bits.
namespace tenantry {

// Threads: one. The order of ids, and how often each is added, does not matter.
class IdFilterWriter {
 public:
  void add(const events::Uuid& id);  // The zero id is none, and is left out.
  // Whole words of 8 bytes, empty without an id; and begins anew.
  [[nodiscard]] std::string finish();

 private:
  std::vector<std::uint64_t> hashes_;
};

// False is certain. `filter` is whole words of 8 bytes.
[[nodiscard]] bool id_filter_may_hold(std::string_view filter, const events::Uuid& id);

}  // namespace tenantry
