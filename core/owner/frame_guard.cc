#include "core/owner/frame_guard.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <kj/debug.h>

#include "core/bytes.h"

// The library's streams are destroyed as what they are.
#pragma GCC diagnostic ignored "-Wnon-virtual-dtor"

namespace tenantry::owner {
namespace {

constexpr std::size_t kWordBytes = 8;

// NOLINTNEXTLINE(cppcoreguidelines-virtual-class-destructor): nobody has it as its base.
class GuardedStream final : public kj::AsyncIoStream {
 public:
  GuardedStream(kj::AsyncIoStream& stream, Reading reading,
                std::function<void(const std::string&)> refused)
      : stream_(stream), reading_(reading), refused_(std::move(refused)) {}

  kj::Promise<std::size_t> tryRead(void* buffer, std::size_t least, std::size_t most) override {
    if (reading_ == Reading::kOnceWritten && writing_ > 0) {
      auto written = kj::newPromiseAndFulfiller<void>();
      written_ = kj::mv(written.fulfiller);
      return written.promise.then(
          [this, buffer, least, most] { return tryRead(buffer, least, most); });
    }
    return stream_.tryRead(buffer, least, most).then([this, buffer](std::size_t count) {
      if (wrong_.empty()) {
        wrong_ = guard_.take(static_cast<const char*>(buffer), count);
        if (!wrong_.empty() && refused_) refused_(wrong_);
      }
      if (!wrong_.empty()) {
        kj::throwRecoverableException(KJ_EXCEPTION(FAILED, "no message", wrong_.c_str()));
      }
      return wrong_.empty() ? count : 0;
    });
  }
  kj::Promise<void> write(const void* buffer, std::size_t size) override {
    return counted(stream_.write(buffer, size));
  }
  kj::Promise<void> write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) override {
    return counted(stream_.write(pieces));
  }
  kj::Promise<void> whenWriteDisconnected() override { return stream_.whenWriteDisconnected(); }
  void shutdownWrite() override { stream_.shutdownWrite(); }
  void abortRead() override { stream_.abortRead(); }

 private:
  // Who waits for it goes on, however it ends: a broken stream is found by reading, too.
  kj::Promise<void> counted(kj::Promise<void> write) {
    ++writing_;
    return write.attach(kj::defer([this] {
      if (--writing_ == 0 && written_.get() != nullptr) {
        written_->fulfill();
        written_ = nullptr;
      }
    }));
  }

  kj::AsyncIoStream& stream_;
  const Reading reading_;
  const std::function<void(const std::string&)> refused_;
  int writing_ = 0;  // Writes that have not ended.
  kj::Own<kj::PromiseFulfiller<void>> written_;
  FrameGuard guard_;
  std::string wrong_;  // With what was read; nothing more is.
};

}  // namespace

std::string FrameGuard::take(const char* bytes, std::size_t size) {
  while (size > 0) {
    if (left_ > 0) {
      const auto skipped = static_cast<std::size_t>(std::min<std::uint64_t>(left_, size));
      left_ -= skipped;
      bytes += skipped;
      size -= skipped;
      continue;
    }
    const std::size_t taken = std::min(size, number_.size() - filled_);
    std::copy_n(bytes, taken, number_.begin() + static_cast<std::ptrdiff_t>(filled_));
    filled_ += taken;
    bytes += taken;
    size -= taken;
    if (filled_ < number_.size()) break;
    filled_ = 0;
    const auto number = read_le<std::uint32_t>({number_.data(), number_.size()}, 0);
    if (std::string wrong = take_number(number); !wrong.empty()) return wrong;
  }
  return {};
}

std::string FrameGuard::take_number(std::uint32_t number) {
  if (!counted_) {
    if (number >= kSegmentsMax) {
      return fmt::format("a message of {} segments, of at most {}", std::uint64_t{number} + 1,
                         kSegmentsMax);
    }
    counted_ = true;
    segments_ = number + 1;
    lengths_ = number + 1 + number % 2;  // With the count they fill whole words.
    return {};
  }
  if (segments_ > 0) {
    --segments_;
    words_ += number;
    if (words_ > kMessageWordsMax) {
      return fmt::format("a message of {} words, of at most {}", words_, kMessageWordsMax);
    }
  }
  if (--lengths_ > 0) return {};
  if (words_ == 0) return "a message without anything in it";
  left_ = words_ * kWordBytes;
  counted_ = false;
  words_ = 0;
  return {};
}

kj::Own<kj::AsyncIoStream> guarded(kj::AsyncIoStream& stream, Reading reading,
                                   std::function<void(const std::string&)> refused) {
  return kj::heap<GuardedStream>(stream, reading, std::move(refused));
}

}  // namespace tenantry::owner
