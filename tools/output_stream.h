#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tenantry::tools {

// Whoever reads our output has gone (`| head`). The program ends without a word. Not a
// std::exception, so that nothing between takes it for a fault.
struct ClosedPipe {};

// Buffered writing to a file descriptor, which stays open.
// Errors: ClosedPipe; UnavailableError for all else that fails (a full disk).
class OutputStream {
 public:
  explicit OutputStream(int descriptor) : descriptor_(descriptor) {}
  OutputStream(const OutputStream&) = delete;
  OutputStream& operator=(const OutputStream&) = delete;
  ~OutputStream() = default;  // What was not flushed is lost.

  void write(std::string_view text);
  void flush();
  [[nodiscard]] bool is_terminal() const;
  [[nodiscard]] int descriptor() const { return descriptor_; }

 private:
  int descriptor_;
  std::string buffer_;
};

}  // namespace tenantry::tools
