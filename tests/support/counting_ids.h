#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

#include "core/clock.h"

namespace tenantry {

// Identifiers that a test can foretell: UUIDs 00000000-0000-4000-8000-00000000000N and tokens
// `N-xxx…`, with N = 1, 2, 3, … counted over both. Any thread may ask how many were drawn.
class CountingIds final : public IdSource {
 public:
  [[nodiscard]] events::Uuid new_uuid() override {
    events::Uuid uuid;
    uuid.bytes[6] = 0x40;
    uuid.bytes[8] = 0x80;
    const std::uint64_t number = ++drawn_;
    for (std::size_t i = 0; i < 6; ++i) {
      uuid.bytes[15 - i] = static_cast<std::uint8_t>(number >> (8 * i));
    }
    return uuid;
  }
  [[nodiscard]] std::string new_token(std::size_t length) override {
    std::string token = std::to_string(++drawn_) + "-";
    token.resize(length, 'x');
    return token;
  }
  [[nodiscard]] std::uint64_t drawn() const { return drawn_; }

 private:
  std::atomic<std::uint64_t> drawn_ = 0;
};

}  // namespace tenantry
