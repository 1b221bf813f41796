#pragma once

#include <cstddef>

namespace tenantry {

// What a database may keep in memory. Larger memtables are flushed and merged less often: 16 MiB
// took about a tenth less CPU time than 8 for importing 500,000 events.
struct DatabaseMemory {
  std::size_t write_buffer_bytes = std::size_t{16} << 20;  // Of each of the five families.
  std::size_t block_cache_bytes = std::size_t{32} << 20;
};

}  // namespace tenantry
