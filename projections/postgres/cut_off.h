#pragma once

#include <functional>
#include <stop_token>
#include <thread>

namespace tenantry::projections::postgres {

// Ends a connection on which nothing comes to an end: two and a half seconds after a stop was asked
// for its socket is shut down, and whoever waits for the server meets a lost connection. What was
// not committed by then is rolled back there.
class CutOff {
 public:
  // Borrows the socket.
  CutOff(const std::stop_token& stop, int socket);
  CutOff(const CutOff&) = delete;
  CutOff& operator=(const CutOff&) = delete;
  ~CutOff() = default;

 private:
  std::jthread timer_;
  std::stop_callback<std::function<void()>> asked_;  // Last: it begins the timer.
};

}  // namespace tenantry::projections::postgres
