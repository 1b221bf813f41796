#pragma once

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace tenantry::sim {

// What a crash does to a disk.
enum class Crash {
  kKill,       // The process is gone; all that it wrote is there.
  kPowerLoss,  // What was not synced is lost, in part or whole: names too.
};

// The part of a real directory that a disk would have kept.
//
// Everything below `root` lies in real files. This object is told of every change that is made to
// them, numbers it, may refuse it, and remembers what would undo it until it is synced. A crash
// ends in a state that a disk may have been left in: of each file some of the unsynced writes, the
// first of them, the last one perhaps torn, perhaps a sector of them garbled; of each directory
// the first of the unsynced changes to its names.
//
// The changes come from three sides: RocksDB's (sim_rocksdb.h), SQLite's (sim_sqlite.h), and those
// of our own code, whose system calls are redirected when it is linked (sim_system_calls.cc). What
// std::filesystem changes is not seen, and taken as durable at once.
//
// Everything random is drawn from the seed: the same changes in the same order meet the same fate.
// Threads: any. One disk at a time is `active` in a process.
class SimDisk {
 public:
  SimDisk(std::filesystem::path root, std::uint64_t seed);
  SimDisk(const SimDisk&) = delete;
  SimDisk& operator=(const SimDisk&) = delete;
  ~SimDisk();

  // Where redirected system calls find it; null when there is none, and for calls of its own.
  static SimDisk* active();
  // All below the root but RocksDB's remarks for people, which come when they like.
  [[nodiscard]] bool covers(std::string_view path) const;

  // --- What goes wrong. Counted from now, the first change is number 1.

  // The process dies in that change: it may be done in part, nothing after it is done.
  void crash_at(std::uint64_t change, Crash crash);
  // That change fails with `error`, or it and all after it.
  void fail_at(std::uint64_t change, int error, bool once);
  // From now on files may grow by so many bytes in all; nullopt: without end.
  void limit_space(std::optional<std::uint64_t> bytes);
  [[nodiscard]] std::uint64_t free_space() const;
  void forgive();  // None of it any more.

  // Dead: every change fails. Whoever uses the disk should be destroyed then, and restart() called.
  [[nodiscard]] bool dead() const;
  void kill(Crash crash);
  // Takes away what the crash destroyed; the disk works again.
  void restart();

  // Over the kinds, names and sizes of all changes so far.
  [[nodiscard]] std::uint64_t trace_hash() const;
  [[nodiscard]] std::uint64_t changes() const;
  struct Losses {
    std::uint64_t writes = 0;   // Unsynced writes that power losses took,
    std::uint64_t names = 0;    // unsynced changes to directories,
    std::uint64_t torn = 0;     // writes that they tore,
    std::uint64_t garbled = 0;  // and sectors that they garbled.
  };
  [[nodiscard]] Losses losses() const;
  // Files of which the last power loss took what a sync had failed to bring to the disk and a later
  // one had claimed to: nobody who goes on after a failed sync can know.
  [[nodiscard]] std::vector<std::string> ruined() const;

  // --- The changes. 0, or the error number that they fail with; paths are absolute.

  // Before a file is made, or an existing one opened to be written anew (`empties`).
  int create(const std::string& path, bool empties);
  // Before bytes are written: of them only `allowed`, less than all when it fails part-way.
  int write(const std::string& path, std::uint64_t offset, std::uint64_t bytes,
            std::uint64_t& allowed);
  int truncate(const std::string& path, std::uint64_t size);
  // Nothing is really synced: what is on the real disk matters to nobody.
  int sync(const std::string& path);
  int sync_directory(const std::string& path);
  // These do the change.
  int make_directory(const std::string& path);
  int rename(const std::string& from, const std::string& to);
  int exchange(const std::string& first, const std::string& second);
  int link(const std::string& from, const std::string& to);
  int remove(const std::string& path);

 private:
  struct UnsyncedWrite {
    std::uint64_t offset = 0;
    std::uint64_t bytes = 0;  // Written; 0 for a truncation.
    std::uint64_t size_before = 0;
    std::string old;  // What was there, from the offset on.
  };
  struct Range {
    std::uint64_t from = 0;
    std::uint64_t to = 0;
  };
  struct File {
    std::vector<UnsyncedWrite> writes;  // Oldest first.
    // What a sync that failed was to bring to the disk: no later one does, though it says so,
    // unless the bytes are written again.
    std::vector<Range> given_up;
  };
  // What becomes of a change: `error` is reported, and it is done all the same if `done`.
  struct Verdict {
    int error = 0;
    bool done = true;
  };
  enum class NameChange : std::uint8_t { kCreate, kDirectory, kRename, kExchange, kLink, kRemove };
  struct UnsyncedName {
    NameChange change = NameChange::kCreate;
    std::string path;    // The name that came, went or changed,
    std::string other;   // and the one it came from.
    std::string hidden;  // A second name of what was lost by it; empty if nothing was.
    std::uint64_t number = 0;
  };

  class Hold;  // The lock, and the mark that the thread's system calls are the disk's own.

  Verdict begin(std::string_view kind, const std::string& path, std::uint64_t size);
  void note_write(const std::string& path, std::uint64_t offset, std::uint64_t bytes,
                  std::uint64_t overwritten_to);
  static void write_again(File& file, Range written);
  void note_name(UnsyncedName name);
  [[nodiscard]] std::string hide(const std::string& path);
  // What is known of a path, and of all below it, is known of another from here on.
  void move(const std::string& from, const std::string& to);
  void exchange_known(const std::string& first, const std::string& second);
  void lose_names();
  void undo(const UnsyncedName& name);
  void lose_writes(const std::string& path, File& file);
  void garble(const std::string& path, const UnsyncedWrite& write);
  void forget_names(std::vector<UnsyncedName>& names);
  [[nodiscard]] std::uint64_t draw(std::uint64_t below) { return random_() % below; }

  const std::filesystem::path root_;
  const std::filesystem::path hidden_;  // Beside the root.
  mutable std::mutex mutex_;            // Guards all below.
  std::mt19937_64 random_;
  std::uint64_t changes_ = 0;
  std::uint64_t trace_ = 0;
  std::uint64_t names_hidden_ = 0;
  const bool traced_ = std::getenv("TENANTRY_TRACE") != nullptr;  // Prints every change.
  bool dead_ = false;
  Crash crash_ = Crash::kKill;
  std::optional<std::uint64_t> crash_at_;
  std::optional<std::uint64_t> fail_at_;
  int error_ = 0;
  bool fails_once_ = true;
  std::optional<std::uint64_t> space_;
  Losses losses_;
  std::vector<std::string> ruined_;
  std::map<std::string, std::shared_ptr<File>> files_;            // With unsynced writes.
  std::map<std::string, std::vector<UnsyncedName>> directories_;  // With unsynced names.
};

}  // namespace tenantry::sim
