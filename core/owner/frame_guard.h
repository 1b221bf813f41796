#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include <kj/async-io.h>

// What stands between a socket and the reader of its messages, which Cap'n Proto 0.9.2 must not be
// left alone with: a message that says it has 2^32 segments makes it write behind a block of no
// bytes.
namespace tenantry::owner {

// Of one message, in words of eight bytes: what a call may carry, and more than an answer does.
inline constexpr std::uint64_t kMessageWordsMax = std::uint64_t{16} << 20;

// Follows a stream of messages, from message to message: of each the number of its segments, less
// one, their lengths in words, and the segments.
class FrameGuard {
 public:
  static constexpr std::uint32_t kSegmentsMax = 512;

  // Takes the next bytes, however they are cut. Returns what is wrong with them, empty for nothing;
  // after that nothing more may be taken.
  [[nodiscard]] std::string take(const char* bytes, std::size_t size);

 private:
  // Once all of a number is there.
  [[nodiscard]] std::string take_number(std::uint32_t number);

  std::array<char, sizeof(std::uint32_t)> number_{};
  std::size_t filled_ = 0;      // Of number_.
  bool counted_ = false;        // The number of segments is known.
  std::uint32_t lengths_ = 0;   // That are still to come, with one that fills up a word.
  std::uint64_t segments_ = 0;  // Of this message.
  std::uint64_t words_ = 0;     // In them, as far as their lengths are known.
  std::uint64_t left_ = 0;      // Bytes of this message until the next.
};

// When the next bytes are read. The library queues what it has to say without a bound: who answers,
// and reads no more while the other end leaves answers lying, queues those of few calls. Only one
// end may do so.
enum class Reading { kAlways, kOnceWritten };

// The stream, of which nothing is read that the guard does not let pass: from there on reading
// fails. `refused` is told why. Borrows `stream`.
[[nodiscard]] kj::Own<kj::AsyncIoStream> guarded(
    kj::AsyncIoStream& stream, Reading reading,
    std::function<void(const std::string&)> refused = {});

}  // namespace tenantry::owner
