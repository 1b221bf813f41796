#pragma once

#include <filesystem>
#include <functional>

#include <sys/types.h>

#include "core/file_ops.h"

namespace tenantry {

// Ownership of a store directory: while one of these lives, no other can be made for the same
// directory, in this process or another, under whatever path. The lock lies on a file of our own.
// RocksDB's LOCK would not do: it is a POSIX lock, and any code of the owner that opens and closes
// that file (a plain copy of the directory) gives it up.
//
// The kernel releases the lock when the owner dies, however it dies, unless a child it forked still
// lives; executing another program drops the child's share.
class StoreLock {
 public:
  static constexpr const char* kFileName = "OWNER.lock";

  // Whether this process may own the store for more than reading: the file can be written, or made.
  [[nodiscard]] static bool may_write(const std::filesystem::path& store);

  // `store` must exist. Throws UnavailableError naming the owner's process if there is one and
  // `wait` is empty or has returned false: it is called between tries, and waits a little. Where
  // the file cannot be written, who only reads shares the store with others who read, and is
  // refused by whoever writes; if there is no such file, nobody has ever written there.
  explicit StoreLock(const std::filesystem::path& store, bool read_only = false,
                     const std::function<bool()>& wait = {});
  StoreLock(StoreLock&& other) noexcept = default;
  StoreLock& operator=(StoreLock&&) = delete;
  StoreLock(const StoreLock&) = delete;
  StoreLock& operator=(const StoreLock&) = delete;
  // Releases the store, even if forked children still live. In a forked child it releases nothing.
  ~StoreLock();

 private:
  FileDescriptor file_;  // None when there is nothing to lock.
  pid_t owner_;
};

}  // namespace tenantry
