#pragma once

#include <cstdint>

#include "events/commands.h"
#include "events/encoding.h"

// The events of what an operator does with a store: they are about no row.
namespace tenantry::events {

struct Restored {
  Uuid store;
  std::uint64_t incarnation = 0;  // The new one.
  std::uint64_t tail = 0;         // The last position of the backup.
  Timestamp taken_at;             // When that was made.
};
[[nodiscard]] EncodedEvent store_restored(const Restored& restored,
                                          const Circumstances& circumstances);

}  // namespace tenantry::events
