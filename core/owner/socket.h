#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "core/file_ops.h"

// The socket through which the owner of a store is reached: a file in its directory that only the
// owner's user may use. Paths may be longer than a socket's address holds.
namespace tenantry::owner {

inline constexpr const char* kSocketName = "OWNER.sock";

// Of the file that says who owns the store. A copied store has another one.
struct LockIdentity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  bool operator==(const LockIdentity&) const = default;
};
[[nodiscard]] std::optional<LockIdentity> lock_identity(const std::filesystem::path& directory);

// Listens for as long as it lives, in place of whoever did before: only the owner may make one.
class Listener {
 public:
  // Throws UnavailableError.
  explicit Listener(const std::filesystem::path& directory);
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  ~Listener() { remove(); }

  [[nodiscard]] int descriptor() const { return socket_.get(); }
  // Nobody who comes from here on finds the socket. What another owner put in its place stays.
  void remove();

 private:
  const std::filesystem::path path_;
  FileDescriptor socket_;
  std::uint64_t inode_ = 0;  // Of the file; 0: it is removed.
};

// None when nobody listens there. Throws UnavailableError when it cannot be told.
[[nodiscard]] std::optional<FileDescriptor> connect_in(const std::filesystem::path& directory);

// Whether the process at the other end runs for this user, or for root.
[[nodiscard]] bool peer_is_trusted(int socket);

}  // namespace tenantry::owner
