#include "projections/postgres/cut_off.h"

#include <chrono>
#include <condition_variable>
#include <mutex>

#include <sys/socket.h>

namespace tenantry::projections::postgres {
namespace {

constexpr std::chrono::milliseconds kSilentMax{2500};

void cut_off_later(const std::stop_token& closed, int socket) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, closed, kSilentMax, [] { return false; });
  if (!closed.stop_requested()) ::shutdown(socket, SHUT_RDWR);
}

}  // namespace

CutOff::CutOff(const std::stop_token& stop, int socket)
    : asked_(stop, [this, socket] { timer_ = std::jthread(cut_off_later, socket); }) {}

}  // namespace tenantry::projections::postgres
