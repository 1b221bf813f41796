#include "core/file_ops.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/error.h"
#include "core/planted.h"

namespace tenantry {
namespace {

std::filesystem::path parent_of(const std::filesystem::path& path) {
  const std::filesystem::path parent = path.parent_path();
  return parent.empty() ? std::filesystem::path(".") : parent;
}

std::string hint_for(int error_number, const std::filesystem::path& path) {
  switch (error_number) {
    case ENOENT: {
      std::error_code error;
      const std::filesystem::path parent = parent_of(path);
      if (std::filesystem::exists(parent, error) || error) return {};
      return "there is no directory " + parent.string() + ": make it, or name another one";
    }
    case ENOSPC:
    case EDQUOT:
      return "free disk space, then try again";
    case EACCES:
    case EPERM:
      return "run as the user that owns the store";
    case EMFILE:
    case ENFILE:
      return "raise the limit of open files";
    case ELOOP:
      return "put the file itself there; only directories may be symbolic links";
    default:
      return {};
  }
}

const char* code_for(int error_number) {
  return error_number == ENOSPC || error_number == EDQUOT ? "disk_full" : "unavailable";
}

// As open(2), but a pipe that nobody writes to is not waited for.
int open_at_once(const std::filesystem::path& path, int flags, mode_t mode) {
  const int descriptor = ::open(path.c_str(), flags | O_CLOEXEC | O_NONBLOCK, mode);
  if (descriptor >= 0 || errno != EWOULDBLOCK) return descriptor;
  // It is a file, and somebody far away must give up a lease on it, which takes a moment.
  return ::open(path.c_str(), flags | O_CLOEXEC, mode);
}

// A pipe has no bytes to go back to, and a device no end.
void require_file(const FileDescriptor& file, const std::filesystem::path& path) {
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) throw_file_error("examine", path, errno);
  if (S_ISREG(status.st_mode)) return;
  throw UnavailableError(path.string() + " is not a file, but " +
                             (S_ISDIR(status.st_mode) ? "a directory" : "a pipe or a device"),
                         "move it away, and put the file back in its place");
}

// Leaves no half-written file behind, where it can.
void write_and_sync(const std::filesystem::path& path, std::string_view bytes) {
  FileDescriptor file = open_file(path, O_WRONLY | O_CREAT | O_TRUNC);
  int error = write_fully(file.get(), bytes, 0);
  if (error == 0 && ::fsync(file.get()) != 0) error = errno;
  if (error != 0 && planted(Plant::kRetryAfterFailedSync)) error = ::fsync(file.get());
  if (!file.close() && error == 0) error = errno;
  if (error == 0) return;
  ::unlink(path.c_str());
  throw_file_error("write", path, error);
}

}  // namespace

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
  if (this != &other) {
    close();
    descriptor_ = other.release();
  }
  return *this;
}

int FileDescriptor::release() { return std::exchange(descriptor_, -1); }

bool FileDescriptor::close() {
  const int descriptor = release();
  return descriptor < 0 || ::close(descriptor) == 0;
}

FileDescriptor open_file(const std::filesystem::path& path, int flags) {
  constexpr mode_t kOwnerOnly = 0600;
  FileDescriptor file(open_at_once(path, flags, kOwnerOnly));
  if (file.get() < 0) throw_file_error("open", path, errno);
  if ((flags & O_DIRECTORY) == 0) require_file(file, path);
  return file;
}

void throw_file_error(std::string_view action, const std::filesystem::path& path,
                      int error_number) {
  throw UnavailableError(fmt::format("cannot {} {}: {}", action, path.string(),
                                     std::generic_category().message(error_number)),
                         hint_for(error_number, path), code_for(error_number));
}

int write_fully(int descriptor, std::string_view bytes, std::uint64_t offset) {
  while (!bytes.empty()) {
    const ssize_t written =
        ::pwrite(descriptor, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0) {
      if (errno == EINTR) continue;
      return errno;
    }
    if (written == 0) return EIO;
    bytes.remove_prefix(static_cast<std::size_t>(written));
    offset += static_cast<std::uint64_t>(written);
  }
  return 0;
}

void write_file_durably(const std::filesystem::path& path, std::string_view bytes) {
  const std::filesystem::path temporary = path.string() + ".tmp";
  // 1. The bytes are on disk under a name that nobody reads.
  write_and_sync(temporary, bytes);
  // 2. They take the name at once,
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    const int error = errno;
    ::unlink(temporary.c_str());
    throw_file_error("replace", path, error);
  }
  // 3. and for good.
  fsync_directory(parent_of(path));
}

void rename_durably(const std::filesystem::path& from, const std::filesystem::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) throw_file_error("make", to, errno);
  fsync_directory(parent_of(to));
}

void exchange_durably(const std::filesystem::path& first, const std::filesystem::path& second) {
  if (::renameat2(AT_FDCWD, first.c_str(), AT_FDCWD, second.c_str(), RENAME_EXCHANGE) != 0) {
    throw_file_error("exchange " + first.string() + " with", second, errno);
  }
  fsync_directory(parent_of(first));
}

void link_file(const std::filesystem::path& from, const std::filesystem::path& to) {
  if (::link(from.c_str(), to.c_str()) != 0) throw_file_error("make", to, errno);
}

void copy_file_durably(const std::filesystem::path& from, const std::filesystem::path& to) {
  constexpr std::size_t kPieceBytes = std::size_t{1} << 20;
  FileDescriptor source = open_file(from, O_RDONLY | O_NOFOLLOW);
  FileDescriptor copy = open_file(to, O_WRONLY | O_CREAT | O_EXCL);
  std::string piece(kPieceBytes, '\0');
  std::uint64_t at = 0;
  while (true) {
    const ssize_t count = ::pread(source.get(), piece.data(), piece.size(), static_cast<off_t>(at));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_file_error("read", from, errno);
    if (count == 0) break;
    const std::string_view bytes(piece.data(), static_cast<std::size_t>(count));
    if (const int error = write_fully(copy.get(), bytes, at); error != 0) {
      throw_file_error("write", to, error);
    }
    at += bytes.size();
  }
  if (::fsync(copy.get()) != 0) throw_file_error("sync", to, errno);
}

bool remove_durably(const std::filesystem::path& path) {
  if (::unlink(path.c_str()) != 0) {
    if (errno == ENOENT) return false;
    throw_file_error("remove", path, errno);
  }
  fsync_directory(parent_of(path));
  return true;
}

int reserve_space(const std::filesystem::path& path, std::uint64_t bytes) {
  constexpr mode_t kOwnerOnly = 0600;
  const FileDescriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kOwnerOnly));
  struct stat status {};
  if (file.get() < 0 || ::fstat(file.get(), &status) != 0) return errno;
  const int error = ::posix_fallocate(file.get(), 0, static_cast<off_t>(bytes));
  if (error == 0) return ::fsync(file.get()) == 0 ? 0 : errno;
  // What was taken for nothing is given back.
  return ::ftruncate(file.get(), status.st_size) == 0 ? error : errno;
}

std::optional<std::string> read_file(const std::filesystem::path& path) {
  FileDescriptor file(open_at_once(path, O_RDONLY, 0));
  if (file.get() < 0) {
    if (errno == ENOENT) return std::nullopt;
    throw_file_error("open", path, errno);
  }
  require_file(file, path);
  std::string content;
  std::array<char, 65536> piece;
  for (;;) {
    const ssize_t count = ::read(file.get(), piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_file_error("read", path, errno);
    if (count == 0) return content;
    content.append(piece.data(), static_cast<std::size_t>(count));
  }
}

void fsync_file(const std::filesystem::path& path) {
  FileDescriptor file = open_file(path, O_RDONLY);
  if (::fsync(file.get()) != 0) throw_file_error("sync", path, errno);
}

void fsync_directory(const std::filesystem::path& directory) {
  if (planted(Plant::kNoDirectorySync)) return;
  const FileDescriptor file = open_file(directory, O_RDONLY | O_DIRECTORY);
  if (::fsync(file.get()) != 0) throw_file_error("sync", directory, errno);
}

void make_private_directory(const std::filesystem::path& path) {
  constexpr mode_t kOwnerOnly = 0700;
  if (::mkdir(path.c_str(), kOwnerOnly) != 0) {
    const int error = errno;
    std::error_code ignored;
    if (error != EEXIST || !std::filesystem::is_directory(path, ignored)) {
      throw_file_error("create", path, error);
    }
  }
  fsync_directory(parent_of(path));
}

std::filesystem::path make_scratch_directory(const std::filesystem::path& parent) {
  const std::filesystem::path& written =
      std::filesystem::exists(parent) ? parent : parent_of(parent);
  std::filesystem::path base = std::filesystem::temp_directory_path();
  if (::eaccess(written.c_str(), W_OK) == 0) {
    make_private_directory(parent);
    base = parent;
  }
  std::string name = (base / "tenantry-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw_file_error("create", name, errno);
  return name;
}

std::uint64_t free_space(const std::filesystem::path& path) {
  struct statvfs status {};
  if (::statvfs(path.c_str(), &status) != 0) throw_file_error("examine", path, errno);
  return std::uint64_t{status.f_bavail} * status.f_frsize;
}

}  // namespace tenantry
