#include "core/segment.h"

#include <cerrno>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>

#include "core/block_codec.h"
#include "core/error.h"
#include "core/hash.h"
#include "core/id_filter.h"
#include "core/segment_format.h"

namespace tenantry {
namespace {

// The file is written in pieces of this size.
constexpr std::size_t kPieceBytes = std::size_t{1} << 20;

// Of names.
constexpr std::string_view kSuffix = ".tseg";
constexpr std::string_view kSnapshot = "snapshot";
constexpr std::size_t kDigits = 16;

std::string digits(const Hash& digest) { return hex(digest).substr(0, kDigits); }

bool consists_of(std::string_view text, std::string_view characters) {
  return !text.empty() && text.find_first_not_of(characters) == std::string_view::npos;
}

}  // namespace

class SegmentWriter::Impl {
 public:
  Impl(const std::filesystem::path& path, const SegmentStart& start)
      : path_(path),
        start_(start),
        file_(open_file(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW)) {
    TENANTRY_ASSERT(start.kind == SegmentKind::kState || start.seq > 0);
    end_.last_seq = of_events() ? start.seq - 1 : start.seq;
    end_.last_chain = start.chain;
    page_ = segment::encode_start(start);
    write(page_);
  }

  void add_event(const StoredEvent& event, std::string_view record,
                 const std::optional<events::Uuid>& other_tenant) {
    // What the index leaves out because it follows.
    TENANTRY_ASSERT(of_events() && event.scope == start_.scope &&
                    event.scope_seq == end_.last_seq + 1 && record.size() == record_bytes(event) &&
                    record.size() <= segment::kRecordBytesMax);
    make_room(record.size());
    raw_.append(record);
    if (end_.entries == 0) {
      end_.first = event.position;
      end_.first_time = event.recorded_at;
    }
    if (block_.entries == 0) {
      block_.first = event.position;
      block_.first_time = event.recorded_at;
    }
    block_.last = end_.last = event.position;
    block_.last_time = end_.last_time = event.recorded_at;
    end_.last_seq = event.scope_seq;
    end_.last_chain = event.chain_hash;
    for (const events::Uuid& id : {event.tenant, event.stream, event.actor}) filter_.add(id);
    if (other_tenant) filter_.add(*other_tenant);
    count_entry(record.size());
  }

  void add_entry(std::string_view key, std::string_view value) {
    const std::uint64_t bytes =
        segment::padded(segment::kEntryHeaderBytes + key.size() + value.size());
    TENANTRY_ASSERT(!of_events() && bytes <= segment::kEntryBytesMax);
    make_room(bytes);
    segment::append_entry(raw_, key, value);
    count_entry(bytes);
  }

  [[nodiscard]] std::uint64_t raw_bytes() const { return end_.raw_bytes; }

  SegmentEnd finish() {
    end_block();
    end_.content_digest = content_digest_.finish();
    segment::Trailer trailer;
    trailer.footer_at = written_ + piece_.size();
    const std::string footer = segment::encode_footer(end_, blocks_);
    TENANTRY_ASSERT(footer.size() <= segment::kFooterBytesMax);
    trailer.footer_bytes = footer.size();
    trailer.digest = segment::frame_digest(page_, footer);
    write(footer);
    write(segment::encode_trailer(trailer));
    write_piece();
    fsync_file(path_);
    if (!file_.close()) throw_file_error("write", path_, errno);
    end_.file_bytes = written_;
    end_.file_digest = file_digest_.finish();
    return end_;
  }

 private:
  [[nodiscard]] bool of_events() const { return start_.kind == SegmentKind::kEvents; }

  void make_room(std::uint64_t bytes) {
    if (!raw_.empty() && raw_.size() + bytes > kSegmentBlockBytes) end_block();
  }

  void count_entry(std::uint64_t bytes) {
    if (block_.entries == 0) block_.first_seq = end_.entries + (of_events() ? start_.seq : 0);
    ++block_.entries;
    ++end_.entries;
    end_.raw_bytes += bytes;
  }

  void end_block() {
    if (block_.entries == 0) return;
    content_digest_.add(raw_);
    const std::string_view compressed = compressor_.compress(raw_);
    const std::string_view stored = compressed.empty() ? raw_ : compressed;
    block_.offset = written_ + piece_.size();
    block_.raw_bytes = static_cast<std::uint32_t>(raw_.size());
    block_.stored_bytes = static_cast<std::uint32_t>(stored.size());
    block_.filter = filter_.finish();
    write(segment::encode_block_header(
        block_, compressed.empty() ? segment::Codec::kRaw : segment::Codec::kZstd, stored));
    write(stored);
    write(std::string(segment::block_bytes(block_) - segment::kHeaderBytes - stored.size(), '\0'));
    blocks_.push_back(std::exchange(block_, {}));
    raw_.clear();
  }

  void write(std::string_view bytes) {
    piece_.append(bytes);
    if (piece_.size() >= kPieceBytes) write_piece();
  }

  void write_piece() {
    if (const int error = write_fully(file_.get(), piece_, written_); error != 0) {
      throw_file_error("write", path_, error);
    }
    file_digest_.add(piece_);
    written_ += piece_.size();
    piece_.clear();
  }

  const std::filesystem::path path_;
  const SegmentStart start_;
  FileDescriptor file_;
  std::string page_;
  std::string piece_;  // Of the file, from byte `written_` on.
  std::uint64_t written_ = 0;
  Sha256 file_digest_;
  Sha256 content_digest_;
  BlockCompressor compressor_;
  IdFilterWriter filter_;
  std::string raw_;  // The entries of the block that is being filled.
  SegmentBlock block_;
  std::vector<SegmentBlock> blocks_;
  SegmentEnd end_;  // So far.
};

SegmentWriter::SegmentWriter(const std::filesystem::path& path, const SegmentStart& start)
    : impl_(std::make_unique<Impl>(path, start)) {}

SegmentWriter::~SegmentWriter() = default;

void SegmentWriter::add_event(const StoredEvent& event, std::string_view record,
                              const std::optional<events::Uuid>& other_tenant) {
  impl_->add_event(event, record, other_tenant);
}

void SegmentWriter::add_entry(std::string_view key, std::string_view value) {
  impl_->add_entry(key, value);
}

std::uint64_t SegmentWriter::raw_bytes() const { return impl_->raw_bytes(); }

SegmentEnd SegmentWriter::finish() { return impl_->finish(); }

std::string segment_name(events::Scope scope, std::uint64_t first, std::uint64_t last,
                         const Hash& content_digest) {
  return fmt::format("{}-{}-{}-{}{}", events::scope_name(scope), first, last,
                     digits(content_digest), kSuffix);
}

std::string snapshot_name(events::Scope scope, std::uint64_t at, const Hash& content_digest) {
  return fmt::format("{}-{}-{}-{}{}", events::scope_name(scope), kSnapshot, at,
                     digits(content_digest), kSuffix);
}

bool is_sealed_name(std::string_view name) {
  if (!name.ends_with(kSuffix)) return false;
  name.remove_suffix(kSuffix.size());
  std::vector<std::string_view> parts;
  for (std::size_t dash = name.find('-'); dash != std::string_view::npos; dash = name.find('-')) {
    parts.push_back(name.substr(0, dash));
    name.remove_prefix(dash + 1);
  }
  return parts.size() == 3 && events::find_scope(parts[0]) &&
         (parts[1] == kSnapshot || consists_of(parts[1], "0123456789")) &&
         consists_of(parts[2], "0123456789") && name.size() == kDigits &&
         consists_of(name, "0123456789abcdef");
}

}  // namespace tenantry
