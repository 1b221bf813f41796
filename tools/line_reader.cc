#include "tools/line_reader.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

#include <poll.h>
#include <unistd.h>

#include "core/error.h"
#include "events/commands.h"

namespace tenantry::tools {
namespace {

constexpr std::size_t kChunkBytes = std::size_t{256} << 10;

}  // namespace

LineReader::Result LineReader::next(bool wait) {
  line_ = {};
  too_long_ = false;
  for (;;) {
    if (take_line()) return Result::kLine;
    if (ended_) return take_rest() ? Result::kLine : Result::kEnd;
    switch (fill(wait)) {
      case Fill::kMore:
        break;
      case Fill::kNothingYet:
        return Result::kNothingYet;
      case Fill::kInterrupted:
        return Result::kInterrupted;
      case Fill::kEnd:
        ended_ = true;
        break;
    }
  }
}

bool LineReader::take_line() {
  const std::size_t end = buffer_.find('\n', scanned_);
  if (end == std::string::npos) {
    scanned_ = buffer_.size();
    if (skipping_ || scanned_ - begin_ > events::kLineBytesMax) {
      skipping_ = true;
      begin_ = scanned_;
    }
    return false;
  }
  too_long_ = skipping_ || end - begin_ > events::kLineBytesMax;
  if (!too_long_) line_ = std::string_view(buffer_).substr(begin_, end - begin_);
  skipping_ = false;
  begin_ = scanned_ = end + 1;
  return true;
}

bool LineReader::take_rest() {
  too_long_ = skipping_;
  if (!too_long_) line_ = std::string_view(buffer_).substr(begin_);
  const bool any = too_long_ || !line_.empty();
  skipping_ = false;
  begin_ = scanned_ = buffer_.size();
  return any;
}

LineReader::Fill LineReader::fill(bool wait) {
  std::array<pollfd, 2> watched{{{descriptor_, POLLIN, 0}, {interrupt_, POLLIN, 0}}};
  const int ready = ::poll(watched.data(), watched.size(), wait ? -1 : 0);
  if (watched[1].revents != 0) return Fill::kInterrupted;
  if (ready == 0) return Fill::kNothingYet;
  if (ready < 0 && errno == EINTR) return Fill::kMore;

  buffer_.erase(0, begin_);
  scanned_ -= begin_;
  begin_ = 0;
  const std::size_t size = buffer_.size();
  buffer_.resize(size + kChunkBytes);
  const ssize_t count = ::read(descriptor_, buffer_.data() + size, kChunkBytes);
  const int error = errno;
  buffer_.resize(size + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
  if (count < 0 && error != EINTR && error != EAGAIN) {
    throw UnavailableError("cannot read the input: " + std::generic_category().message(error));
  }
  if (count == 0) return Fill::kEnd;
  bytes_read_ += static_cast<std::uint64_t>(std::max<ssize_t>(count, 0));
  return Fill::kMore;
}

}  // namespace tenantry::tools
