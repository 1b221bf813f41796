#include <algorithm>

#include "core/batch.h"
#include "core/bytes.h"
#include "core/crc32c.h"
#include "core/error.h"
#include "core/keys.h"
#include "core/record.h"
#include "events/kinds.h"
#include "tests/fuzz/targets.h"

namespace tenantry::fuzz {
namespace {

// Offsets of LOG_FORMAT.md.
constexpr std::size_t kLengthAt = 8;
constexpr std::size_t kCrcAt = 60;
constexpr std::string_view kBeginning("TBK1\1\0", 6);

// With the beginning, the length and the checksum of a block: no input would get past them.
std::string mended(std::string_view input) {
  std::string block(input);
  block.resize(std::max(block.size(), kBlockHeaderBytes));
  std::ranges::copy(kBeginning, block.begin());
  write_le(block, kLengthAt, static_cast<std::uint32_t>(block.size()));
  write_le(block, kCrcAt, std::uint32_t{0});
  write_le(block, kCrcAt, crc32c(block));
  return block;
}

std::string key_of(std::string_view block) {
  return keys::block(static_cast<events::Scope>(read_le<std::uint16_t>(block, 6)),
                     {read_le<std::uint64_t>(block, 16)});
}

void check_command_table(std::string_view bytes) {
  try {
    for (const CommandEntry& entry : decode_command_table(bytes)) {
      require(decode_idempotency(entry.id, encode_idempotency(entry)) == entry,
              "an answer reads as it was written");
    }
  } catch (const CorruptionError&) {
    return;
  }
}

void check_payload(const StoredEvent& event) {
  try {
    const auto view = events::EventView::over(event.payload, events::Origin::kStored);
    (void)row_changes(view, event.recorded_at);
  } catch (const events::MalformedError&) {
    return;
  }
}

void check_records(const Block& block, std::string_view bytes) {
  std::string records;
  for (std::size_t at = 0; at < block.records().size(); ++at) {
    const StoredEvent& event = block.records()[at];
    const std::string_view record = block.record(at);
    records += record;
    require(block.hashed_header(at) == record.substr(0, kRecordHashedBytes),
            "the hashed bytes begin the record");
    Hash chain{};
    const std::string header = encode_record_header(event, {}, chain);
    // What a header has beside its fields: a version and a schema, which only one value fits yet.
    require(header.size() == kRecordHeaderBytes && header.substr(0, 104) == record.substr(0, 104),
            "a record's header encodes the same");
    require(chain == chain_hash({}, header.substr(0, kRecordHashedBytes), event.payload),
            "a chain goes on as it was written");
    check_payload(event);
  }
  const std::string_view table = block.command_table();
  require(kBlockHeaderBytes + table.size() + records.size() == bytes.size(),
          "a block is its header, its commands and its records");
  if (table.size() % 8 != 0 || records.size() % 8 != 0) return;  // Not written so.
  require(encode_block(block.header(), table, records) == bytes, "a block encodes the same");
}

}  // namespace

void run_block(std::string_view input) {
  const std::string bytes = mended(input);
  try {
    const Block block(key_of(bytes), bytes);
    check_records(block, bytes);
    check_command_table(block.command_table());
  } catch (const CorruptionError&) {
    return;
  }
}

}  // namespace tenantry::fuzz
