#include <algorithm>
#include <optional>

#include "core/ack_file.h"
#include "core/bytes.h"
#include "core/crc32c.h"
#include "core/error.h"
#include "core/write_ahead_log.h"
#include "tests/fuzz/memory_file.h"
#include "tests/fuzz/targets.h"

namespace tenantry::fuzz {
namespace {

// Checksums that fit where a slot of the `ack` file begins: most inputs would not get past them.
std::string with_ack_checksums(std::string bytes) {
  constexpr std::size_t kCrcAt = 4;
  for (std::size_t at = 0; at + AckFile::kSlotBytes <= bytes.size(); at += AckFile::kSlotBytes) {
    write_le(bytes, at + kCrcAt, std::uint32_t{0});
    const std::string_view slot = std::string_view(bytes).substr(at, AckFile::kSlotBytes);
    write_le(bytes, at + kCrcAt, crc32c(slot));
  }
  return bytes;
}

// A write-ahead log is blocks of fragments: a masked checksum of what follows the length, the
// length of the payload, a type, the payload.
constexpr std::size_t kBlockBytes = 32768;
constexpr std::size_t kHeaderBytes = 7;

std::uint32_t log_checksum(std::string_view fragment) {
  const std::uint32_t crc = crc32c(fragment.substr(kHeaderBytes - 1));
  return ((crc >> 15U) | (crc << 17U)) + 0xa282ead8U;
}

// What examine_log_file() must find, said as plainly as can be: how far whole records reach.
std::size_t whole_bytes_of(std::string_view bytes) {
  enum { kFull = 1, kFirst = 2, kMiddle = 3, kLast = 4 };
  std::size_t whole = 0;
  bool inside = false;  // Of a record.
  for (std::size_t at = 0; at < bytes.size();) {
    const std::string_view left = bytes.substr(at, kBlockBytes - at % kBlockBytes);
    const bool ends_block = at % kBlockBytes + left.size() == kBlockBytes;
    if (left.size() < kHeaderBytes) {
      if (!ends_block || left.find_first_not_of('\0') != std::string_view::npos) break;
      at += left.size();
    } else {
      const std::size_t size = kHeaderBytes + read_le<std::uint16_t>(left, 4);
      const int type = static_cast<unsigned char>(left[6]);
      const bool goes_on = type == kMiddle || type == kLast;
      if (type < kFull || type > kLast || size > left.size() || goes_on != inside) break;
      if (log_checksum(left.substr(0, size)) != read_le<std::uint32_t>(left, 0)) break;
      inside = type == kFirst || type == kMiddle;
      at += size;
    }
    if (!inside) whole = at;
  }
  return whole;
}

// The same for the fragments of a write-ahead log, as far as one follows the other; also for one
// that says to be longer than there is room for.
std::string with_log_checksums(std::string bytes) {
  std::size_t at = 0;
  while (at + kHeaderBytes <= bytes.size()) {
    const std::size_t left = std::min(kBlockBytes - at % kBlockBytes, bytes.size() - at);
    if (left < kHeaderBytes) {
      at += left;
      continue;
    }
    const std::size_t said = kHeaderBytes + read_le<std::uint16_t>(bytes, at + 4);
    const std::size_t size = std::min(said, left);
    write_le(bytes, at, log_checksum(std::string_view(bytes).substr(at, size)));
    at += size;
  }
  return bytes;
}

void check_ack(const MemoryFile& file, std::string_view bytes) {
  try {
    const std::optional<Ack> ack = AckFile::read(file.holding(bytes));
    require(ack.has_value(), "a file that is there has a slot or is damaged");
  } catch (const CorruptionError&) {
    return;
  }
}

void check_log(const MemoryFile& file, std::string_view bytes) {
  const LogFileEnd end = examine_log_file(file.holding(bytes));
  require(end.bytes == bytes.size() && end.whole_bytes <= end.bytes,
          "whole records lie inside of the file");
  require(end.whole_bytes == whole_bytes_of(bytes), "records reach as far as they are whole");
  require(!end.goes_on || end.damaged(), "only what is damaged goes on behind the damage");
  const LogFileEnd cut = examine_log_file(file.holding(bytes.substr(0, end.whole_bytes)));
  require(!cut.damaged() && cut.whole_bytes == end.whole_bytes,
          "a log that is cut behind its last whole record is whole");
}

}  // namespace

// The first byte: 0 and 1 the `ack` file, else a log; odd ones have their checksums mended.
void run_files(std::string_view input) {
  static const MemoryFile file;
  if (input.empty()) return;
  const auto what = static_cast<unsigned char>(input.front());
  std::string bytes(input.substr(1));
  const bool mend = what % 2 == 1;
  if (what < 2) {
    check_ack(file, mend ? with_ack_checksums(std::move(bytes)) : bytes);
  } else {
    check_log(file, mend ? with_log_checksums(std::move(bytes)) : bytes);
  }
}

}  // namespace tenantry::fuzz
