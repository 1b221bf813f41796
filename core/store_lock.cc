#include "core/store_lock.h"

#include <cerrno>
#include <string>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"

namespace tenantry {
namespace {

struct flock whole_file(short type) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  return lock;
}

std::string owner_named_in(const std::filesystem::path& path) {
  const std::string text = read_file(path).value_or("");
  const std::string digits = text.substr(0, text.find_first_not_of("0123456789"));
  return digits.empty() ? "unknown" : digits;
}

[[noreturn]] void refuse(const std::filesystem::path& store, const std::filesystem::path& path) {
  throw UnavailableError(fmt::format("another process (pid {}) owns the store {}",
                                     owner_named_in(path), store.string()),
                         "wait until it ends, or stop it");
}

// The file locked may have been replaced between open and lock; then the lock guards nothing.
bool still_named(const FileDescriptor& file, const std::filesystem::path& path) {
  struct stat locked {};
  struct stat named {};
  return ::fstat(file.get(), &locked) == 0 && ::stat(path.c_str(), &named) == 0 &&
         locked.st_ino == named.st_ino && locked.st_dev == named.st_dev;
}

// Also where it cannot be told: then opening it fails, rather than going without a lock.
bool names_file(const std::filesystem::path& path) {
  return ::access(path.c_str(), F_OK) == 0 || errno != ENOENT;
}

// For the message of those who are refused: a full disk must not keep the owner out.
void leave_name(const FileDescriptor& file, pid_t owner) {
  const std::string line = fmt::format("{}\n", owner);
  if (write_fully(file.get(), line, 0) != 0) return;
  [[maybe_unused]] const int cut = ::ftruncate(file.get(), static_cast<off_t>(line.size()));
}

}  // namespace

bool StoreLock::may_write(const std::filesystem::path& store) {
  const std::filesystem::path path = store / kFileName;
  return ::eaccess((names_file(path) ? path : store).c_str(), W_OK) == 0;
}

StoreLock::StoreLock(const std::filesystem::path& store, bool read_only,
                     const std::function<bool()>& wait)
    : owner_(::getpid()) {
  const std::filesystem::path path = store / kFileName;
  const bool shared = read_only && !may_write(store);
  if (shared && !names_file(path)) return;
  file_ = open_file(path, shared ? O_RDONLY : O_RDWR | O_CREAT);
  struct flock lock = whole_file(shared ? F_RDLCK : F_WRLCK);
  while (::fcntl(file_.get(), F_OFD_SETLK, &lock) != 0) {
    const int error = errno;
    if (error != EAGAIN && error != EACCES) throw_file_error("lock", path, error);
    if (!wait || !wait()) refuse(store, path);
  }
  if (!still_named(file_, path)) refuse(store, path);
  if (!shared) leave_name(file_, owner_);
}

StoreLock::~StoreLock() {
  if (file_.get() < 0 || ::getpid() != owner_) return;
  // Closing alone would leave the lock to the children that share it.
  struct flock lock = whole_file(F_UNLCK);
  ::fcntl(file_.get(), F_OFD_SETLK, &lock);
}

}  // namespace tenantry
