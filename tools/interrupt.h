#pragma once

#include <chrono>
#include <csignal>
#include <stop_token>
#include <thread>

#include "tools/wake_up.h"

namespace tenantry::tools {

// Work was stopped by Ctrl-C or SIGTERM. Not a std::exception, so that nothing between takes it for
// a fault.
struct Interrupted {};

// Turns SIGINT and SIGTERM into a stop request; a second one ends the process at once, which a
// store survives. Ignores SIGPIPE, so that writing to a closed pipe is an error like others.
// One per process, made before any other thread.
class Interrupt {
 public:
  Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;
  ~Interrupt();

  [[nodiscard]] bool requested() const { return stop_.stop_requested(); }
  [[nodiscard]] std::stop_token token() const { return stop_.get_token(); }
  // Throws Interrupted when a stop was requested.
  void check() const;
  // Returns when a stop was requested, at the latest after `timeout`.
  void wait(std::chrono::milliseconds timeout) const;
  // Readable once a stop was requested; for poll().
  [[nodiscard]] int descriptor() const { return wake_up_.descriptor(); }

 private:
  void watch(const std::stop_token& closing);

  sigset_t signals_{};
  WakeUp wake_up_;
  std::stop_source stop_;
  std::jthread watcher_;
};

}  // namespace tenantry::tools
