#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tenantry::tools {

// Reads lines from a file descriptor, which stays open. Memory is bounded: of a line longer than
// events::kLineBytesMax nothing is kept.
// Errors: UnavailableError when reading fails.
class LineReader {
 public:
  enum class Result { kLine, kNothingYet, kEnd, kInterrupted };

  // Stops waiting when `interrupt` becomes readable.
  LineReader(int descriptor, int interrupt) : descriptor_(descriptor), interrupt_(interrupt) {}

  // The next line; a last one needs no line end. Unless `wait`, kNothingYet when none has arrived.
  [[nodiscard]] Result next(bool wait);

  // Without its line end; valid until next(). Empty when the line was too long.
  [[nodiscard]] std::string_view line() const { return line_; }
  [[nodiscard]] bool too_long() const { return too_long_; }
  [[nodiscard]] std::uint64_t bytes_read() const { return bytes_read_; }

 private:
  enum class Fill { kMore, kNothingYet, kEnd, kInterrupted };

  bool take_line();
  bool take_rest();
  Fill fill(bool wait);

  int descriptor_;
  int interrupt_;
  std::string buffer_;
  std::size_t begin_ = 0;    // Of what was not handed out.
  std::size_t scanned_ = 0;  // No line end before this.
  bool skipping_ = false;    // Inside of a line that is too long.
  bool ended_ = false;
  std::string_view line_;
  bool too_long_ = false;
  std::uint64_t bytes_read_ = 0;
};

}  // namespace tenantry::tools
