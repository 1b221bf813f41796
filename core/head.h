#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "core/counters.h"
#include "core/event_source.h"
#include "core/storage.h"

namespace tenantry {

// What a store is, for ever.
struct StoreInfo {
  events::Uuid id;
  std::string hash_key;  // 32 bytes: the key of keyed_hash().
  events::Timestamp created_at;
  std::string made_by;
};

// The end of one scope's events.
struct ScopeHead {
  std::uint64_t seq = 0;
  Position last;
  Hash chain{};
  std::uint32_t epoch = 1;  // Of its index entries.
  bool operator==(const ScopeHead&) const = default;
};

// The end of the log, and what everything beside it must add up to. Written with every commit.
struct Head {
  std::uint64_t incarnation = 1;
  std::uint64_t term = 0;  // Of the last commit.
  std::uint64_t batch_seq = 0;
  Position tail;
  events::Timestamp last_recorded;
  std::map<events::Scope, ScopeHead> scopes;
  Counters counters;
  Position mark_position;
  events::Timestamp mark_time;
};

[[nodiscard]] std::string encode_store_info(const StoreInfo& info);
[[nodiscard]] StoreInfo decode_store_info(std::string_view bytes);
[[nodiscard]] std::string encode_head(const Head& head);
// Throws CorruptionError for bytes that no version wrote.
[[nodiscard]] Head decode_head(std::string_view bytes);
// The head that a store has. Throws CorruptionError, also when there is none.
[[nodiscard]] Head stored_head(const StorageReader& storage);

// SHA-256("HEAD1" | store | incarnation | tail | (scope | seq | chain hash) of each scope): covers
// every event.
[[nodiscard]] Hash head_digest(const events::Uuid& store, const Head& head);

}  // namespace tenantry
