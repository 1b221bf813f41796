#include "tools/interrupt.h"

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include "tools/exit_code.h"

namespace tenantry::tools {

Interrupt::Interrupt() {
  struct sigaction ignore {};
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &ignore, nullptr);
  ::sigemptyset(&signals_);
  ::sigaddset(&signals_, SIGINT);
  ::sigaddset(&signals_, SIGTERM);
  // Blocked everywhere, taken by one thread: no code of ours or of a library runs in a handler.
  ::pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  watcher_ = std::jthread([this](const std::stop_token& closing) { watch(closing); });
}

Interrupt::~Interrupt() {
  watcher_.request_stop();
  // Wakes it from sigwait(): no thread has the signal unblocked.
  // NOLINTNEXTLINE(bugprone-bad-signal-to-kill-thread): see above.
  ::pthread_kill(watcher_.native_handle(), SIGTERM);
  watcher_.join();
}

void Interrupt::watch(const std::stop_token& closing) {
  for (;;) {
    int signal = 0;
    ::sigwait(&signals_, &signal);
    if (closing.stop_requested()) return;
    if (stop_.stop_requested()) ::_exit(static_cast<int>(ExitCode::kInterrupted));
    stop_.request_stop();
    wake_up_.signal();
  }
}

void Interrupt::wait(std::chrono::milliseconds timeout) const {
  pollfd watched{descriptor(), POLLIN, 0};
  // An error, too, only means that the wait is over.
  ::poll(&watched, 1, static_cast<int>(timeout.count()));
}

void Interrupt::check() const {
  if (requested()) throw Interrupted{};
}

}  // namespace tenantry::tools
