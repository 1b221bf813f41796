// The system calls of our own code on a simulated disk. The linker directs each call of `open` in
// our objects to `__wrap_open`, which finds the real one as `__real_open`
// (tests/sim/CMakeLists.txt lists them). Shared libraries keep theirs.

#include <cerrno>
#include <cstdarg>
#include <map>
#include <mutex>
#include <string>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include "tests/sim/sim_disk.h"

using tenantry::sim::SimDisk;

namespace {

// Which file or directory of the simulated disk a descriptor is open on.
class OpenFiles {
 public:
  void put(int descriptor, const std::string& path) {
    const std::lock_guard lock(mutex_);
    paths_[descriptor] = path;
  }
  void erase(int descriptor) {
    const std::lock_guard lock(mutex_);
    paths_.erase(descriptor);
  }
  // Empty for a file of somewhere else.
  std::string path(int descriptor) {
    const std::lock_guard lock(mutex_);
    const auto found = paths_.find(descriptor);
    return found == paths_.end() ? std::string() : found->second;
  }

 private:
  std::mutex mutex_;
  std::map<int, std::string> paths_;
};

OpenFiles& open_files() {
  static OpenFiles files;
  return files;
}

SimDisk* disk_of(const std::string& path) {
  SimDisk* disk = SimDisk::active();
  return disk != nullptr && disk->covers(path) ? disk : nullptr;
}

bool exists(const char* path) {
  struct stat status {};
  return ::lstat(path, &status) == 0;
}

int report(int error) {
  if (error == 0) return 0;
  errno = error;
  return -1;
}

bool is_directory(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

int sync_it(int descriptor, int (*real)(int)) {
  const std::string path = open_files().path(descriptor);
  SimDisk* disk = disk_of(path + "/");
  if (path.empty() || disk == nullptr) return real(descriptor);
  return report(is_directory(path) ? disk->sync_directory(path) : disk->sync(path));
}

}  // namespace

// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming): the linker's names.
extern "C" {

int __real_open(const char* path, int flags, ...);
int __real_close(int descriptor);
ssize_t __real_pwrite(int descriptor, const void* bytes, size_t count, off_t offset);
int __real_fsync(int descriptor);
int __real_fdatasync(int descriptor);
int __real_ftruncate(int descriptor, off_t size);
int __real_posix_fallocate(int descriptor, off_t offset, off_t bytes);
int __real_rename(const char* from, const char* to);
int __real_renameat2(int from_in, const char* from, int to_in, const char* to, unsigned int flags);
int __real_link(const char* from, const char* to);
int __real_unlink(const char* path);
int __real_mkdir(const char* path, mode_t mode);

int __wrap_open(const char* path, int flags, ...) {
  mode_t mode = 0;
  if ((flags & O_CREAT) != 0) {
    va_list rest;
    va_start(rest, flags);
    mode = va_arg(rest, mode_t);
    va_end(rest);
  }
  SimDisk* disk = disk_of(std::string(path) + "/");
  if (disk == nullptr) return __real_open(path, flags, mode);
  const bool makes = (flags & O_CREAT) != 0 && !exists(path);
  const bool empties = (flags & O_TRUNC) != 0;
  if (makes || empties) {
    const int error = disk->create(path, empties);
    if (error != 0) return report(error);
  }
  const int descriptor = __real_open(path, flags, mode);
  if (descriptor >= 0) open_files().put(descriptor, path);
  return descriptor;
}

int __wrap_close(int descriptor) {
  open_files().erase(descriptor);
  return __real_close(descriptor);
}

ssize_t __wrap_pwrite(int descriptor, const void* bytes, size_t count, off_t offset) {
  const std::string path = open_files().path(descriptor);
  SimDisk* disk = path.empty() ? nullptr : disk_of(path);
  if (disk == nullptr) return __real_pwrite(descriptor, bytes, count, offset);
  std::uint64_t allowed = 0;
  const int error = disk->write(path, static_cast<std::uint64_t>(offset), count, allowed);
  const ssize_t written = __real_pwrite(descriptor, bytes, allowed, offset);
  return error == 0 ? written : report(error);
}

int __wrap_fsync(int descriptor) { return sync_it(descriptor, __real_fsync); }
int __wrap_fdatasync(int descriptor) { return sync_it(descriptor, __real_fdatasync); }

int __wrap_ftruncate(int descriptor, off_t size) {
  const std::string path = open_files().path(descriptor);
  SimDisk* disk = path.empty() ? nullptr : disk_of(path);
  if (disk != nullptr) {
    const int error = disk->truncate(path, static_cast<std::uint64_t>(size));
    if (error != 0) return report(error);
  }
  return __real_ftruncate(descriptor, size);
}

// Room that is reserved takes none of the real disk's.
int __wrap_posix_fallocate(int descriptor, off_t offset, off_t bytes) {
  const std::string path = open_files().path(descriptor);
  SimDisk* disk = path.empty() ? nullptr : disk_of(path);
  if (disk == nullptr) return __real_posix_fallocate(descriptor, offset, bytes);
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) return errno;
  if (status.st_size >= offset + bytes) return 0;
  std::uint64_t allowed = 0;
  const auto end = static_cast<std::uint64_t>(offset + bytes);
  const auto size = static_cast<std::uint64_t>(status.st_size);
  const int error = disk->write(path, size, end - size, allowed);
  if (error != 0) return error;
  return __real_ftruncate(descriptor, offset + bytes) == 0 ? 0 : errno;
}

int __wrap_rename(const char* from, const char* to) {
  SimDisk* disk = disk_of(to);
  return disk == nullptr ? __real_rename(from, to) : report(disk->rename(from, to));
}

int __wrap_renameat2(int from_in, const char* from, int to_in, const char* to, unsigned int flags) {
  SimDisk* disk = disk_of(to);
  if (disk == nullptr) return __real_renameat2(from_in, from, to_in, to, flags);
  return report(flags == RENAME_EXCHANGE ? disk->exchange(from, to) : disk->rename(from, to));
}

int __wrap_link(const char* from, const char* to) {
  SimDisk* disk = disk_of(to);
  return disk == nullptr ? __real_link(from, to) : report(disk->link(from, to));
}

int __wrap_unlink(const char* path) {
  SimDisk* disk = disk_of(path);
  return disk == nullptr ? __real_unlink(path) : report(disk->remove(path));
}

int __wrap_mkdir(const char* path, mode_t mode) {
  SimDisk* disk = disk_of(path);
  return disk == nullptr ? __real_mkdir(path, mode) : report(disk->make_directory(path));
}

}  // extern "C"
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)
