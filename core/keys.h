#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/bytes.h"
#include "core/ids.h"
#include "core/state_view.h"
#include "events/annotations.capnp.h"
#include "events/tables.h"

// The keys of every family, as LOG_FORMAT.md gives them. Integers are big-endian: bytes sort as
// numbers.
namespace tenantry::keys {

// The byte that tells what an entry of the state is. 0x01..0x3f: the rows of that kind of entity.
inline constexpr std::uint8_t kGoneBit = 0x40;   // | kind: the stream of an entity that is gone.
inline constexpr std::uint8_t kClaimBit = 0x80;  // | claim number: a unique value.
// A claim's value: the tenant and the id of the row that holds it; of several holders, which only
// imported rows can be, one after the other in their order.
inline constexpr std::size_t kHolderBytes = 32;
inline constexpr std::uint8_t kById =
    0x80;  // Claim number 0: the id of a row that lies under its tenant.
inline constexpr std::uint8_t kLookupBit = 0xc0;  // | lookup number.
inline constexpr std::uint8_t kCounter = 0xff;    // The largest integer id of a kind.

// The first byte of an index key.
inline constexpr char kStreamIndex = 'S';
inline constexpr char kTenantIndex = 'T';
inline constexpr char kActorIndex = 'A';
inline constexpr char kTimeIndex = 'M';

[[nodiscard]] std::string state_prefix(events::Scope scope, std::uint8_t kind);
[[nodiscard]] std::string row(const events::TableInfo& table, const RowKey& key);
[[nodiscard]] std::string rows_of_tenant(const events::TableInfo& table,
                                         const events::Uuid& tenant);
[[nodiscard]] RowKey read_row_key(std::string_view key);
[[nodiscard]] std::string gone(const events::TableInfo& table, const events::Uuid& id);
[[nodiscard]] std::string claim(const events::TableInfo& table, const events::ClaimInfo& claim,
                                std::string_view value);
[[nodiscard]] std::string by_id(const events::TableInfo& table, const events::Uuid& id);
[[nodiscard]] std::string lookup(const events::TableInfo& table, const events::LookupInfo& lookup,
                                 std::int64_t value, const RowKey& key);
// The first key of that value or any greater one.
[[nodiscard]] std::string lookup_from(const events::TableInfo& table,
                                      const events::LookupInfo& lookup, std::int64_t value);
[[nodiscard]] std::int64_t read_lookup_value(std::string_view key);
[[nodiscard]] RowKey read_lookup_row(std::string_view key);
[[nodiscard]] std::string counter(const events::TableInfo& table);

[[nodiscard]] std::string block(events::Scope scope, Position first);
[[nodiscard]] std::string index(char kind, events::Scope scope, std::uint32_t epoch,
                                const events::Uuid& id, std::uint64_t n);
inline constexpr std::size_t kIndexKeyBytes = 31;
[[nodiscard]] std::string index_prefix(char kind, events::Scope scope, std::uint32_t epoch,
                                       const events::Uuid& id);
[[nodiscard]] std::string time_mark(events::Timestamp time);
[[nodiscard]] std::string batch(std::uint64_t seq);

// The first key after every key that begins with `prefix`; empty when there is none.
[[nodiscard]] std::string after_prefix(std::string prefix);

}  // namespace tenantry::keys
