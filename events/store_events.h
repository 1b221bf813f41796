#pragma once

#include <cstdint>
#include <string>

#include "events/commands.h"
#include "events/encoding.h"
#include "events/kinds.h"

// The events of what an operator does with a store: they are about no row. And one that a fold
// makes for itself.
namespace tenantry::events {

struct Restored {
  Uuid store;
  std::uint64_t incarnation = 0;  // The new one.
  std::uint64_t tail = 0;         // The last position of the backup.
  Timestamp taken_at;             // When that was made.
};
[[nodiscard]] EncodedEvent store_restored(const Restored& restored,
                                          const Circumstances& circumstances);

struct Squashed {
  Uuid store;
  Scope scope = Scope::SYSTEM;
  std::uint64_t through = 0;  // The last position that has left the log.
  std::uint64_t events = 0;   // How many have left.
  std::uint64_t log_bytes = 0;
  std::string chain_hash;  // Hexadecimal, as are the next two.
  std::string snapshot_digest;
  std::string archive_digest;
  std::uint64_t snapshot_bytes = 0;
  std::uint64_t archive_bytes = 0;
  std::string archive_directory;  // Empty for the store's own place.
  bool history_discarded = false;
};
[[nodiscard]] EncodedEvent scope_squashed(const Squashed& squashed,
                                          const Circumstances& circumstances);
// Takes such an event apart.
[[nodiscard]] Squashed read_squashed(const EventView& event);

struct Redacted {
  Uuid store;
  Uuid tenant;
  std::uint64_t through = 0;   // No event behind this position.
  std::uint64_t events = 0;    // How many.
  std::string archive_digest;  // Hexadecimal.
};
[[nodiscard]] EncodedEvent tenant_redacted(const Redacted& redacted,
                                           const Circumstances& circumstances);
// Takes such an event apart.
[[nodiscard]] Redacted read_redacted(const EventView& event);

// What a domain's removal does to its row, without what it was called.
[[nodiscard]] EncodedEvent domain_removed(const Uuid& domain, const Uuid& tenant);

}  // namespace tenantry::events
