#include <algorithm>
#include <cerrno>
#include <limits>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"
#include "core/hash.h"
#include "core/id_filter.h"
#include "core/segment.h"
#include "core/segment_format.h"

namespace tenantry {
namespace {

using segment::damaged;

FileDescriptor open_segment(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error) && !error) {
    throw UnavailableError("there is no segment " + path.string(),
                           "put the file back in its place, or mount the disk that it is on");
  }
  return open_file(path, O_RDONLY);
}

std::uint64_t size_of(const FileDescriptor& file, const std::filesystem::path& path) {
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) throw_file_error("examine", path, errno);
  return static_cast<std::uint64_t>(status.st_size);
}

// Fills `bytes` with those of the file at `offset`.
void read_fully(const FileDescriptor& file, const std::filesystem::path& path, std::uint64_t offset,
                char* bytes, std::size_t count) {
  while (count > 0) {
    const ssize_t got = ::pread(file.get(), bytes, count, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_file_error("read", path, errno);
    if (got == 0) damaged(path.string(), fmt::format("it ends at byte {}", offset));
    bytes += got;
    count -= static_cast<std::size_t>(got);
    offset += static_cast<std::uint64_t>(got);
  }
}

std::string read_bytes(const FileDescriptor& file, const std::filesystem::path& path,
                       std::uint64_t offset, std::size_t count) {
  std::string bytes(count, '\0');
  read_fully(file, path, offset, bytes.data(), count);
  return bytes;
}

// A whole file from its start to its end, in big pieces, and its digest.
class WholeFile {
 public:
  WholeFile(const FileDescriptor& file, const std::filesystem::path& path, std::uint64_t bytes)
      : file_(file), path_(path), bytes_(bytes) {}

  // Valid until the next call.
  [[nodiscard]] std::string_view next(std::size_t count) {
    if (piece_.size() - at_ < count) load(count);
    const std::string_view bytes = std::string_view(piece_).substr(at_, count);
    at_ += count;
    digest_.add(bytes);
    return bytes;
  }
  [[nodiscard]] Hash digest() { return digest_.finish(); }

 private:
  static constexpr std::size_t kPieceRead = std::size_t{1} << 20;

  void load(std::size_t count) {
    piece_.erase(0, at_);
    at_ = 0;
    const std::size_t kept = piece_.size();
    // More than there is of it is asked for only if it is needed, and then missed.
    const std::size_t wanted =
        std::max<std::size_t>(count - kept, std::min<std::uint64_t>(kPieceRead, bytes_ - loaded_));
    piece_.resize(kept + wanted);
    read_fully(file_, path_, loaded_, piece_.data() + kept, wanted);
    loaded_ += wanted;
  }

  const FileDescriptor& file_;
  const std::filesystem::path& path_;
  const std::uint64_t bytes_;
  std::string piece_;
  std::size_t at_ = 0;        // What was given of it.
  std::uint64_t loaded_ = 0;  // Of the file.
  Sha256 digest_;
};

BlockHeader header_of(const SegmentBlock& block, events::Scope scope) {
  BlockHeader header;
  header.scope = scope;
  header.records = block.entries;
  header.first = block.first;
  header.last = block.last;
  header.first_scope_seq = block.first_seq;
  return header;
}

Block block_of(const SegmentBlock& block, events::Scope scope, std::string raw,
               const std::string& file) {
  return {header_of(block, scope), std::move(raw),
          fmt::format("{}: block at byte {}", file, block.offset)};
}

// The entries of all blocks, one after the other: their order, their chain, their digest.
class ContentCheck {
 public:
  ContentCheck(const SegmentStart& start, const std::string& file)
      : start_(start), file_(file), chain_(start.chain) {}

  void add(const SegmentBlock& block, std::string raw) {
    digest_.add(raw);
    if (start_.kind == SegmentKind::kEvents) {
      add_events(block, block_of(block, start_.scope, std::move(raw), file_));
    } else {
      add_entries(block, raw);
    }
  }

  void finish(const SegmentEnd& end) {
    if (chain_ != end.last_chain) damaged(file_, "its events end in another hash than it says");
    if (digest_.finish() != end.content_digest)
      damaged(file_, "its entries are not what was written");
  }

 private:
  [[noreturn]] void bad_event(const StoredEvent& event, const char* why) const {
    damaged(file_, fmt::format("event at position {}: {}", event.position.value, why));
  }

  void add_events(const SegmentBlock& block, const Block& events) {
    const std::vector<StoredEvent>& records = events.records();
    if (records.front().recorded_at != block.first_time ||
        records.back().recorded_at != block.last_time) {
      bad_event(records.front(), "the index has other times for its block");
    }
    for (std::size_t n = 0; n < records.size(); ++n) {
      const StoredEvent& event = records[n];
      if (event.recorded_at < time_) bad_event(event, "it is recorded before its predecessor");
      time_ = event.recorded_at;
      if (event.chain_hash != chain_hash(chain_, events.hashed_header(n), event.payload)) {
        bad_event(event, "the hash chain is broken");
      }
      chain_ = event.chain_hash;
      check_found(block, event);
    }
  }

  // Every id leads to it.
  void check_found(const SegmentBlock& block, const StoredEvent& event) const {
    const auto check = [&](const events::Uuid& id) {
      if (id != events::Uuid{} && !id_filter_may_hold(block.filter, id)) {
        bad_event(event, "the index does not name it");
      }
    };
    check(event.tenant);
    check(event.stream);
    check(event.actor);
    if (const auto other = segment::other_tenant(event, file_)) check(*other);
  }

  void add_entries(const SegmentBlock& block, std::string_view raw) {
    std::uint32_t entries = 0;
    for (std::size_t at = 0; at < raw.size(); ++entries) {
      const segment::Entry entry = segment::read_entry(raw, at, file_);
      if (any_key_ && entry.key <= key_) damaged(file_, "its entries are out of order");
      any_key_ = true;
      key_ = entry.key;
    }
    if (entries != block.entries) damaged(file_, "a block has another number of entries");
  }

  const SegmentStart& start_;
  const std::string& file_;
  Sha256 digest_;
  Hash chain_;
  events::Timestamp time_{std::numeric_limits<std::int64_t>::min()};
  bool any_key_ = false;
  std::string key_;  // Of the entry before.
};

}  // namespace

SegmentReader::SegmentReader(std::filesystem::path path)
    : path_(std::move(path)), file_(open_segment(path_)) {
  const std::string name = path_.string();
  const std::uint64_t bytes = size_of(file_, path_);
  if (bytes < segment::kStartBytes + segment::kTrailerBytes) damaged(name, "it is cut short");
  const std::string page = read_bytes(file_, path_, 0, segment::kStartBytes);
  start_ = segment::decode_start(page, name);
  const segment::Trailer trailer = segment::decode_trailer(
      read_bytes(file_, path_, bytes - segment::kTrailerBytes, segment::kTrailerBytes), bytes,
      name);
  const std::string footer = read_bytes(file_, path_, trailer.footer_at, trailer.footer_bytes);
  if (segment::frame_digest(page, footer) != trailer.digest) {
    damaged(name, "its index is not what was written");
  }
  segment::Footer read = segment::decode_footer(footer, start_, name);
  const std::uint64_t blocks_end =
      read.blocks.empty() ? segment::kStartBytes
                          : read.blocks.back().offset + segment::block_bytes(read.blocks.back());
  if (blocks_end != trailer.footer_at) damaged(name, "its blocks do not reach its index");
  end_ = read.end;
  end_.file_bytes = bytes;
  blocks_ = std::move(read.blocks);
}

bool SegmentReader::may_hold(std::size_t block, const events::Uuid& id) const {
  // Filters are of ids; what has none is not in them.
  return id == events::Uuid{} || id_filter_may_hold(blocks_.at(block).filter, id);
}

std::string SegmentReader::read_block(std::size_t block) const {
  const SegmentBlock& wanted = blocks_.at(block);
  return segment::unpack_block(
      read_bytes(file_, path_, wanted.offset, segment::kHeaderBytes + wanted.stored_bytes), wanted,
      path_.string());
}

Block SegmentReader::events(std::size_t block) const {
  TENANTRY_ASSERT(start_.kind == SegmentKind::kEvents);
  return block_of(blocks_.at(block), start_.scope, read_block(block), path_.string());
}

bool SegmentReader::visit_entries(
    std::size_t block,
    const std::function<bool(std::string_view key, std::string_view value)>& visit) const {
  TENANTRY_ASSERT(start_.kind == SegmentKind::kState);
  const std::string name = path_.string();
  const std::string raw = read_block(block);
  std::size_t at = 0;
  for (std::uint32_t n = 0; n < blocks_[block].entries; ++n) {
    const segment::Entry entry = segment::read_entry(raw, at, name);
    if (!visit(entry.key, entry.value)) return false;
  }
  if (at != raw.size()) damaged(name, "a block has another number of entries");
  return true;
}

SegmentEnd SegmentReader::verify(const Progress& progress) const {
  const std::string name = path_.string();
  if (size_of(file_, path_) != end_.file_bytes) damaged(name, "its size has changed");
  // What the system remembers of the file says nothing of the disk. It may refuse to forget.
  (void)::posix_fadvise(file_.get(), 0, 0, POSIX_FADV_DONTNEED);
  WholeFile file(file_, path_, end_.file_bytes);
  const std::string page = segment::encode_start(start_);
  if (file.next(page.size()) != page) damaged(name, "its first page is damaged");
  ContentCheck content(start_, name);
  for (const SegmentBlock& block : blocks_) {
    if (progress) progress(block.offset, end_.file_bytes);
    const std::string_view bytes = file.next(segment::block_bytes(block));
    const std::size_t used = segment::kHeaderBytes + block.stored_bytes;
    if (bytes.substr(used).find_first_not_of('\0') != std::string_view::npos) {
      damaged(name, fmt::format("block at byte {}: something stands behind it", block.offset));
    }
    content.add(block, segment::unpack_block(bytes.substr(0, used), block, name));
  }
  content.finish(end_);
  segment::Trailer trailer;
  const std::string footer = segment::encode_footer(end_, blocks_);
  trailer.footer_bytes = footer.size();
  trailer.footer_at = end_.file_bytes - segment::kTrailerBytes - footer.size();
  trailer.digest = segment::frame_digest(page, footer);
  if (file.next(footer.size()) != footer ||
      file.next(segment::kTrailerBytes) != segment::encode_trailer(trailer)) {
    damaged(name, "its index is not what was written");
  }
  if (progress) progress(end_.file_bytes, end_.file_bytes);
  SegmentEnd end = end_;
  end.file_digest = file.digest();
  return end;
}

}  // namespace tenantry
