#include "core/owner/socket.h"

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/error.h"
#include "core/store_lock.h"

namespace tenantry::owner {
namespace {

namespace fs = std::filesystem;

constexpr int kBacklog = 64;

// An address by way of the open directory, which is short however long the path is.
struct Address {
  FileDescriptor directory;
  sockaddr_un name{};
  std::string path;
};

Address address_in(const fs::path& directory) {
  Address address{
      FileDescriptor(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)), {}, {}};
  if (address.directory.get() < 0) throw_file_error("open", directory, errno);
  address.path = fmt::format("/proc/self/fd/{}/{}", address.directory.get(), kSocketName);
  address.name.sun_family = AF_UNIX;
  std::memcpy(address.name.sun_path, address.path.c_str(), address.path.size() + 1);
  return address;
}

FileDescriptor make_socket() {
  FileDescriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (socket.get() < 0) throw_file_error("make a socket in", "/", errno);
  return socket;
}

const sockaddr* pointer(const Address& address) {
  return reinterpret_cast<const sockaddr*>(&address.name);
}

}  // namespace

std::optional<LockIdentity> lock_identity(const fs::path& directory) {
  struct stat status {};
  if (::stat((directory / StoreLock::kFileName).c_str(), &status) != 0) return std::nullopt;
  return LockIdentity{status.st_dev, status.st_ino};
}

Listener::Listener(const fs::path& directory)
    : path_(directory / kSocketName), socket_(make_socket()) {
  const Address address = address_in(directory);
  if (::unlink(address.path.c_str()) != 0 && errno != ENOENT) {
    throw_file_error("remove", path_, errno);
  }
  if (::bind(socket_.get(), pointer(address), sizeof(address.name)) != 0) {
    throw_file_error("make", path_, errno);
  }
  // Before it listens nobody can connect.
  if (::chmod(address.path.c_str(), S_IRUSR | S_IWUSR) != 0) {
    throw_file_error("change the mode of", path_, errno);
  }
  if (::listen(socket_.get(), kBacklog) != 0) throw_file_error("listen on", path_, errno);
  struct stat status {};
  if (::stat(path_.c_str(), &status) == 0) inode_ = status.st_ino;
}

void Listener::remove() {
  struct stat status {};
  const bool is_ours = inode_ != 0 && ::stat(path_.c_str(), &status) == 0 &&
                       static_cast<std::uint64_t>(status.st_ino) == inode_;
  inode_ = 0;
  std::error_code ignored;
  if (is_ours) fs::remove(path_, ignored);
}

std::optional<FileDescriptor> connect_in(const fs::path& directory) {
  const Address address = address_in(directory);
  FileDescriptor socket = make_socket();
  if (::connect(socket.get(), pointer(address), sizeof(address.name)) == 0) return socket;
  switch (errno) {
    case ENOENT:
    case ECONNREFUSED:  // Whoever made it is gone; or the store was copied with it.
    case EAGAIN:        // More are waiting to be let in than fit.
    case EINTR:
      return std::nullopt;
    default:
      throw_file_error("connect to", directory / kSocketName, errno);
  }
}

bool peer_is_trusted(int socket) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  return peer.uid == ::geteuid() || peer.uid == 0;
}

}  // namespace tenantry::owner
