#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/segment.h"

// The parts of a segment's file, as LOG_FORMAT.md gives them: for its writer, its reader, and tests
// that forge. What decodes throws CorruptionError naming `file`.
namespace tenantry::segment {

inline constexpr std::size_t kStartBytes = 4096;
inline constexpr std::size_t kHeaderBytes = 32;
inline constexpr std::size_t kTrailerBytes = 64;
inline constexpr std::size_t kFooterBytesMax = std::size_t{1} << 30;
inline constexpr std::size_t kEntryHeaderBytes = 8;
// Of a record; of an entry of a state with its header and padding. What a block may be when it is
// uncompressed: damaged lengths are found out before anything is allocated.
inline constexpr std::size_t kRecordBytesMax = std::size_t{1} << 20;
inline constexpr std::size_t kEntryBytesMax = std::size_t{16} << 20;

enum class Codec : std::uint32_t { kRaw = 0, kZstd = 1 };

[[noreturn]] void damaged(const std::string& file, const std::string& why);

// To whole words of 8 bytes.
[[nodiscard]] constexpr std::uint64_t padded(std::uint64_t bytes) { return (bytes + 7) / 8 * 8; }
// Of a block in the file, with header and padding.
[[nodiscard]] constexpr std::uint64_t block_bytes(const SegmentBlock& block) {
  return padded(kHeaderBytes + block.stored_bytes);
}

// The whole first page.
[[nodiscard]] std::string encode_start(const SegmentStart& start);
[[nodiscard]] SegmentStart decode_start(std::string_view page, const std::string& file);

// What stands before the stored bytes of `block`.
[[nodiscard]] std::string encode_block_header(const SegmentBlock& block, Codec codec,
                                              std::string_view stored);
// The entries of a block. `bytes` are its header and what is stored, as long as `block` says; the
// header must be the one that belongs to it.
[[nodiscard]] std::string unpack_block(std::string_view bytes, const SegmentBlock& block,
                                       const std::string& file);

struct Footer {
  SegmentEnd end;  // Without the size and the digest of the file.
  std::vector<SegmentBlock> blocks;
};
[[nodiscard]] std::string encode_footer(const SegmentEnd& end,
                                        const std::vector<SegmentBlock>& blocks);
// All that it says agrees with itself and with `start`.
[[nodiscard]] Footer decode_footer(std::string_view bytes, const SegmentStart& start,
                                   const std::string& file);

// Over the first page and the footer.
[[nodiscard]] Hash frame_digest(std::string_view page, std::string_view footer);

struct Trailer {
  std::uint64_t footer_at = 0;
  std::uint64_t footer_bytes = 0;
  Hash digest{};
};
[[nodiscard]] std::string encode_trailer(const Trailer& trailer);
// `file_bytes`: how long the file is. The footer lies inside, and ends where the trailer begins.
[[nodiscard]] Trailer decode_trailer(std::string_view bytes, std::uint64_t file_bytes,
                                     const std::string& file);

// An entry of a state, with its header and padding; and the one at `at`, behind which `at` is
// moved.
void append_entry(std::string& out, std::string_view key, std::string_view value);
struct Entry {
  std::string_view key;
  std::string_view value;
};
[[nodiscard]] Entry read_entry(std::string_view block, std::size_t& at, const std::string& file);

// The second tenant under which an event is found, if there is one, as its payload tells. One that
// has one is never redacted.
[[nodiscard]] std::optional<events::Uuid> other_tenant(const StoredEvent& event,
                                                       const std::string& file);

}  // namespace tenantry::segment
