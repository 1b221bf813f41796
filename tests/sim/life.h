#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/store.h"
#include "projections/read_model.h"
#include "tests/sim/plain_model.h"
#include "tests/sim/sim_rocksdb.h"
#include "tests/support/counting_ids.h"
#include "tests/support/manual_clock.h"

// The life of a store and of a SQLite read model on a simulated disk: commands, projections,
// crashes, faults, one after the other, checked against the plain model.
namespace tenantry::sim {

enum class Action : std::uint8_t {
  kCommands,
  kRetry,
  kFlush,
  kReopen,
  kProject,
  kRebuild,
  kVerify,
  kClock,
  kSecondOwner,
  kFullDisk,
  kFault,      // Soon, a change to the disk fails.
  kKill,       // Soon, the process dies.
  kPowerLoss,  // Soon, the machine does.
  kPeople,     // The commands that make what the others change; once, at the beginning.
  kImport,     // Another store begins with the rows of the read model.
  kBackup,     // The store is copied, and another one made of the copy.
  kSquash,     // The first events of scopes leave the log.
};
[[nodiscard]] std::string_view action_name(Action action);

// A step decides by its own seed alone: those of a failing life can be left out one by one.
struct Step {
  Action action = Action::kCommands;
  std::uint32_t seed = 0;
};
inline constexpr int kCrashesOfALife = 5;
// With so many crashes, and of the other actions some more often than others, some never.
[[nodiscard]] std::vector<Step> draw_steps(std::uint64_t seed);

// What a life came to.
struct Outcome {
  std::vector<std::string> wrong;  // In words; empty if all was well.
  std::string during;              // The step at which it was found.
  std::uint64_t trace_hash = 0;
  std::uint64_t changes = 0;  // To the disk, before the power goes at the end.
  std::uint64_t crashes = 0;
  std::uint64_t events = 0;
  std::uint64_t answers = 0;
  std::uint64_t in_doubt = 0;    // Commands whose answer a crash or fault took away.
  std::uint64_t repairs = 0;     // Openings that left out a garbled last write.
  std::uint64_t imports = 0;     // That were put in place.
  std::uint64_t backups = 0;     // That were made, and
  std::uint64_t restores = 0;    // stores that were made of them.
  std::uint64_t squashes = 0;    // That were answered.
  std::uint64_t redactions = 0;  // Likewise.
  std::uint64_t ruined = 0;      // Read models made anew after a failed sync and a power loss.
  SimDisk::Losses losses{};
};

// The one thing that goes wrong in a life that is otherwise without crashes and faults, counted
// from the first change that making the store makes.
struct Mishap {
  std::uint64_t change = 0;
  int error = 0;  // That the change fails with; 0: it is the last before a crash.
  bool once = true;
  Crash crash = Crash::kPowerLoss;
};

// Lives `steps` in `directory`, which is empty. The same arguments give the same outcome.
[[nodiscard]] Outcome live(const std::filesystem::path& directory, std::uint64_t seed,
                           const std::vector<Step>& steps,
                           const std::optional<Mishap>& mishap = std::nullopt);

// A short life that meets each kind of change: what is failed at every one of them. Each workload
// has other commands.
[[nodiscard]] std::vector<Step> plain_steps(std::uint64_t workload);

}  // namespace tenantry::sim
