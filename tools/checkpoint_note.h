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

  // Durable when it is over.
  void note(const std::string& name, Position checkpoint);
  // The same once in a while.
  void note_now_and_then(const std::string& name, Position checkpoint);

 private:
  Session& session_;
  std::optional<std::chrono::steady_clock::time_point> noted_;
};

}  // namespace tenantry::tools
