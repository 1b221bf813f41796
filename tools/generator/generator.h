#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

// A made-up but believable history of an organisation that runs a SaaS: the same arguments give the
// same bytes on any machine.
namespace tenantry::generator {

inline constexpr std::uint64_t kTenantsMax = 1'000'000;
inline constexpr std::uint64_t kEventsMax = 10'000'000'000;  // Keeps ids of users in 31 bits.
inline constexpr std::uint64_t kRejectionsMax = 90;

struct GeneratorOptions {
  std::uint64_t tenants = 100;  // 1 to kTenantsMax; that many live from the middle of the history.
  std::uint64_t seed = 1;       // Any.
  std::uint64_t events = 10'000;         // 1 to kEventsMax; exactly so many come of the commands.
  std::uint64_t rejections_percent = 0;  // 0 to kRejectionsMax: of all commands, about.
};

// One command. Lifetime: `line` until the next call, the rest for ever.
struct GeneratedCommand {
  std::string_view line;       // A JSON object, as `apply --historic` takes it; no line end.
  std::string_view name;       // create_tenant, …
  std::size_t events = 0;      // That it causes; 0 for a rejected one only.
  std::string_view rejection;  // The code of the rule that refuses it; empty: it is accepted.
};

// What is alive at the moment.
struct GeneratorCounts {
  std::size_t tenants = 0;
  std::size_t users = 0;
  std::size_t invitations = 0;
};

// Makes the commands of one history, one after the other. On an empty store every one is answered
// as foretold, provided that all before it were applied in order.
//
// Memory: what is alive, no matter how long the history is. A tenant in place r of the order of
// size (from 1) has at most 4 + min(600, 20 + 2 * tenants) / r members, a quarter as many
// invitations and six more, and six domains; users without a tenant are at most a twentieth of all
// and some.
//
// Threads: one at a time. Errors: UsageError for options out of range.
class Generator {
 public:
  explicit Generator(const GeneratorOptions& options);
  Generator(const Generator&) = delete;
  Generator& operator=(const Generator&) = delete;
  ~Generator();

  // False when the history is at its end. `command` is set otherwise.
  [[nodiscard]] bool next(GeneratedCommand& command);

  [[nodiscard]] std::uint64_t events() const;  // That the commands so far cause.
  [[nodiscard]] GeneratorCounts counts() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tenantry::generator
