#include "core/keys.h"

#include <fmt/format.h>

namespace tenantry::keys {
namespace {

constexpr std::size_t kStatePrefixBytes = 3;
constexpr std::size_t kStateKeyBytes = 43;  // Of the longest with a fixed length: a lookup's.

// Moves the sign so that negative numbers sort before positive ones.
std::uint64_t sortable(std::int64_t value) {
  return static_cast<std::uint64_t>(value) ^ (std::uint64_t{1} << 63U);
}

std::uint8_t kind_byte(const events::TableInfo& table) {
  return static_cast<std::uint8_t>(table.entity);
}

}  // namespace

std::string state_prefix(events::Scope scope, std::uint8_t kind) {
  std::string key;
  key.reserve(kStateKeyBytes);
  append_be(key, static_cast<std::uint16_t>(scope));
  append_be(key, kind);
  return key;
}

std::string row(const events::TableInfo& table, const RowKey& key) {
  std::string bytes = rows_of_tenant(table, key.tenant);
  append_uuid(bytes, key.id);
  return bytes;
}

std::string rows_of_tenant(const events::TableInfo& table, const events::Uuid& tenant) {
  std::string bytes = state_prefix(table.scope, kind_byte(table));
  append_uuid(bytes, tenant);
  return bytes;
}

RowKey read_row_key(std::string_view key) {
  return {read_uuid(key, kStatePrefixBytes), read_uuid(key, kStatePrefixBytes + 16)};
}

std::string gone(const events::TableInfo& table, const events::Uuid& id) {
  std::string key = state_prefix(table.scope, kGoneBit | kind_byte(table));
  append_uuid(key, id);
  return key;
}

std::string claim(const events::TableInfo& table, const events::ClaimInfo& claim,
                  std::string_view value) {
  return state_prefix(table.scope, kClaimBit | claim.number).append(value);
}

std::string by_id(const events::TableInfo& table, const events::Uuid& id) {
  std::string key = state_prefix(table.scope, kById);
  append_be(key, kind_byte(table));
  append_uuid(key, id);
  return key;
}

std::string lookup_from(const events::TableInfo& table, const events::LookupInfo& lookup,
                        std::int64_t value) {
  std::string key = state_prefix(table.scope, kLookupBit | lookup.number);
  append_be(key, sortable(value));
  return key;
}

std::string lookup(const events::TableInfo& table, const events::LookupInfo& lookup,
                   std::int64_t value, const RowKey& row) {
  std::string key = lookup_from(table, lookup, value);
  append_uuid(key, row.tenant);
  append_uuid(key, row.id);
  return key;
}

std::int64_t read_lookup_value(std::string_view key) {
  return static_cast<std::int64_t>(sortable(read_be<std::int64_t>(key, kStatePrefixBytes)));
}

RowKey read_lookup_row(std::string_view key) {
  return {read_uuid(key, kStatePrefixBytes + 8), read_uuid(key, kStatePrefixBytes + 24)};
}

std::string counter(const events::TableInfo& table) {
  std::string key = state_prefix(table.scope, kCounter);
  append_be(key, kind_byte(table));
  return key;
}

std::string block(events::Scope scope, Position first) {
  std::string key;
  append_be(key, static_cast<std::uint16_t>(scope));
  append_be(key, first.value);
  return key;
}

std::string index_prefix(char kind, events::Scope scope, std::uint32_t epoch,
                         const events::Uuid& id) {
  std::string key;
  key.reserve(kIndexKeyBytes);
  key += kind;
  append_be(key, static_cast<std::uint16_t>(scope));
  append_be(key, epoch);
  append_uuid(key, id);
  return key;
}

std::string index(char kind, events::Scope scope, std::uint32_t epoch, const events::Uuid& id,
                  std::uint64_t n) {
  std::string key = index_prefix(kind, scope, epoch, id);
  append_be(key, n);
  return key;
}

std::string time_mark(events::Timestamp time) {
  std::string key(1, kTimeIndex);
  append_be(key, sortable(time.micros));
  return key;
}

std::string batch(std::uint64_t seq) { return fmt::format("batch/{:016x}", seq); }

std::string after_prefix(std::string prefix) {
  while (!prefix.empty()) {
    auto& last = prefix.back();
    if (static_cast<std::uint8_t>(last) != 0xff) {
      last = static_cast<char>(static_cast<std::uint8_t>(last) + 1);
      return prefix;
    }
    prefix.pop_back();
  }
  return prefix;
}

}  // namespace tenantry::keys
