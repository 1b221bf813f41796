#include "core/clock.h"

#include <openssl/rand.h>

#include <chrono>

#include "core/error.h"

namespace tenantry {
namespace {

class SystemClock final : public Clock {
 public:
  [[nodiscard]] events::Timestamp now() const override {
    const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
    return {std::chrono::duration_cast<std::chrono::microseconds>(since_epoch).count()};
  }
};

void fill_random(std::uint8_t* bytes, std::size_t count) {
  if (RAND_bytes(bytes, static_cast<int>(count)) != 1) {
    throw UnavailableError("the system's random source gives nothing");
  }
}

class RandomIds final : public IdSource {
 public:
  events::Uuid new_uuid() override {
    events::Uuid uuid;
    fill_random(uuid.bytes.data(), uuid.bytes.size());
    uuid.bytes[6] = static_cast<std::uint8_t>((uuid.bytes[6] & 0x0fU) | 0x40U);  // Version 4,
    uuid.bytes[8] = static_cast<std::uint8_t>((uuid.bytes[8] & 0x3fU) | 0x80U);  // variant of RFC 4122.
    return uuid;
  }

  std::string new_token(std::size_t length) override {
    static constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    std::string token(length, '\0');
    fill_random(reinterpret_cast<std::uint8_t*>(token.data()), length);
    // 64 characters: six bits of each random byte, evenly.
    for (char& c : token) c = kAlphabet[static_cast<std::uint8_t>(c) & 63U];
    return token;
  }
};

}  // namespace

std::unique_ptr<Clock> make_system_clock() { return std::make_unique<SystemClock>(); }

std::unique_ptr<IdSource> make_random_ids() { return std::make_unique<RandomIds>(); }

}  // namespace tenantry
