#include "core/ballast.h"

#include <algorithm>
#include <string>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "core/error.h"

namespace tenantry {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::uint64_t kLookEveryBytes = 16 * kMiB;
constexpr auto kLookEvery = std::chrono::seconds(1);
constexpr std::uint64_t kLeastBytes = 16 * kMiB;
// The file grows in steps, so that few looks change it.
constexpr std::uint64_t kStepBytes = 8 * kMiB;

std::uint64_t mebibytes(std::uint64_t bytes) { return (bytes + kMiB - 1) / kMiB; }

}  // namespace

std::uint64_t Ballast::full_bytes(std::size_t write_buffer_bytes) {
  // Three memtables of each family may wait to be flushed; one command may bring 64 MiB.
  return 3 * kFamilyCount * std::uint64_t{write_buffer_bytes} + 64 * kMiB;
}

Ballast::Ballast(Options options, const Disk& disk) : options_(std::move(options)), disk_(disk) {
  std::error_code absent;
  const std::uintmax_t size = std::filesystem::file_size(options_.path, absent);
  if (!absent) size_ = size;
}

void Ballast::admit(std::size_t bytes) {
  const bool due = low_ || appended_ + bytes - looked_at_ >= kLookEveryBytes ||
                   disk_.now() - looked_ >= kLookEvery;
  if (due) look(bytes);
  appended_ += bytes;
}

bool Ballast::release(const std::filesystem::path& path) { return remove_durably(path); }

void Ballast::look(std::size_t bytes) {
  low_ = true;
  looked_at_ = appended_;
  looked_ = disk_.now();
  const std::uint64_t grown = (options_.database_bytes + appended_) / kStepBytes * kStepBytes;
  const std::uint64_t target = std::max(size_, std::min(kLeastBytes + grown, options_.bytes_max));
  const std::filesystem::path directory = options_.path.parent_path();
  const std::uint64_t free = disk_.free_space(directory);
  const std::uint64_t needed = target - size_ + target + bytes;
  if (free < needed) {
    throw UnavailableError(
        fmt::format("the disk under {} has {} MiB free, the store needs {} MiB to append safely",
                    directory.string(), free / kMiB, mebibytes(needed)),
        "free disk space, then repeat the commands with their ids; reading goes on meanwhile",
        "disk_low");
  }
  if (target > size_) {
    if (const int error = reserve_space(options_.path, target); error != 0) {
      throw UnavailableError(
          fmt::format("cannot reserve {} MiB in {}: {}", mebibytes(target), options_.path.string(),
                      std::generic_category().message(error)),
          "free disk space, then repeat the commands with their ids; reading goes on meanwhile",
          "disk_low");
    }
    size_ = target;
  }
  low_ = false;
}

}  // namespace tenantry
