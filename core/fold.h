#pragma once

#include <filesystem>

#include "core/event_source.h"
#include "core/scratch.h"
#include "core/state.h"

namespace tenantry {

// The state as the events make it, computed anew, event by event, in a scratch storage: for whoever
// asks for rows on the way. Threads: one.
class Fold {
 public:
  // `events`: about how many will come.
  Fold(const std::filesystem::path& directory, std::uint64_t events)
      : scratch_(directory, events) {}

  // Applies the next event; its version must be the one that it has in its stream. Throws
  // CorruptionError.
  void apply(const StoredEvent& event);

  [[nodiscard]] const StateView& state() const { return state_; }

 private:
  Scratch scratch_;
  State state_{scratch_.storage(), State::Reads::kKeep};
  Counters counters_;
};

}  // namespace tenantry
