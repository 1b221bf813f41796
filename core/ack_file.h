#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace tenantry {

// The newest tail known to be answered. A store that opens with less has lost what it acknowledged.
struct Ack {
  std::uint64_t incarnation = 0;
  std::uint64_t term = 0;
  std::uint64_t batch_seq = 0;
  std::uint64_t tail = 0;
  std::array<std::uint8_t, 16> head_digest{};
  bool closed = false;  // The writer left in good order: the tail is exactly this, not at least.

  bool operator==(const Ack&) const = default;
};

// The `ack` file, outside RocksDB because RocksDB opens with OK when the end of its write-ahead log
// is missing. 128 bytes, two slots of 64, little-endian:
//
//    0  u32  magic, the bytes "TACK"         32  u64  position of the tail
//    4  u32  CRC-32C of the slot, this as 0  40  16B  digest of the head
//    8  u64  incarnation                     56  u64  flags: 1 = closed
//   16  u64  term
//   24  u64  batch number
//
// The newest valid slot counts (incarnation, term, batch number, closed). The other slot is written
// next, and only once the newest is durable: whatever a crash does to one slot, the other is whole.
//
// Threads: any thread may call any method; close() and the destructor come last.
class AckFile {
 public:
  static constexpr std::size_t kSlotBytes = 64;
  static constexpr std::size_t kFileBytes = 2 * kSlotBytes;

  // nullopt if there is no such file. Throws CorruptionError if there is one without a valid slot,
  // UnavailableError if it cannot be read.
  [[nodiscard]] static std::optional<Ack> read(const std::filesystem::path& path);

  // Opens the file for writing, or creates it, and durably notes `current`, not closed: from here
  // on the tail may grow, and a slot of the last owner that still said `closed` would call that
  // damage. Needs no disk space if the file exists. Throws UnavailableError.
  // `sync` and `write_now` are those of Disk.
  AckFile(std::filesystem::path path, Ack current, std::function<int(int)> sync = {},
          std::function<bool()> write_now = {});
  AckFile(const AckFile&) = delete;
  AckFile& operator=(const AckFile&) = delete;
  // Writes what was noted last if close() was not called; errors are lost.
  ~AckFile();

  // Cheap: leaves `ack` to a thread of this object, which makes it durable within about 100 ms and
  // syncs no more often. What is older than an ack noted before is ignored. Never fails; see
  // error().
  void note(const Ack& ack);

  // Durably writes `ack` as closed, after which nothing may be noted. Throws UnavailableError if
  // this or any write before it failed.
  void close(const Ack& ack);

  // Text of the first write that failed; empty if none did.
  [[nodiscard]] std::string error() const;

 private:
  class Writer;
  std::unique_ptr<Writer> writer_;
};

}  // namespace tenantry
