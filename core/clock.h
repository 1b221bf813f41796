#pragma once

#include <memory>
#include <string>

#include "events/values.h"

namespace tenantry {

// Threads: any.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual events::Timestamp now() const = 0;
};

// Where new identifiers and secrets come from. Threads: any.
class IdSource {
 public:
  virtual ~IdSource() = default;
  [[nodiscard]] virtual events::Uuid new_uuid() = 0;  // Version 4.
  // `length` characters of A-Z a-z 0-9 - _, each drawn evenly.
  [[nodiscard]] virtual std::string new_token(std::size_t length) = 0;
};

[[nodiscard]] std::unique_ptr<Clock> make_system_clock();
// The operating system's random source, through OpenSSL.
[[nodiscard]] std::unique_ptr<IdSource> make_random_ids();

}  // namespace tenantry
