#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "tools/session.h"

namespace tenantry::tools {

// Notes in the store how far a read model has come, so that a squash waits for it. Borrows
// `session`. A store that can only be read is not squashed either: then nothing is noted.
class CheckpointNote {
 public:
  explicit CheckpointNote(Session& session) : session_(session) {}

  // Durable when it is over. `filled_anew`: see TenancyStore::note_consumer().
  void note(const std::string& name, Position checkpoint, bool filled_anew);
  // The same once in a while, and at once of what was filled anew.
  void note_now_and_then(const std::string& name, Position checkpoint, bool filled_anew);

 private:
  Session& session_;
  std::optional<std::chrono::steady_clock::time_point> noted_;
};

}  // namespace tenantry::tools
