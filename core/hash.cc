#include "core/hash.h"

#include <algorithm>
#include <array>
#include <string>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/sha.h>
#include <xxhash.h>

#include "core/bytes.h"
#include "core/error.h"
#include "core/planted.h"

namespace tenantry {
namespace {

const EVP_MD* fetched_sha256() {
  static const EVP_MD* const digest = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  return digest;
}

// HMAC-SHA-256 that keeps its key: setting one costs more than a short text.
class KeyedSha256 {
 public:
  KeyedSha256() {
    EVP_MAC* const mac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
    TENANTRY_ASSERT(mac != nullptr);
    context_ = EVP_MAC_CTX_new(mac);
    EVP_MAC_free(mac);  // The context holds on to it.
    TENANTRY_ASSERT(context_ != nullptr);
  }
  KeyedSha256(const KeyedSha256&) = delete;
  KeyedSha256& operator=(const KeyedSha256&) = delete;
  ~KeyedSha256() { EVP_MAC_CTX_free(context_); }

  void compute(std::string_view key, std::string_view bytes,
               std::array<unsigned char, EVP_MAX_MD_SIZE>& code) {
    begin(key);
    std::size_t length = 0;
    TENANTRY_ASSERT(EVP_MAC_update(context_, reinterpret_cast<const unsigned char*>(bytes.data()),
                                   bytes.size()) == 1);
    TENANTRY_ASSERT(EVP_MAC_final(context_, code.data(), &length, code.size()) == 1 &&
                    length == SHA256_DIGEST_LENGTH);
  }

 private:
  void begin(std::string_view key) {
    if (key == key_) {
      TENANTRY_ASSERT(EVP_MAC_init(context_, nullptr, 0, nullptr) == 1);
      return;
    }
    std::string digest = "SHA256";
    const std::array<OSSL_PARAM, 2> parameters{
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), digest.size()),
        OSSL_PARAM_construct_end()};
    TENANTRY_ASSERT(EVP_MAC_init(context_, reinterpret_cast<const unsigned char*>(key.data()),
                                 key.size(), parameters.data()) == 1);
    key_ = key;
  }

  EVP_MAC_CTX* context_ = nullptr;
  std::string key_;
};

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
  if (planted(Plant::kPlainHash)) key = "plain";
  thread_local KeyedSha256 sha;
  std::array<unsigned char, EVP_MAX_MD_SIZE> code{};
  sha.compute(key, bytes, code);
  events::Uuid result;
  std::copy_n(code.begin(), result.bytes.size(), result.bytes.begin());
  return result;
}

std::uint64_t quick_hash(std::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

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

void RowSum::add(const RowSum& others) {
  const std::uint64_t before = low;
  rows += others.rows;
  low += others.low;
  high += others.high + (low < before ? 1 : 0);
}

}  // namespace tenantry
