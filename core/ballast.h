#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>

#include "core/disk.h"

namespace tenantry {

// Room on the disk that is taken before it is needed: a file of zeros beside the database, given
// back when the store cannot be opened for lack of space. Opening again after a disk ran full needs
// room itself, for what the write-ahead log holds.
//
// The file is as large as the database and 16 MiB, in steps of 8 MiB, but no larger than what the
// write-ahead log and the largest command can come to. While less is free beside it than its size,
// nothing is appended.
//
// Threads: one at a time.
class Ballast {
 public:
  struct Options {
    std::filesystem::path path;
    std::uint64_t bytes_max = 0;
    std::uint64_t database_bytes = 0;  // At opening.
  };
  // With memtables of this size, the full size of the file.
  [[nodiscard]] static std::uint64_t full_bytes(std::size_t write_buffer_bytes);

  Ballast(Options options, const Disk& disk);

  // To be called before an append of so many bytes. Looks at the disk once a second, every 16 MiB,
  // and while space is short; makes the file as large as it should be. Throws UnavailableError
  // `disk_low` when there is too little room: nothing may be appended then, reading goes on.
  void admit(std::size_t bytes);

  // Gives the room back. False if there was none.
  static bool release(const std::filesystem::path& path);

 private:
  void look(std::size_t bytes);

  const Options options_;
  const Disk& disk_;
  std::uint64_t size_ = 0;       // Of the file.
  std::uint64_t appended_ = 0;   // Since opening.
  std::uint64_t looked_at_ = 0;  // Value of appended_ at the last look.
  std::chrono::steady_clock::time_point looked_;
  bool low_ = true;  // Not looked at yet, or found short.
};

}  // namespace tenantry
