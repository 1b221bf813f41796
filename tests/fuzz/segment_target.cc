#include <algorithm>
#include <string>

#include "core/bytes.h"
#include "core/crc32c.h"
#include "core/error.h"
#include "core/segment.h"
#include "core/segment_format.h"
#include "tests/fuzz/memory_file.h"
#include "tests/fuzz/targets.h"

namespace tenantry::fuzz {
namespace {

// Offsets of LOG_FORMAT.md.
constexpr std::size_t kPageCrcAt = 12;
constexpr std::size_t kPageStructAt = 16;
constexpr std::size_t kStoredLengthAt = 12;
constexpr std::size_t kHeaderCrcAt = 28;

std::string_view take(std::string_view& bytes, std::size_t count) {
  const std::string_view taken = bytes.substr(0, count);
  bytes.remove_prefix(taken.size());
  return taken;
}

std::string page_around(std::string_view start) {
  std::string page("TSEG\1\0\0\0", 8);
  append_le(page, static_cast<std::uint32_t>(start.size()));
  append_le(page, std::uint32_t{0});
  page.append(start).resize(segment::kStartBytes);
  write_le(page, kPageCrcAt, crc32c(page));
  return page;
}

// The start, the footer and the blocks, with what no input would get past: padding, checksums, a
// trailer that fits. A start and a footer have their words counted before them.
std::string segment_of(std::string_view input) {
  const auto counted = [&] {
    const std::string_view words = take(input, 2);
    const std::size_t count = words.size() < 2 ? 0 : read_le<std::uint16_t>(words, 0);
    return take(input, count * sizeof(std::uint64_t));
  };
  const std::string page = page_around(counted().substr(0, segment::kStartBytes - kPageStructAt));
  const std::string_view footer = counted();
  std::string file = page;
  while (input.size() >= segment::kHeaderBytes) {
    std::string block(take(input, segment::kHeaderBytes));
    block += take(input, read_le<std::uint32_t>(block, kStoredLengthAt));
    std::ranges::copy(std::string_view("TSB1"), block.begin());
    write_le(block, kHeaderCrcAt, std::uint32_t{0});
    write_le(block, kHeaderCrcAt, crc32c(block));
    file.append(block).resize(segment::padded(file.size()));
  }
  const segment::Trailer trailer{file.size(), footer.size(), segment::frame_digest(page, footer)};
  return file.append(footer) + segment::encode_trailer(trailer);
}

// What is sound is written again as it is, whatever its blocks were like.
SegmentEnd written_again(const SegmentReader& reader, const MemoryFile& file) {
  SegmentWriter writer(file.path(), reader.start());
  for (std::size_t at = 0; at < reader.blocks().size(); ++at) {
    if (reader.start().kind == SegmentKind::kState) {
      reader.visit_entries(at, [&](std::string_view key, std::string_view value) {
        writer.add_entry(key, value);
        return true;
      });
      continue;
    }
    const Block block = reader.events(at);
    for (std::size_t n = 0; n < block.records().size(); ++n) {
      const StoredEvent& event = block.records()[n];
      require(reader.may_hold(at, event.stream), "the index names every event");
      writer.add_event(event, block.record(n), segment::other_tenant(event, "sound"));
    }
  }
  return writer.finish();
}

// Each block by itself, as far as it can be read.
void read_blocks(const SegmentReader& reader) {
  for (std::size_t at = 0; at < reader.blocks().size(); ++at) {
    try {
      if (reader.start().kind == SegmentKind::kEvents) {
        const Block block = reader.events(at);
        require(block.records().size() == reader.blocks()[at].entries, "no event is left out");
      } else {
        reader.visit_entries(at, [](std::string_view, std::string_view) { return true; });
      }
    } catch (const CorruptionError&) {
      continue;
    }
  }
}

}  // namespace

// The first byte: odd ones are put together as segment_of() does, else the file is as it is.
void run_segment(std::string_view input) {
  static const MemoryFile file;
  static const MemoryFile again;
  if (input.empty()) return;
  const bool mends = static_cast<unsigned char>(take(input, 1).front()) % 2 == 1;
  const std::filesystem::path path = file.holding(mends ? segment_of(input) : std::string(input));
  try {
    const SegmentReader reader(path);
    read_blocks(reader);
    SegmentEnd end = reader.verify({});
    SegmentEnd copied = written_again(reader, again);
    require(SegmentReader(again.path()).verify({}) == copied, "what is written can be read");
    for (SegmentEnd* const of : {&end, &copied}) {  // These are up to the compression.
      of->file_bytes = 0;
      of->file_digest = {};
    }
    require(copied == end, "a sound segment is written as it is");
  } catch (const CorruptionError&) {
    return;
  }
}

}  // namespace tenantry::fuzz
