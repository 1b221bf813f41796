#pragma once

namespace tenantry::tools {

// A descriptor that poll() finds readable from the first call of signal() on.
// Threads: any. Errors: UnavailableError when it cannot be made.
class WakeUp {
 public:
  WakeUp();
  WakeUp(const WakeUp&) = delete;
  WakeUp& operator=(const WakeUp&) = delete;
  ~WakeUp();

  void signal() const;
  [[nodiscard]] int descriptor() const { return event_; }

 private:
  int event_;
};

}  // namespace tenantry::tools
