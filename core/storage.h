#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/database_memory.h"

// The ordered key-value storage under the store: five column families that change together. Two
// implementations: RocksDB (durable) and memory (tests, scratch folds of small histories).
namespace tenantry {

// Numbered for ever: the number stands in `head`'s counters.
enum class Family : std::uint8_t { kMeta = 0, kLog = 1, kIndex = 2, kState = 3, kIdempotency = 4 };
inline constexpr std::size_t kFamilyCount = 5;

// Puts and deletes of several families, applied all or none, in order. Owns its bytes.
class ChangeSet {
 public:
  struct Change {
    Family family;
    bool is_delete;
    std::string key;
    std::string value;
  };
  void put(Family family, std::string key, std::string value) {
    bytes_ += key.size() + value.size();
    changes_.push_back({family, false, std::move(key), std::move(value)});
  }
  void remove(Family family, std::string key) {
    bytes_ += key.size();
    changes_.push_back({family, true, std::move(key), {}});
  }
  void append(ChangeSet others) {
    bytes_ += others.bytes_;
    std::move(others.changes_.begin(), others.changes_.end(), std::back_inserter(changes_));
  }
  [[nodiscard]] const std::vector<Change>& changes() const { return changes_; }
  [[nodiscard]] bool empty() const { return changes_.empty(); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  std::vector<Change> changes_;
  std::size_t bytes_ = 0;
};

// Walks keys of one family inside fixed bounds. Views stay valid until the next move. Every move
// throws CorruptionError when the storage reports damage, so `valid() == false` always means the
// end.
class Cursor {
 public:
  virtual ~Cursor() = default;
  [[nodiscard]] virtual bool valid() const = 0;
  virtual void seek_first() = 0;
  virtual void seek_last() = 0;
  virtual void seek(std::string_view key) = 0;           // First key >= `key`.
  virtual void seek_for_prev(std::string_view key) = 0;  // Last key <= `key`.
  virtual void next() = 0;
  virtual void prev() = 0;
  [[nodiscard]] virtual std::string_view key() const = 0;
  [[nodiscard]] virtual std::string_view value() const = 0;
};

// The keys of a family in [first, end).
struct KeyRange {
  Family family;
  std::string first;
  std::string end;
};

// A table file that is not as it was written.
struct FileDamage {
  std::string file;
  Family family = Family::kMeta;
  std::string first_key;  // The keys that it may hold reach from here,
  std::string last_key;   // to here, inclusive.
  std::string reason;
};

enum class WriteResult {
  kDone,     // Applied; durable if asked for.
  kStalled,  // Nothing was written: the storage is stalled for the moment. Back off and try again.
  kUnknown,  // Failed part-way: only opening again tells whether it was written. No further write
             // is taken.
};

// Threads: any. Errors: CorruptionError for damage, UnavailableError for all else that fails.
class StorageReader {
 public:
  virtual ~StorageReader() = default;
  [[nodiscard]] virtual std::optional<std::string> get(Family family,
                                                       std::string_view key) const = 0;
  // Keys in [lower, upper); an empty `upper` is no bound. The cursor sees the storage as it was
  // when the cursor was made. `scan` says that it will be walked at length: checksums, read-ahead,
  // no cache fill.
  [[nodiscard]] virtual std::unique_ptr<Cursor> cursor(Family family, std::string lower,
                                                       std::string upper, bool scan) const = 0;
};

// Threads: any thread may read; one thread writes at a time.
class Storage : public StorageReader {
 public:
  // The storage as it is now; later writes do not show. Must not outlive the storage.
  [[nodiscard]] virtual std::unique_ptr<StorageReader> read_view() const = 0;
  [[nodiscard]] virtual WriteResult write(const ChangeSet& changes, bool sync) = 0;
  // Moves what is only in the write-ahead log into files, so that the next opening has nothing to
  // replay. Nothing is lost without it.
  virtual void flush() = 0;
  // Keys that nobody looks for any more who looks at the storage as it is go in three steps;
  // another thread may write meanwhile, and each may be repeated. First, what the ranges have whole
  // files of, unless a read_view() from before needs them.
  virtual void drop_files(const std::vector<KeyRange>& ranges) = 0;
  // Then every key of the ranges, durably. Views that were taken before keep theirs.
  virtual void remove_ranges(const std::vector<KeyRange>& ranges) = 0;
  // And, after a flush, what they took on the disk, as far as no view needs it.
  virtual void compact(const KeyRange& range) = 0;
  // About so many bytes do the keys of the range take on the disk.
  [[nodiscard]] virtual std::uint64_t size_of(const KeyRange& range) const = 0;
  // Makes a database of its own of what is durable now, and perhaps a little more, in a directory
  // that does not exist. Table files are second names of the same ones where the file system allows
  // it. Others may write meanwhile. Not for what is in memory or was opened read-only.
  virtual void copy_to(const std::filesystem::path& directory) = 0;
  // Text of the last failed write, for people.
  [[nodiscard]] virtual std::string last_error() const = 0;
  // Reads and checks every checksum of every table file; gives those that do not fit. The
  // write-ahead log is checked when the storage opens. `progress`, if it is not empty, is told how
  // many of how many bytes were read; what it throws ends the reading.
  using ReadProgress = std::function<void(std::uint64_t done, std::uint64_t total)>;
  [[nodiscard]] virtual std::vector<FileDamage> damaged_files(
      const ReadProgress& progress = {}) const = 0;
  // Bytes on disk; 0 in memory.
  [[nodiscard]] virtual std::uint64_t size_bytes() const = 0;
  // Files of the write-ahead log, empty ones too: all are read when it is opened again.
  [[nodiscard]] virtual std::size_t log_files() const = 0;
};

// Everything in RAM.
[[nodiscard]] std::unique_ptr<Storage> make_memory_storage();

struct RocksOptions {
  std::filesystem::path directory;
  bool create = false;  // Make a new, empty database; it must not exist. Otherwise it must exist.
  bool read_only = false;  // Nothing is written, the write-ahead log is replayed in memory.
  // Replay the write-ahead log up to its first damage, where opening would refuse. Only after
  // examine_log_files() has found nothing but a last write that was left half done.
  bool to_first_damage = false;
  // Take so many bytes for the whole manifest: what follows was left half done, as ManifestCheck
  // found out. Read-only alone; none for all that is there.
  std::optional<std::uint64_t> manifest_bytes{};
  // A throw-away fold: no write-ahead log, nothing synced, small memory. What is in memory is lost
  // when it closes; the caller deletes the directory. write() may stall as everywhere.
  bool scratch = false;
  DatabaseMemory memory{};
};

// Opens (or creates) a RocksDB. Throws CorruptionError for damage, UnavailableError for all else.
// Of the write-ahead log only a last record that was cut short is forgiven; but a record whose
// length is damaged looks just so, and a log that ends early on a record's end looks whole. Whoever
// opens a store therefore compares the tail with the AckFile. The parent of the directory must
// exist; the caller holds the StoreLock.
[[nodiscard]] std::unique_ptr<Storage> open_rocks_storage(const RocksOptions& options);

// The damaged files of a database that refuses to open, as far as its manifest can be read. Writes
// nothing.
[[nodiscard]] std::vector<FileDamage> damaged_files_of(const RocksOptions& options);

}  // namespace tenantry
