#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

// The few operations on files of our own, in one place, so that each is durable in the same way and
// can be made to fail in tests. Threads: all are safe to call at once on different paths. Errors:
// UnavailableError naming the path and the system's reason.
namespace tenantry {

// An open file descriptor; closed with the object.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int descriptor) : descriptor_(descriptor) {}
  FileDescriptor(FileDescriptor&& other) noexcept : descriptor_(other.release()) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  ~FileDescriptor() { close(); }

  [[nodiscard]] int get() const { return descriptor_; }
  // Gives the descriptor away: closing it is now the caller's duty.
  [[nodiscard]] int release();
  // True if the system reported no error. Closing twice does nothing.
  bool close();

 private:
  int descriptor_ = -1;
};

// open(2), close-on-exec; a new file is readable by its owner only. What is neither a file nor,
// with O_DIRECTORY, a directory is refused at once: a pipe is not waited for.
[[nodiscard]] FileDescriptor open_file(const std::filesystem::path& path, int flags);

// "cannot <action> <path>: <reason>", with a hint where there is something to try.
[[noreturn]] void throw_file_error(std::string_view action, const std::filesystem::path& path,
                                   int error_number);

// Writes all of `bytes` at `offset`. Returns 0 or the system's error number.
[[nodiscard]] int write_fully(int descriptor, std::string_view bytes, std::uint64_t offset);

// Afterwards `path` durably holds `bytes`. A crash, at any moment, leaves the old content or the
// new. Uses `<path>.tmp`, which a crash may leave behind and the next call overwrites.
void write_file_durably(const std::filesystem::path& path, std::string_view bytes);

// Afterwards what was `from` is durably `to`; an empty directory that is there already gives way.
void rename_durably(const std::filesystem::path& from, const std::filesystem::path& to);

// Afterwards `first` durably names what `second` named, and the other way round: both in one step,
// in one directory.
void exchange_durably(const std::filesystem::path& first, const std::filesystem::path& second);

// A second name for the same file, or a copy of it, whose bytes are durable. The name is, once its
// directory is synced. What a symbolic link leads to is not copied.
void link_file(const std::filesystem::path& from, const std::filesystem::path& to);
void copy_file_durably(const std::filesystem::path& from, const std::filesystem::path& to);

// Afterwards the file is durably gone. False if there was none.
bool remove_durably(const std::filesystem::path& path);

// Makes the file `bytes` long, with room on the disk for all of them. Returns 0 or the system's
// error number; then the file has the length it had.
[[nodiscard]] int reserve_space(const std::filesystem::path& path, std::uint64_t bytes);

// The whole file; nullopt if there is none. What is not a file is refused, as open_file() does.
[[nodiscard]] std::optional<std::string> read_file(const std::filesystem::path& path);

// Afterwards the bytes of the file are durable.
void fsync_file(const std::filesystem::path& path);

// Afterwards the names in `directory` are durable.
void fsync_directory(const std::filesystem::path& directory);

// A directory that only its owner may enter, durably in its parent, which must exist. One that
// exists already is accepted as it is.
void make_private_directory(const std::filesystem::path& path);

// A new directory of the caller's own under `parent`, which is made if need be; where that cannot
// be written, under the system's directory for temporary files.
[[nodiscard]] std::filesystem::path make_scratch_directory(const std::filesystem::path& parent);

// Bytes an unprivileged process may still write on the file system of `path`.
[[nodiscard]] std::uint64_t free_space(const std::filesystem::path& path);

}  // namespace tenantry
