#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace tenantry {

// A file of RocksDB's write-ahead log, looked at without RocksDB, which does not tell a last write
// that a crash left half done from damage of an older one.
struct LogFileEnd {
  std::filesystem::path path;
  std::uint64_t bytes = 0;
  std::uint64_t whole_bytes = 0;  // Of whole records from the beginning on.
  // A whole record begins after the damage. A write begins only once the one before is synced: what
  // is damaged was synced, perhaps answered.
  bool goes_on = false;

  [[nodiscard]] bool damaged() const { return whole_bytes < bytes; }
};

// Reads the file through, in little memory. Throws UnavailableError when it cannot be read.
[[nodiscard]] LogFileEnd examine_log_file(const std::filesystem::path& path);

// What is wrong with the files of a database's write-ahead log.
struct LogFilesEnd {
  // The last file that is not empty, if there is one.
  std::optional<LogFileEnd> last;
  // An older file is damaged.
  bool older_damaged = false;

  // The only damage is in the last write: what a crash leaves of it.
  [[nodiscard]] bool only_last_write_damaged() const {
    return last && last->damaged() && !last->goes_on && !older_damaged;
  }
};
[[nodiscard]] LogFilesEnd examine_log_files(const std::filesystem::path& database);

// "bytes 4096 to 5000 of …/000007.log", for people.
[[nodiscard]] std::string damaged_place(const LogFileEnd& file);

}  // namespace tenantry
