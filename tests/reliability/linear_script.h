#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace tenantry {

// What one thread of a history calls, one after the other.
struct ScriptedCall {
  enum class Kind { kSubmit, kSubmitLater, kResolveHost, kResolveUser, kReadState, kTail };
  Kind kind = Kind::kTail;
  std::vector<std::string> lines;  // Commands.
  std::string name;                // To resolve.
};

// Calls that collide on few names with those of the other threads, and share some commands, ids
// included, with them. Every command carries a text that no other has. The same seed and thread
// give the same calls.
class LinearScript {
 public:
  LinearScript(unsigned seed, unsigned thread);

  [[nodiscard]] std::vector<ScriptedCall> calls(std::size_t count);

 private:
  [[nodiscard]] ScriptedCall call();
  // A command of this thread alone, some with an id.
  [[nodiscard]] std::string own_line();
  // One of those that any thread may send, again and again; now and then other content under its
  // id.
  [[nodiscard]] std::string shared_line();
  [[nodiscard]] std::string own_mark();

  const unsigned seed_;
  const unsigned thread_;
  std::mt19937 random_;
  unsigned commands_ = 0;
};

}  // namespace tenantry
