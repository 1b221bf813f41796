#include "core/hash.h"

#include <algorithm>

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <xxhash.h>

#include "core/bytes.h"
#include "core/error.h"

namespace tenantry {
namespace {

const EVP_MD* fetched_sha256() {
  static const EVP_MD* const digest = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  return digest;
}

EVP_MD_CTX* as_context(void* context) { return static_cast<EVP_MD_CTX*>(context); }

XXH128_hash_t row_hash(std::string_view key, std::string_view value) {
  std::string row;
  row.reserve(4 + key.size() + value.size());
  append_le(row, static_cast<std::uint32_t>(key.size()));
  row.append(key).append(value);
  return XXH3_128bits(row.data(), row.size());
}

}  // namespace

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  TENANTRY_ASSERT(fetched_sha256() != nullptr && context_ != nullptr);
  TENANTRY_ASSERT(EVP_DigestInit_ex(as_context(context_), fetched_sha256(), nullptr) == 1);
}

Sha256::~Sha256() { EVP_MD_CTX_free(as_context(context_)); }

Sha256& Sha256::add(std::string_view bytes) {
  TENANTRY_ASSERT(EVP_DigestUpdate(as_context(context_), bytes.data(), bytes.size()) == 1);
  return *this;
}

Sha256& Sha256::add(const Hash& hash) {
  return add({reinterpret_cast<const char*>(hash.data()), hash.size()});
}

Hash Sha256::finish() {
  Hash hash{};
  unsigned int length = 0;
  TENANTRY_ASSERT(EVP_DigestFinal_ex(as_context(context_), hash.data(), &length) == 1 &&
                  length == hash.size());
  TENANTRY_ASSERT(EVP_DigestInit_ex(as_context(context_), fetched_sha256(), nullptr) == 1);
  return hash;
}

Hash sha256(std::string_view bytes) { return Sha256().add(bytes).finish(); }

std::string hex(const Hash& hash) {
  return events::hex({reinterpret_cast<const char*>(hash.data()), hash.size()});
}

events::Uuid keyed_hash(std::string_view key, std::string_view bytes) {
  std::uint8_t code[EVP_MAX_MD_SIZE];
  unsigned int length = 0;
  const auto* made =
      HMAC(fetched_sha256(), key.data(), static_cast<int>(key.size()),
           reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), code, &length);
  TENANTRY_ASSERT(made != nullptr && length >= 16);
  events::Uuid result;
  std::copy_n(code, result.bytes.size(), result.bytes.begin());
  return result;
}

void RowSum::add(std::string_view key, std::string_view value) {
  const XXH128_hash_t hash = row_hash(key, value);
  const std::uint64_t before = low;
  ++rows;
  low += hash.low64;
  high += hash.high64 + (low < before ? 1 : 0);
}

void RowSum::subtract(std::string_view key, std::string_view value) {
  const XXH128_hash_t hash = row_hash(key, value);
  const std::uint64_t borrow = low < hash.low64 ? 1 : 0;
  --rows;
  low -= hash.low64;
  high -= hash.high64 + borrow;
}

}  // namespace tenantry
