#include "tools/wake_up.h"

#include <cstdint>

#include <sys/eventfd.h>
#include <unistd.h>

#include "core/error.h"

namespace tenantry::tools {

WakeUp::WakeUp() : event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (event_ < 0) throw UnavailableError("cannot make an event descriptor");
}

WakeUp::~WakeUp() { ::close(event_); }

void WakeUp::signal() const {
  const std::uint64_t one = 1;
  // Cannot fail: the counter is far from full.
  [[maybe_unused]] const ssize_t written = ::write(event_, &one, sizeof(one));
}

}  // namespace tenantry::tools
