#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/event_source.h"
#include "core/file_ops.h"
#include "core/record.h"

// Sealed files of one scope: the events of a stretch of its log, or its state at one position. The
// same content gives the same bytes, whenever and however it was written, as long as the
// compression library stays the same. LOG_FORMAT.md gives the offsets; a segment can be read
// without the store that it comes from.
namespace tenantry {

enum class SegmentKind : std::uint16_t { kEvents = 1, kState = 2 };

// What is known before the first entry.
struct SegmentStart {
  SegmentKind kind = SegmentKind::kEvents;
  events::Uuid store;
  events::Scope scope = events::Scope::SYSTEM;
  // Of events: the place of the first in its scope, and the chain hash before it. Of a state: how
  // many events of the scope it follows from, the chain hash of the last of them, and its position.
  std::uint64_t seq = 0;
  Hash chain{};
  Position position;
  bool operator==(const SegmentStart&) const = default;
};

// What is known after the last one. Of a state `last_seq` and `last_chain` are those of the start,
// and the positions and times are zero.
struct SegmentEnd {
  std::uint64_t entries = 0;
  std::uint64_t raw_bytes = 0;   // Of the entries.
  std::uint64_t file_bytes = 0;  // Of the file.
  std::uint64_t last_seq = 0;
  Hash last_chain{};
  Position first;
  Position last;
  events::Timestamp first_time;
  events::Timestamp last_time;
  Hash content_digest{};  // SHA-256 of the entries, uncompressed.
  Hash file_digest{};     // SHA-256 of the whole file.
  bool operator==(const SegmentEnd&) const = default;
};

// What a sealed file is called in an archive: by what it holds. `first` and `last`, or `at`:
// numbers of events in the scope.
[[nodiscard]] std::string segment_name(events::Scope scope, std::uint64_t first, std::uint64_t last,
                                       const Hash& content_digest);
[[nodiscard]] std::string snapshot_name(events::Scope scope, std::uint64_t at,
                                        const Hash& content_digest);
// Whether some sealed file may be called so.
[[nodiscard]] bool is_sealed_name(std::string_view name);

// Entries are cut into blocks of so many bytes, uncompressed; a larger one stands alone.
inline constexpr std::size_t kSegmentBlockBytes = std::size_t{64} << 10;

// Writes a new file; one that is there is overwritten. Not durable, nor good for anything, before
// finish(). Threads: one. Errors: UnavailableError when the disk fails.
class SegmentWriter {
 public:
  SegmentWriter(const std::filesystem::path& path, const SegmentStart& start);
  SegmentWriter(const SegmentWriter&) = delete;
  SegmentWriter& operator=(const SegmentWriter&) = delete;
  ~SegmentWriter();

  // The next event of the scope, with its record as it stands in the log. `other_tenant`: the
  // second tenant under which it is found, if there is one.
  void add_event(const StoredEvent& event, std::string_view record,
                 const std::optional<events::Uuid>& other_tenant);
  // The next entry of the state; keys ascend. With both, an entry is at most 16 MiB.
  void add_entry(std::string_view key, std::string_view value);

  [[nodiscard]] std::uint64_t raw_bytes() const;
  // Once, and last: the bytes are durable afterwards; the name is once its directory is synced.
  [[nodiscard]] SegmentEnd finish();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// A block of a segment: where it lies, what it covers.
struct SegmentBlock {
  std::uint64_t offset = 0;
  std::uint32_t stored_bytes = 0;
  std::uint32_t raw_bytes = 0;
  std::uint32_t entries = 0;
  // The place of its first event in the scope. Of a state: how many entries stand before it.
  std::uint64_t first_seq = 0;
  // Of events; zero for a state.
  Position first;
  Position last;
  events::Timestamp first_time;
  events::Timestamp last_time;
  std::string filter;  // Bloom filter of the ids of tenants, streams and actors; see may_hold().
};

// Reads a segment. Threads: any may read at once. Errors: CorruptionError naming the file for what
// is not as it was written, UnavailableError for one that cannot be read.
class SegmentReader {
 public:
  // Reads and checks the start and the end of the file, not what is between.
  explicit SegmentReader(std::filesystem::path path);

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] const SegmentStart& start() const { return start_; }
  // `file_digest` as zeros: nothing but reading everything tells it.
  [[nodiscard]] const SegmentEnd& end() const { return end_; }
  [[nodiscard]] const std::vector<SegmentBlock>& blocks() const { return blocks_; }
  // Whether the block may have an event of that tenant, stream or actor. False is certain.
  [[nodiscard]] bool may_hold(std::size_t block, const events::Uuid& id) const;

  // The events of a block, each checked for its place; their hash chain is not. The block's header
  // has term and batch number zero.
  [[nodiscard]] Block events(std::size_t block) const;
  // The entries of a block of a state, until `visit` returns false; false if it did.
  bool visit_entries(
      std::size_t block,
      const std::function<bool(std::string_view key, std::string_view value)>& visit) const;

  // Reads the whole file anew, from the disk where the system can be brought to it: every
  // checksum, every digest, the order of entries, the hash chain of events from the start to the
  // end. Gives the end with its file digest. `progress` is told of bytes, and may throw.
  [[nodiscard]] SegmentEnd verify(const Progress& progress) const;

 private:
  [[nodiscard]] std::string read_block(std::size_t block) const;

  std::filesystem::path path_;
  FileDescriptor file_;
  SegmentStart start_;
  SegmentEnd end_;
  std::vector<SegmentBlock> blocks_;
};

}  // namespace tenantry
