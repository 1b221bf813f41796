#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/event_source.h"
#include "core/hash.h"

// Records and blocks: the bytes of the log. LOG_FORMAT.md gives the offsets; code that changes
// bytes changes it.
namespace tenantry {

inline constexpr std::size_t kRecordHeaderBytes = 160;
inline constexpr std::size_t kRecordHashedBytes = 128;  // What the chain covers of the header.
inline constexpr std::size_t kBlockHeaderBytes = 64;
inline constexpr std::size_t kBlockBytesMax = std::size_t{64}
                                              << 10;  // A larger record stands alone.
inline constexpr std::uint16_t kRecordVersion = 1;
inline constexpr std::uint16_t kBlockVersion = 1;
inline constexpr std::uint16_t kPayloadSchemaVersion = 1;

// Flags of a record. 2 and 3 are reserved: encrypted, synthetic.
inline constexpr std::uint16_t kFlagRedacted = 1U << 0U;  // Not its payload, but its SHA-256.
inline constexpr std::uint16_t kFlagClockHeld =
    1U << 1U;  // The clock stood behind the log's last time.
inline constexpr std::uint16_t kFlagTimeSupplied = 1U << 4U;  // The time came with the command.

// The 160-byte header of `event`, chain hash included, which this computes from `previous`.
[[nodiscard]] std::string encode_record_header(const StoredEvent& event, const Hash& previous,
                                               Hash& chain_hash);

// Reads a record at the start of `bytes`, which may go on behind it; `bytes` is at least a header.
// Throws CorruptionError, naming `place`, for what no version wrote. The payload is a view into
// `bytes`.
[[nodiscard]] StoredEvent decode_record(std::string_view bytes, const std::string& place);
// The bytes that a record takes, header and payload.
[[nodiscard]] std::size_t record_bytes(const StoredEvent& event);
// The record without its payload, whose SHA-256 stands in its place: its header says so, and what
// was hashed can be computed as before.
[[nodiscard]] std::string redact_record(std::string_view record);

// What the chain hash of an event must be after `previous`; `header` are the record's first 128
// bytes, and tell whether `payload` is one or the hash of one.
[[nodiscard]] Hash chain_hash(const Hash& previous, std::string_view header,
                              std::string_view payload);

struct BlockHeader {
  events::Scope scope = events::Scope::SYSTEM;
  std::uint32_t records = 0;
  Position first;
  Position last;
  std::uint64_t first_scope_seq = 0;
  std::uint64_t term = 0;
  std::uint64_t batch_seq = 0;
};

// A block of `records` (encoded, one after the other) with the batch's command table or without
// (empty).
[[nodiscard]] std::string encode_block(const BlockHeader& header, std::string_view command_table,
                                       std::string_view records);

// A block read back: checksum, length, key and every record's place checked when it is made. Owns
// its bytes.
class Block {
 public:
  // `key` is the block's key in the log, where nothing is redacted. Throws CorruptionError naming
  // scope and position.
  Block(std::string_view key, std::string_view value);
  // A block without commands, of `records` (encoded, one after the other) that are as `header`
  // says. Throws CorruptionError naming `place`.
  Block(const BlockHeader& header, std::string records, const std::string& place);
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;
  Block(Block&&) = default;
  Block& operator=(Block&&) = default;
  ~Block() = default;

  [[nodiscard]] const BlockHeader& header() const { return header_; }
  [[nodiscard]] const std::vector<StoredEvent>& records() const { return records_; }
  [[nodiscard]] std::string_view command_table() const;
  // The first 128 bytes of the header of the record at `index`, and the whole record.
  [[nodiscard]] std::string_view hashed_header(std::size_t index) const;
  [[nodiscard]] std::string_view record(std::size_t index) const;

 private:
  template <class Place>
  void read_records(const Place& place);

  std::string bytes_;
  BlockHeader header_;
  std::size_t commands_at_ = 0;
  std::size_t records_at_ = 0;
  std::vector<StoredEvent> records_;
  std::vector<std::size_t> offsets_;
};

}  // namespace tenantry
