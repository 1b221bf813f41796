#include "core/segment_format.h"

#include <algorithm>
#include <limits>

#include <capnp/message.h>
#include <fmt/format.h>
#include <kj/exception.h>

#include "core/block_codec.h"
#include "core/bytes.h"
#include "core/crc32c.h"
#include "core/error.h"
#include "core/fixed_data.h"
#include "core/format.capnp.h"
#include "core/hash.h"
#include "events/encoding.h"
#include "events/kinds.h"

namespace tenantry::segment {
namespace {

constexpr std::uint32_t kStartMagic = 0x47455354;            // "TSEG" in the order of bytes.
constexpr std::uint32_t kSegmentBlockMagic = 0x31425354;     // "TSB1".
constexpr std::uint64_t kTrailerMagic = 0x31444e4547455354;  // "TSEGEND1".
constexpr std::uint16_t kSegmentVersion = 1;

// Offsets in the first page.
constexpr std::size_t kStartVersionAt = 4;
constexpr std::size_t kStructBytesAt = 8;
constexpr std::size_t kStartCrcAt = 12;
constexpr std::size_t kStructAt = 16;

// Offsets in the header of a block.
constexpr std::size_t kCodecAt = 4;
constexpr std::size_t kRawBytesAt = 8;
constexpr std::size_t kStoredBytesAt = 12;
constexpr std::size_t kFirstAt = 16;
constexpr std::size_t kEntriesAt = 24;
constexpr std::size_t kBlockCrcAt = 28;

// Offsets in the trailer.
constexpr std::size_t kFooterBytesAt = 8;
constexpr std::size_t kDigestAt = 16;
constexpr std::size_t kTrailerVersionAt = 48;

std::uint32_t block_checksum(std::string_view header, std::string_view stored) {
  constexpr std::string_view kZeros("\0\0\0\0", 4);
  return crc32c_extend(crc32c_extend(crc32c(header.substr(0, kBlockCrcAt)), kZeros), stored);
}

void append_hash(std::string& out, const Hash& hash) { out.append(hash.begin(), hash.end()); }

// What Cap'n Proto and the events' own codec find, with the name of the file.
template <class Decode>
auto decoded(const std::string& file, const Decode& decode) {
  try {
    return decode();
  } catch (const events::MalformedError& error) {
    damaged(file, error.what());
  } catch (const kj::Exception& error) {
    damaged(file, error.getDescription().cStr());
  }
}

}  // namespace

void damaged(const std::string& file, const std::string& why) {
  throw CorruptionError(file + ": " + why);
}

std::string encode_start(const SegmentStart& start) {
  capnp::MallocMessageBuilder message;
  auto root = message.initRoot<format::SegmentStart>();
  root.setKind(static_cast<std::uint16_t>(start.kind));
  root.setScope(static_cast<std::uint16_t>(start.scope));
  root.setStoreId(as_data(start.store));
  root.setSeq(start.seq);
  root.setChainHash(as_data(start.chain));
  root.setPosition(start.position.value);
  const std::string content = events::encode_canonical(root.asReader());

  std::string page;
  page.reserve(kStartBytes);
  append_le(page, kStartMagic);
  append_le(page, kSegmentVersion);
  append_le(page, std::uint16_t{0});
  append_le(page, static_cast<std::uint32_t>(content.size()));
  append_le(page, std::uint32_t{0});
  page.append(content).resize(kStartBytes);
  write_le(page, kStartCrcAt, crc32c(page));
  return page;
}

SegmentStart decode_start(std::string_view page, const std::string& file) {
  if (page.size() != kStartBytes || read_le<std::uint32_t>(page, 0) != kStartMagic) {
    damaged(file, "this is no segment");
  }
  const auto version = read_le<std::uint16_t>(page, kStartVersionAt);
  if (version != kSegmentVersion) damaged(file, fmt::format("unknown version {}", version));
  const auto bytes = read_le<std::uint32_t>(page, kStructBytesAt);
  if (bytes > kStartBytes - kStructAt) damaged(file, "its first page is damaged");
  const SegmentStart start = decoded(file, [&] {
    events::MessageView view(page.substr(kStructAt, bytes));
    const auto root = view.root<format::SegmentStart>();
    SegmentStart read;
    read.kind = static_cast<SegmentKind>(root.getKind());
    read.scope = static_cast<events::Scope>(root.getScope());
    read.store = read_fixed<events::Uuid>(root.getStoreId(), file.c_str());
    read.seq = root.getSeq();
    read.chain = read_fixed<Hash>(root.getChainHash(), file.c_str());
    read.position = {root.getPosition()};
    return read;
  });
  // One form for each content: checksum, padding and whatever else there could be.
  if (page != encode_start(start)) damaged(file, "its first page is damaged");
  const bool known = start.kind == SegmentKind::kEvents || start.kind == SegmentKind::kState;
  if (!known || (start.kind == SegmentKind::kEvents && start.seq == 0)) {
    damaged(file, "its first page says what cannot be");
  }
  return start;
}

std::string encode_block_header(const SegmentBlock& block, Codec codec, std::string_view stored) {
  std::string header;
  header.reserve(kHeaderBytes);
  append_le(header, kSegmentBlockMagic);
  append_le(header, static_cast<std::uint32_t>(codec));
  append_le(header, block.raw_bytes);
  append_le(header, block.stored_bytes);
  append_le(header, block.first_seq);
  append_le(header, block.entries);
  append_le(header, std::uint32_t{0});
  write_le(header, kBlockCrcAt, block_checksum(header, stored));
  return header;
}

std::string unpack_block(std::string_view bytes, const SegmentBlock& block,
                         const std::string& file) {
  const auto bad = [&](const char* why) {
    damaged(file, fmt::format("block at byte {}: {}", block.offset, why));
  };
  const std::string_view header = bytes.substr(0, kHeaderBytes);
  const std::string_view stored = bytes.substr(kHeaderBytes);
  if (read_le<std::uint32_t>(header, 0) != kSegmentBlockMagic) bad("this is no block");
  if (read_le<std::uint32_t>(header, kBlockCrcAt) != block_checksum(header, stored)) {
    bad("its checksum is wrong");
  }
  if (read_le<std::uint32_t>(header, kRawBytesAt) != block.raw_bytes ||
      read_le<std::uint32_t>(header, kStoredBytesAt) != block.stored_bytes ||
      read_le<std::uint64_t>(header, kFirstAt) != block.first_seq ||
      read_le<std::uint32_t>(header, kEntriesAt) != block.entries) {
    bad("it is not the one that the index names");
  }
  const auto codec = static_cast<Codec>(read_le<std::uint32_t>(header, kCodecAt));
  const bool whole = stored.size() == block.raw_bytes;
  if (codec == Codec::kRaw && whole) return std::string(stored);
  std::string raw(block.raw_bytes, '\0');
  if (codec != Codec::kZstd || whole || !decompress_block(stored, raw)) {
    bad("it cannot be uncompressed");
  }
  return raw;
}

std::string encode_footer(const SegmentEnd& end, const std::vector<SegmentBlock>& blocks) {
  capnp::MallocMessageBuilder message;
  auto root = message.initRoot<format::SegmentFooter>();
  auto written_end = root.initEnd();
  written_end.setEntries(end.entries);
  written_end.setRawBytes(end.raw_bytes);
  written_end.setLastSeq(end.last_seq);
  written_end.setChainHash(as_data(end.last_chain));
  written_end.setFirst(end.first.value);
  written_end.setLast(end.last.value);
  written_end.setFirstTime(end.first_time.micros);
  written_end.setLastTime(end.last_time.micros);
  written_end.setContentDigest(as_data(end.content_digest));
  if (!blocks.empty()) {  // An empty list would have several forms.
    auto list = root.initBlocks(static_cast<unsigned int>(blocks.size()));
    for (unsigned int n = 0; n < list.size(); ++n) {
      const SegmentBlock& block = blocks[n];
      list[n].setRawBytes(block.raw_bytes);
      list[n].setStoredBytes(block.stored_bytes);
      list[n].setEntries(block.entries);
      list[n].setFirst(block.first.value);
      list[n].setLast(block.last.value);
      list[n].setFirstTime(block.first_time.micros);
      list[n].setLastTime(block.last_time.micros);
      if (!block.filter.empty()) list[n].setFilter(as_data(block.filter));
    }
  }
  return events::encode_canonical(root.asReader());
}

namespace {

SegmentEnd read_end(format::SegmentEnd::Reader reader, const std::string& file) {
  SegmentEnd end;
  end.entries = reader.getEntries();
  end.raw_bytes = reader.getRawBytes();
  end.last_seq = reader.getLastSeq();
  end.last_chain = read_fixed<Hash>(reader.getChainHash(), file.c_str());
  end.first = {reader.getFirst()};
  end.last = {reader.getLast()};
  end.first_time = {reader.getFirstTime()};
  end.last_time = {reader.getLastTime()};
  end.content_digest = read_fixed<Hash>(reader.getContentDigest(), file.c_str());
  return end;
}

SegmentBlock read_index_entry(format::SegmentFooter::Block::Reader reader) {
  SegmentBlock block;
  block.raw_bytes = reader.getRawBytes();
  block.stored_bytes = reader.getStoredBytes();
  block.entries = reader.getEntries();
  block.first = {reader.getFirst()};
  block.last = {reader.getLast()};
  block.first_time = {reader.getFirstTime()};
  block.last_time = {reader.getLastTime()};
  const auto filter = reader.getFilter().asChars();
  block.filter.assign(filter.begin(), filter.size());
  return block;
}

// Whether there can be such a block, before anything of it is read.
bool is_possible(const SegmentBlock& block, SegmentKind kind) {
  const bool of_events = kind == SegmentKind::kEvents;
  const std::size_t entry_bytes_min = of_events ? kRecordHeaderBytes : kEntryHeaderBytes;
  const std::size_t alone_max = of_events ? kRecordBytesMax : kEntryBytesMax;
  const std::size_t raw_max = block.entries == 1 ? alone_max : kSegmentBlockBytes;
  return block.entries > 0 && block.raw_bytes <= raw_max &&
         block.entries <= block.raw_bytes / entry_bytes_min && block.stored_bytes > 0 &&
         block.stored_bytes <= block.raw_bytes && block.filter.size() % 8 == 0;
}

// The first and the last of the events of a block, or of all of a segment.
struct Bounds {
  Position first;
  Position last;
  events::Timestamp first_time;
  events::Timestamp last_time;
  bool operator==(const Bounds&) const = default;
};

template <class Covered>
Bounds bounds_of(const Covered& covered) {
  return {covered.first, covered.last, covered.first_time, covered.last_time};
}

// Blocks of events: each behind the one before.
bool ascend(const std::vector<SegmentBlock>& blocks) {
  Bounds before;
  before.last_time = {std::numeric_limits<std::int64_t>::min()};
  return std::ranges::all_of(blocks, [&](const SegmentBlock& block) {
    const Bounds bounds = bounds_of(block);
    const bool follows = bounds.first > before.last && bounds.last >= bounds.first &&
                         bounds.first_time >= before.last_time &&
                         bounds.last_time >= bounds.first_time;
    before = bounds;
    return follows;
  });
}

// Whether the end follows from the start and the blocks, as far as they tell.
bool agree(const SegmentStart& start, const Footer& footer) {
  const SegmentEnd& end = footer.end;
  const std::vector<SegmentBlock>& blocks = footer.blocks;
  std::uint64_t entries = 0;
  std::uint64_t raw_bytes = 0;
  for (const SegmentBlock& block : blocks) {
    entries += block.entries;
    raw_bytes += block.raw_bytes;
  }
  if (end.entries != entries || end.raw_bytes != raw_bytes) return false;
  const bool same_chain = end.last_chain == start.chain;
  if (start.kind == SegmentKind::kState) {
    const bool unbound = std::ranges::all_of(blocks, [](const SegmentBlock& block) {
      return bounds_of(block) == Bounds{} && block.filter.empty();
    });
    return end.last_seq == start.seq && same_chain && bounds_of(end) == Bounds{} && unbound;
  }
  Bounds bounds;
  if (!blocks.empty()) {
    bounds = {blocks.front().first, blocks.back().last, blocks.front().first_time,
              blocks.back().last_time};
  }
  return end.last_seq == start.seq - 1 + entries && end.last_seq >= start.seq - 1 &&
         (entries > 0 || same_chain) && bounds_of(end) == bounds && ascend(blocks);
}

}  // namespace

Footer decode_footer(std::string_view bytes, const SegmentStart& start, const std::string& file) {
  Footer footer = decoded(file, [&] {
    auto view = events::MessageView::over(bytes);
    const auto root = view.root<format::SegmentFooter>();
    Footer read;
    read.end = read_end(root.getEnd(), file);
    const auto blocks = root.getBlocks();
    // None is shorter than a word: a list of nothing may say that it has any number.
    if (blocks.size() > bytes.size() / sizeof(capnp::word)) damaged(file, "its index is damaged");
    read.blocks.reserve(blocks.size());
    for (const auto block : blocks) read.blocks.push_back(read_index_entry(block));
    return read;
  });
  std::uint64_t offset = kStartBytes;
  std::uint64_t first_seq = start.kind == SegmentKind::kEvents ? start.seq : 0;
  for (SegmentBlock& block : footer.blocks) {
    if (!is_possible(block, start.kind)) {
      damaged(file, fmt::format("its index has a block at byte {} that cannot be", offset));
    }
    block.offset = offset;
    offset += block_bytes(block);
    block.first_seq = first_seq;
    first_seq += block.entries;
  }
  if (!agree(start, footer)) damaged(file, "its index contradicts itself");
  return footer;
}

Hash frame_digest(std::string_view page, std::string_view footer) {
  return Sha256().add(page).add(footer).finish();
}

std::string encode_trailer(const Trailer& trailer) {
  std::string bytes;
  bytes.reserve(kTrailerBytes);
  append_le(bytes, trailer.footer_at);
  append_le(bytes, trailer.footer_bytes);
  append_hash(bytes, trailer.digest);
  append_le(bytes, std::uint32_t{kSegmentVersion});
  append_le(bytes, std::uint32_t{0});
  append_le(bytes, kTrailerMagic);
  return bytes;
}

Trailer decode_trailer(std::string_view bytes, std::uint64_t file_bytes, const std::string& file) {
  if (read_le<std::uint64_t>(bytes, kTrailerBytes - sizeof(kTrailerMagic)) != kTrailerMagic) {
    damaged(file, "it does not end as a segment does: cut short, or never finished");
  }
  const auto version = read_le<std::uint32_t>(bytes, kTrailerVersionAt);
  if (version != kSegmentVersion) damaged(file, fmt::format("unknown version {}", version));
  Trailer trailer;
  trailer.footer_at = read_le<std::uint64_t>(bytes, 0);
  trailer.footer_bytes = read_le<std::uint64_t>(bytes, kFooterBytesAt);
  std::ranges::copy(bytes.substr(kDigestAt, trailer.digest.size()), trailer.digest.begin());
  const std::uint64_t end = file_bytes - kTrailerBytes;
  const bool inside = trailer.footer_bytes <= std::min<std::uint64_t>(end, kFooterBytesMax) &&
                      trailer.footer_at == end - trailer.footer_bytes &&
                      trailer.footer_at >= kStartBytes;
  if (!inside || bytes != encode_trailer(trailer)) damaged(file, "its last bytes are damaged");
  return trailer;
}

void append_entry(std::string& out, std::string_view key, std::string_view value) {
  append_le(out, static_cast<std::uint32_t>(key.size()));
  append_le(out, static_cast<std::uint32_t>(value.size()));
  out.append(key).append(value).resize(padded(out.size()));
}

Entry read_entry(std::string_view block, std::size_t& at, const std::string& file) {
  if (block.size() - at < kEntryHeaderBytes) damaged(file, "a block ends inside an entry");
  const std::uint64_t key = read_le<std::uint32_t>(block, at);
  const std::uint64_t value = read_le<std::uint32_t>(block, at + sizeof(std::uint32_t));
  const std::uint64_t bytes = kEntryHeaderBytes + key + value;
  if (padded(bytes) > block.size() - at) damaged(file, "a block ends inside an entry");
  const std::string_view entry = block.substr(at, padded(bytes));
  if (entry.substr(bytes).find_first_not_of('\0') != std::string_view::npos) {
    damaged(file, "there is something between two entries");
  }
  at += entry.size();
  return {entry.substr(kEntryHeaderBytes, key), entry.substr(kEntryHeaderBytes + key, value)};
}

std::optional<events::Uuid> other_tenant(const StoredEvent& event, const std::string& file) {
  const events::KindInfo* const kind = events::find_kind(event.kind);
  if (kind == nullptr || !events::may_have_other_tenant(*kind)) return std::nullopt;
  if (is_redacted(event)) damaged(file, "an event of two tenants was redacted");
  return decoded(file, [&] { return events::EventView::over(event.payload).other_tenant(); });
}

}  // namespace tenantry::segment
