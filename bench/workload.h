#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "events/commands.h"

// What the benchmarks ask of a store: commands of one event each, the same for the same seed.
namespace tenantry::bench {

// How the commands of a run are drawn.
enum class Mix {
  kRandom,         // A new domain for a tenant drawn at random, by one of 500 actors.
  kImportUsers,    // New users, all by one actor.
  kImportDomains,  // New domains, 20 for a tenant before the next one's turn, all by one actor.
};

struct WorkloadOptions {
  Mix mix = Mix::kRandom;
  std::size_t tenants = 2000;
  bool with_ids = true;  // Each command has an id of its own and is remembered by it.
  std::uint64_t seed = 1;
  std::size_t first = 0;  // The first new entity's number: runs that share none never collide.
};

// The tenants that the commands of draw_commands() speak of; they come first.
[[nodiscard]] std::vector<events::CommandRequest> make_tenants(std::size_t count);

// `count` commands that are all accepted, in any order and by any number of callers, each with one
// event. A row, a unique value and the expectation that the entity is new are checked for each.
[[nodiscard]] std::vector<events::CommandRequest> draw_commands(const WorkloadOptions& options,
                                                                std::size_t count);

// An event as these commands cause it.
[[nodiscard]] events::EncodedEvent domain_added_event();

// A version 4 UUID made of `high` and `low`.
[[nodiscard]] events::Uuid uuid_from(std::uint64_t high, std::uint64_t low);
[[nodiscard]] std::string tenant_slug(std::size_t number);
[[nodiscard]] std::string domain_name(std::size_t number);

}  // namespace tenantry::bench
