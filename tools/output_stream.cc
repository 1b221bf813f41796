#include "tools/output_stream.h"

#include <cerrno>
#include <system_error>

#include <unistd.h>

#include "core/error.h"

namespace tenantry::tools {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{64} << 10;

}  // namespace

void OutputStream::write(std::string_view text) {
  buffer_ += text;
  if (buffer_.size() >= kBufferBytes) flush();
}

void OutputStream::flush() {
  std::size_t written = 0;
  while (written < buffer_.size()) {
    const ssize_t count = ::write(descriptor_, buffer_.data() + written, buffer_.size() - written);
    if (count >= 0) {
      written += static_cast<std::size_t>(count);
      continue;
    }
    const int error = errno;
    if (error == EINTR) continue;
    buffer_.clear();
    if (error == EPIPE) throw ClosedPipe{};
    throw UnavailableError("cannot write the output: " + std::generic_category().message(error));
  }
  buffer_.clear();
}

bool OutputStream::is_terminal() const { return ::isatty(descriptor_) == 1; }

}  // namespace tenantry::tools
