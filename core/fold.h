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

  // Begins with an entry of the state as it was before the events, whatever it is of.
  void put_entry(std::string key, std::string value);

  // Applies the next event; its version must be the one that it has in its stream. Throws
  // CorruptionError.
  void apply(const StoredEvent& event);

  [[nodiscard]] const StateView& state() {
    if (!begins_with_.empty()) write();
    return state_;
  }
  // Its entries, in the order of keys; borrowed. After the last event.
  [[nodiscard]] const StorageReader& entries();

 private:
  void write();

  Scratch scratch_;
  ChangeSet begins_with_;  // Entries that are not written yet.
  State state_{scratch_.storage(), State::Reads::kKeep};
  Counters counters_;
};

}  // namespace tenantry
