#include "core/rocks_diagnostics.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

namespace tenantry {
namespace {

constexpr std::uint64_t kRoomForCount = 64;

}  // namespace

BoundedInfoLog::BoundedInfoLog(const std::filesystem::path& path, std::uint64_t bytes_max)
    : Logger(rocksdb::WARN_LEVEL), bytes_max_(bytes_max) {
  ::rename(path.c_str(), (path.string() + ".old").c_str());
  constexpr mode_t kOwnerOnly = 0600;
  file_ =
      FileDescriptor(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, kOwnerOnly));
}

BoundedInfoLog::BoundedInfoLog() : Logger(rocksdb::FATAL_LEVEL), bytes_max_(0) {}

BoundedInfoLog::~BoundedInfoLog() {
  if (dropped_ != 0)
    append(fmt::format("{} lines dropped\n", dropped_), bytes_max_ + kRoomForCount);
}

void BoundedInfoLog::Logv(const char* format, va_list arguments) {
  std::array<char, 2048> text;
  const int length = std::vsnprintf(text.data(), text.size(), format, arguments);
  if (length < 0) return;
  const auto kept = std::min(static_cast<std::size_t>(length), text.size() - 1);
  const auto now =
      std::chrono::time_point_cast<std::chrono::seconds>(std::chrono::system_clock::now());
  std::string line = fmt::format("{:%Y-%m-%dT%H:%M:%S}Z {}", fmt::gmtime(now),
                                 std::string_view(text.data(), kept));
  if (line.back() != '\n') line.push_back('\n');
  const std::lock_guard lock(mutex_);
  if (!append(line, bytes_max_)) ++dropped_;
}

void BoundedInfoLog::LogHeader(const char* /*format*/, va_list /*arguments*/) {}

std::uint64_t BoundedInfoLog::dropped() const {
  const std::lock_guard lock(mutex_);
  return dropped_;
}

bool BoundedInfoLog::append(const std::string& line, std::uint64_t bytes_max) {
  if (file_.get() < 0 || bytes_ + line.size() > bytes_max) return false;
  // A line written in part is overwritten by the next.
  if (write_fully(file_.get(), line, bytes_) != 0) return false;
  bytes_ += line.size();
  return true;
}

void BackgroundErrors::OnBackgroundError(rocksdb::BackgroundErrorReason reason,
                                         rocksdb::Status* error) {
  const std::lock_guard lock(mutex_);
  if (!first_.empty() || error == nullptr) return;
  first_ = fmt::format("background work failed (reason {}): {}", static_cast<int>(reason),
                       error->ToString());
}

void BackgroundErrors::OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason /*reason*/,
                                            rocksdb::Status /*error*/, bool* auto_recovery) {
  if (auto_recovery != nullptr) *auto_recovery = false;
}

std::string BackgroundErrors::first() const {
  const std::lock_guard lock(mutex_);
  return first_;
}

}  // namespace tenantry
