#include "core/record.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "core/bytes.h"
#include "core/crc32c.h"
#include "core/error.h"
#include "core/keys.h"

namespace tenantry {
namespace {

constexpr std::uint32_t kBlockMagic = 0x314b4254;  // "TBK1" in the order of bytes.
constexpr std::string_view kChainTag = "TEN1";

// Offsets in a record header.
constexpr std::size_t kAtFlags = 2;
constexpr std::size_t kAtPayloadBytes = 112;

// Offsets in a block header.
constexpr std::size_t kAtMagic = 0;
constexpr std::size_t kAtVersion = 4;
constexpr std::size_t kAtScope = 6;
constexpr std::size_t kAtLength = 8;
constexpr std::size_t kAtCount = 12;
constexpr std::size_t kAtFirst = 16;
constexpr std::size_t kAtLast = 24;
constexpr std::size_t kAtScopeSeq = 32;
constexpr std::size_t kAtTerm = 40;
constexpr std::size_t kAtBatchSeq = 48;
constexpr std::size_t kAtRecords = 56;
constexpr std::size_t kAtCrc = 60;

[[noreturn]] void damaged(const std::string& place, const std::string& why) {
  throw CorruptionError(place + ": " + why);
}

// Where a block lies. Its text is made when it is needed: blocks are read by the million.
struct BlockPlace {
  std::uint16_t scope;
  std::uint64_t position;
  [[nodiscard]] std::string text() const {
    return fmt::format("log block of scope {} at position {}",
                       events::scope_name(static_cast<events::Scope>(scope)), position);
  }
};
[[noreturn]] void damaged(const BlockPlace& place, const std::string& why) {
  damaged(place.text(), why);
}

std::uint32_t checksum_of(std::string_view block) {
  constexpr std::string_view kZeros("\0\0\0\0", 4);
  const std::uint32_t start = crc32c_extend(crc32c(block.substr(0, kAtCrc)), kZeros);
  return crc32c_extend(start, block.substr(kBlockHeaderBytes));
}

}  // namespace

Hash chain_hash(const Hash& previous, std::string_view header, std::string_view payload) {
  thread_local Sha256 sha;
  std::array<char, kRecordHashedBytes> cleared{};
  std::copy_n(header.begin(), cleared.size(), cleared.begin());
  const auto flags = static_cast<std::uint8_t>(cleared[kAtFlags]);
  cleared[kAtFlags] = static_cast<char>(flags & ~kFlagRedacted);
  Hash payload_hash{};
  if ((flags & kFlagRedacted) == 0) {
    payload_hash = sha.add(payload).finish();
  } else {
    TENANTRY_ASSERT(payload.size() == payload_hash.size());
    std::ranges::copy(payload, payload_hash.begin());
  }
  return sha.add(kChainTag)
      .add(previous)
      .add({cleared.data(), cleared.size()})
      .add(payload_hash)
      .finish();
}

std::string encode_record_header(const StoredEvent& event, const Hash& previous, Hash& chain) {
  std::string out;
  out.reserve(kRecordHeaderBytes + event.payload.size());
  append_le(out, kRecordVersion);
  append_le(out, event.flags);
  append_le(out, event.kind);
  append_le(out, event.position.value);
  append_le(out, event.scope_seq);
  append_le(out, event.version.value);
  append_le(out, event.recorded_at.micros);
  append_uuid(out, event.tenant);
  append_uuid(out, event.stream);
  append_uuid(out, event.actor);
  append_uuid(out, event.command);
  append_le(out, static_cast<std::uint16_t>(event.scope));
  append_le(out, kPayloadSchemaVersion);
  append_le(out, event.index_in_command);
  append_le(out, static_cast<std::uint32_t>(event.payload.size()));
  append_le(out, event.count_in_command);
  append_le(out, event.causation);
  chain = chain_hash(previous, out, event.payload);
  out.append(reinterpret_cast<const char*>(chain.data()), chain.size());
  return out;
}

std::size_t record_bytes(const StoredEvent& event) {
  return kRecordHeaderBytes + event.payload.size();
}

std::string redact_record(std::string_view record) {
  std::string out(record.substr(0, kRecordHeaderBytes));
  out[kAtFlags] = static_cast<char>(static_cast<std::uint8_t>(out[kAtFlags]) | kFlagRedacted);
  const Hash payload = sha256(record.substr(kRecordHeaderBytes));
  return out.append(reinterpret_cast<const char*>(payload.data()), payload.size());
}

bool is_redacted(const StoredEvent& event) { return (event.flags & kFlagRedacted) != 0; }

events::EventView view_of(const StoredEvent& event, events::Origin origin) {
  if (!is_redacted(event)) return events::EventView::over(event.payload, origin);
  const events::KindInfo* const kind = events::find_kind(event.kind);
  events::Uuid entity = event.stream;
  if (kind != nullptr && kind->table->integer_ids) entity.bytes[0] = 0;
  return events::EventView::redacted(event.kind, entity, event.tenant);
}

namespace {

template <class Place>
StoredEvent read_record(std::string_view bytes, const Place& place) {
  const auto version = read_le<std::uint16_t>(bytes, 0);
  if (version != kRecordVersion)
    damaged(place, fmt::format("record of unknown version {}", version));
  StoredEvent event;
  event.flags = read_le<std::uint16_t>(bytes, kAtFlags);
  event.kind = read_le<std::uint32_t>(bytes, 4);
  event.position = {read_le<std::uint64_t>(bytes, 8)};
  event.scope_seq = read_le<std::uint64_t>(bytes, 16);
  event.version = {read_le<std::uint64_t>(bytes, 24)};
  event.recorded_at = {read_le<std::int64_t>(bytes, 32)};
  event.tenant = read_uuid(bytes, 40);
  event.stream = read_uuid(bytes, 56);
  event.actor = read_uuid(bytes, 72);
  event.command = read_uuid(bytes, 88);
  event.scope = static_cast<events::Scope>(read_le<std::uint16_t>(bytes, 104));
  event.index_in_command = read_le<std::uint32_t>(bytes, 108);
  event.count_in_command = read_le<std::uint32_t>(bytes, 116);
  event.causation = read_le<std::uint64_t>(bytes, 120);
  std::copy_n(bytes.begin() + kRecordHashedBytes, event.chain_hash.size(),
              reinterpret_cast<char*>(event.chain_hash.data()));
  const std::size_t payload =
      is_redacted(event) ? sizeof(Hash) : read_le<std::uint32_t>(bytes, kAtPayloadBytes);
  if (payload > events::kPayloadBytesMax || bytes.size() - kRecordHeaderBytes < payload) {
    damaged(place, fmt::format("a payload of {} bytes does not fit", payload));
  }
  event.payload = bytes.substr(kRecordHeaderBytes, payload);
  return event;
}

}  // namespace

StoredEvent decode_record(std::string_view bytes, const std::string& place) {
  return read_record(bytes, place);
}

std::string encode_block(const BlockHeader& header, std::string_view command_table,
                         std::string_view records) {
  TENANTRY_ASSERT(command_table.size() % 8 == 0 && records.size() % 8 == 0 && header.records > 0);
  const std::size_t length = kBlockHeaderBytes + command_table.size() + records.size();
  std::string out;
  out.reserve(length);
  append_le(out, kBlockMagic);
  append_le(out, kBlockVersion);
  append_le(out, static_cast<std::uint16_t>(header.scope));
  append_le(out, static_cast<std::uint32_t>(length));
  append_le(out, header.records);
  append_le(out, header.first.value);
  append_le(out, header.last.value);
  append_le(out, header.first_scope_seq);
  append_le(out, header.term);
  append_le(out, header.batch_seq);
  append_le(out, static_cast<std::uint32_t>(kBlockHeaderBytes + command_table.size()));
  append_le(out, std::uint32_t{0});
  out.append(command_table).append(records);
  write_le(out, kAtCrc, checksum_of(out));
  return out;
}

// Fills what is said of the records; each must be the one that the header lets expect.
template <class Place>
void Block::read_records(const Place& place) {
  std::size_t at = records_at_;
  const std::size_t room = bytes_.size() / kRecordHeaderBytes;  // The count may be damaged.
  records_.reserve(std::min<std::size_t>(header_.records, room));
  offsets_.reserve(records_.capacity());
  for (std::uint32_t n = 0; n < header_.records; ++n) {
    if (bytes_.size() - at < kRecordHeaderBytes) damaged(place, "it ends inside a record");
    const StoredEvent event = read_record(std::string_view(bytes_).substr(at), place);
    const bool ascending = records_.empty() ? event.position == header_.first
                                            : event.position > records_.back().position;
    if (!ascending || event.scope_seq != header_.first_scope_seq + n ||
        event.scope != header_.scope) {
      damaged(place, fmt::format("record {} is not the one that belongs there", n));
    }
    records_.push_back(event);
    offsets_.push_back(at);
    at += record_bytes(event);
  }
  if (at != bytes_.size() || records_.empty() || records_.back().position != header_.last) {
    damaged(place, "its records do not fill it");
  }
}

Block::Block(std::string_view key, std::string_view value) : bytes_(value) {
  const auto scope = read_be<std::uint16_t>(key, 0);
  const auto position = read_be<std::uint64_t>(key, 2);
  const BlockPlace place{scope, position};
  if (bytes_.size() < kBlockHeaderBytes ||
      read_le<std::uint32_t>(bytes_, kAtMagic) != kBlockMagic ||
      read_le<std::uint16_t>(bytes_, kAtVersion) != kBlockVersion) {
    damaged(place, "this is no block");
  }
  if (read_le<std::uint32_t>(bytes_, kAtLength) != bytes_.size())
    damaged(place, "its length is wrong");
  if (read_le<std::uint32_t>(bytes_, kAtCrc) != checksum_of(bytes_))
    damaged(place, "its checksum is wrong");
  header_.scope = static_cast<events::Scope>(read_le<std::uint16_t>(bytes_, kAtScope));
  header_.records = read_le<std::uint32_t>(bytes_, kAtCount);
  header_.first = {read_le<std::uint64_t>(bytes_, kAtFirst)};
  header_.last = {read_le<std::uint64_t>(bytes_, kAtLast)};
  header_.first_scope_seq = read_le<std::uint64_t>(bytes_, kAtScopeSeq);
  header_.term = read_le<std::uint64_t>(bytes_, kAtTerm);
  header_.batch_seq = read_le<std::uint64_t>(bytes_, kAtBatchSeq);
  records_at_ = read_le<std::uint32_t>(bytes_, kAtRecords);
  if (static_cast<std::uint16_t>(header_.scope) != scope || header_.first.value != position) {
    damaged(place, "it belongs under another key");
  }
  if (records_at_ < kBlockHeaderBytes || records_at_ > bytes_.size())
    damaged(place, "its records start outside");
  commands_at_ = kBlockHeaderBytes;
  read_records(place);
  if (std::ranges::any_of(records_, is_redacted)) damaged(place, "a record has lost its payload");
}

Block::Block(const BlockHeader& header, std::string records, const std::string& place)
    : bytes_(std::move(records)), header_(header) {
  read_records(place);
}

std::string_view Block::command_table() const {
  return std::string_view(bytes_).substr(commands_at_, records_at_ - commands_at_);
}

std::string_view Block::hashed_header(std::size_t index) const {
  return std::string_view(bytes_).substr(offsets_[index], kRecordHashedBytes);
}

std::string_view Block::record(std::size_t index) const {
  return std::string_view(bytes_).substr(offsets_[index], record_bytes(records_[index]));
}

}  // namespace tenantry
