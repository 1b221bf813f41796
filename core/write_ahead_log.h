#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

namespace tenantry {

// The numbers that the changes in a write-ahead log have: each has the next one.
struct LogSequence {
  std::uint64_t first = 0;
  std::uint64_t end = 0;  // Behind the last; equal to `first` where there are none.
  // Nothing has a number that something before it has or is beyond. RocksDB aborts on the contrary:
  // an older file, or a piece of one, lies where a newer one did.
  bool in_order = true;

  [[nodiscard]] bool empty() const { return first == end; }
  // Adds what comes behind all of this.
  void follow(const LogSequence& later);
};

// A file of RocksDB's write-ahead log, looked at without RocksDB, which does not tell a last write
// that a crash left half done from damage of an older one.
struct LogFileEnd {
  std::filesystem::path path;
  std::uint64_t bytes = 0;
  std::uint64_t whole_bytes = 0;  // Of whole records from the beginning on.
  // A whole record begins after the damage. A write begins only once the one before is synced: what
  // is damaged was synced, perhaps answered.
  bool goes_on = false;
  LogSequence sequence;

  [[nodiscard]] bool damaged() const { return whole_bytes < bytes; }
};

// Reads the file through, in little memory. Throws UnavailableError when it cannot be read.
[[nodiscard]] LogFileEnd examine_log_file(const std::filesystem::path& path);

// What is wrong with the files of a database's write-ahead log.
struct LogFilesEnd {
  // The last file that is not empty, if there is one.
  std::optional<LogFileEnd> last;
  // An older file is damaged,
  bool older_damaged = false;
  std::string older_damage;  // here (the first of them), for people.
  LogSequence sequence;      // Of all files.
  // By the number in the file's name, of files that hold changes.
  std::map<std::uint64_t, std::uint64_t> first_sequences;

  // The only damage is in the last write: what a crash leaves of it.
  [[nodiscard]] bool only_last_write_damaged() const {
    return last && last->damaged() && !last->goes_on && !older_damaged;
  }
};
// Of the files with this number and later ones: RocksDB reads no others. A file that it had done
// with and removed may be back after a power loss, as incomplete as it was.
[[nodiscard]] LogFilesEnd examine_log_files(const std::filesystem::path& database,
                                            std::uint64_t oldest = 0);

// "bytes 4096 to 5000 of …/000007.log", for people.
[[nodiscard]] std::string damaged_place(const LogFileEnd& file);

}  // namespace tenantry
