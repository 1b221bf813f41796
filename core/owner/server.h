#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "core/tenancy_store.h"

namespace tenantry::owner {

struct ServerOptions {
  std::filesystem::path directory;  // Of the store.
  bool read_only = false;           // The store takes no commands.
  // A caller that has not greeted the owner by then is let go.
  std::chrono::milliseconds greeting_max = std::chrono::seconds(10);
  // Told, in a sentence, about callers that were turned away. Empty: nobody.
  std::function<void(const std::string&)> warn{};
  // Called, and not to wait for anything, when somebody wants to write and `read_only` is in the
  // way.
  std::function<void()> writer_came{};
};

// Lets other processes of this machine use a store that this one owns, through a socket in its
// directory. One thread talks to all of them and never waits for the store; others do the work.
// Events and rows are asked for piece by piece, so that a caller that is slow, or that vanishes,
// costs what its last calls are worth. Lifetime: borrows the store.
class Server {
 public:
  // Throws UnavailableError where no socket can be made.
  Server(TenancyStore& store, ServerOptions options);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  // Takes no more calls, answers those that are under way and lets everybody go.
  ~Server();

 private:
  class Loop;  // NOLINT(cppcoreguidelines-virtual-class-destructor): nobody has it as its base.
  std::unique_ptr<Loop> loop_;
};

}  // namespace tenantry::owner
