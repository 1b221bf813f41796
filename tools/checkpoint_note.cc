#include "tools/checkpoint_note.h"

#include "core/error.h"

namespace tenantry::tools {
namespace {

// A squash may wait for a little more than it need.
constexpr std::chrono::seconds kNoteEvery{30};

}  // namespace

void CheckpointNote::note(const std::string& name, Position checkpoint, bool filled_anew) {
  try {
    session_.store().note_consumer(name, checkpoint, filled_anew);
  } catch (const UsageError& error) {
    if (error.code() != "read_only") throw;
  }
  noted_ = std::chrono::steady_clock::now();
}

void CheckpointNote::note_now_and_then(const std::string& name, Position checkpoint,
                                       bool filled_anew) {
  if (!filled_anew && noted_ && std::chrono::steady_clock::now() - *noted_ < kNoteEvery) return;
  note(name, checkpoint, filled_anew);
}

}  // namespace tenantry::tools
