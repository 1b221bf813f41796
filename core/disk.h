#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>

#include "core/file_ops.h"
#include "core/storage.h"

namespace tenantry {

// A store's ways to the disk and to the machine's steady clock, where tests put their own in place.
struct Disk {
  std::function<std::unique_ptr<Storage>(const RocksOptions&)> open_storage = open_rocks_storage;
  std::function<std::uint64_t(const std::filesystem::path&)> free_space = tenantry::free_space;
  std::function<int(int)> sync_ack{};  // As fdatasync(2), which is called when there is none.
  // Without it a thread writes the `ack` file soon after each commit. Else whoever commits asks it:
  // whether to write the file at once, or to leave it to the next commit or the end.
  std::function<bool()> write_ack_now{};
  std::function<std::chrono::steady_clock::time_point()> now = std::chrono::steady_clock::now;
};

}  // namespace tenantry
