#include "core/log_history.h"

#include <algorithm>
#include <system_error>
#include <vector>

#include <fmt/format.h>

#include "core/error.h"

namespace tenantry {
namespace {

namespace fs = std::filesystem;

// Files are some hundred megabytes; a walk over all scopes has one of each open.
constexpr std::size_t kOpenedMax = 16;

[[noreturn]] void not_the_listed(const fs::path& path) {
  throw CorruptionError(path.string() + " is not the file that the store's archive lists");
}

// Of the archive alone.
class ArchiveStream final : public BlockStream {
 public:
  ArchiveStream(const LogHistory& history, const std::vector<ArchiveSegment>& segments,
                const std::optional<IndexedBy>& by, Position after, Position through, bool reverse)
      : history_(history), by_(by), after_(after), through_(through), reverse_(reverse) {
    for (const ArchiveSegment& segment : segments) {
      const bool overlaps = segment.through.position > after && segment.before.position < through;
      if (overlaps) segments_.push_back(&segment);
    }
    if (reverse) std::ranges::reverse(segments_);
  }

  std::optional<Block> next() override {
    while (true) {
      if (reader_ == nullptr) {
        if (at_segment_ == segments_.size()) return std::nullopt;
        reader_ = history_.open(*segments_[at_segment_++]);
        at_block_ = 0;
      }
      const std::vector<SegmentBlock>& blocks = reader_->blocks();
      while (at_block_ < blocks.size()) {
        const std::size_t block = reverse_ ? blocks.size() - 1 - at_block_ : at_block_;
        ++at_block_;
        if (blocks[block].last <= after_ || blocks[block].first > through_) continue;
        if (by_ && !reader_->may_hold(block, by_->id)) continue;
        return reader_->events(block);
      }
      reader_.reset();
    }
  }

 private:
  const LogHistory& history_;
  const std::optional<IndexedBy> by_;
  const Position after_;
  const Position through_;
  const bool reverse_;
  std::vector<const ArchiveSegment*> segments_;  // In the direction of the walk.
  std::size_t at_segment_ = 0;                   // The next to be opened.
  std::shared_ptr<const SegmentReader> reader_;
  std::size_t at_block_ = 0;
};

// First one part, then the other. What is left to be read is always (after_, through_].
class HistoryStream final : public BlockStream {
 public:
  HistoryStream(const StorageReader& storage, const LogHistory& history, events::Scope scope,
                const std::optional<IndexedBy>& by, Position after, Position through, bool reverse)
      : storage_(storage),
        history_(history),
        scope_(scope),
        by_(by),
        after_(after),
        through_(through),
        reverse_(reverse) {}

  std::optional<Block> next() override {
    while (after_ < through_) {
      if (part_ == nullptr) open_part();
      std::optional<Block> block = next_of_part();
      if (block) {
        took(block->header());
        return block;
      }
      if (part_ != nullptr && !end_part()) break;
    }
    return std::nullopt;
  }

 private:
  [[nodiscard]] Position base() const { return catalogue_->of(scope_).base.base.position; }

  void open_part() {
    // So nothing of it was removed before it was opened.
    do {
      catalogue_ = history_.now();
      in_archive_ = reverse_ ? through_ <= base() : after_ < base();
      part_ = in_archive_ ? open_archive() : open_log();
    } while (history_.now() != catalogue_);
  }

  std::unique_ptr<BlockStream> open_archive() const {
    const ScopeCatalogue& scope = catalogue_->of(scope_);
    return std::make_unique<ArchiveStream>(history_, scope.segments, by_, after_,
                                           std::min(through_, base()), reverse_);
  }

  std::unique_ptr<BlockStream> open_log() const {
    const ScopePoint& begins = catalogue_->of(scope_).base.base;
    const Position after = std::max(after_, base());
    if (!by_) return scan_blocks(storage_, scope_, begins, after, through_, reverse_);
    return indexed_blocks(storage_, scope_, begins, epochs(), *by_, after, through_, reverse_);
  }

  // What is read may be older than the catalogue, if it is a view, and the catalogue than what is
  // read, in the moment before it is published.
  [[nodiscard]] EpochRange epochs() const {
    const ScopeBase& listed = catalogue_->of(scope_).base;
    const ScopeBase stored = stored_base(storage_, scope_);
    return {std::min(listed.first_epoch, stored.first_epoch),
            std::max(listed.present_epoch(), stored.present_epoch())};
  }

  // None, too, where the part has to be opened anew: what it was to read has gone elsewhere.
  std::optional<Block> next_of_part() {
    try {
      return part_->next();
    } catch (const CorruptionError&) {
      if (!moved() && !replaced()) throw;
    } catch (const UnavailableError&) {
      if (!replaced()) throw;
    }
    part_.reset();
    return std::nullopt;
  }

  // Whether a squash has removed from the log what is still to be read of it.
  [[nodiscard]] bool moved() const {
    return !in_archive_ && history_.now()->of(scope_).base.base.position > std::max(after_, base());
  }

  // Whether files of the archive may have given way to others.
  [[nodiscard]] bool replaced() const { return in_archive_ && history_.now() != catalogue_; }

  void took(const BlockHeader& header) {
    if (reverse_) {
      through_ = std::min(through_, Position{header.first.value - 1});
    } else {
      after_ = std::max(after_, header.last);
    }
  }

  // Whether another part follows.
  bool end_part() {
    part_.reset();
    if (moved()) return true;
    const bool was_last = in_archive_ == reverse_;
    if (reverse_) {
      through_ = std::min(through_, base());
    } else {
      after_ = std::max(after_, base());
    }
    return !was_last;
  }

  const StorageReader& storage_;
  const LogHistory& history_;
  const events::Scope scope_;
  const std::optional<IndexedBy> by_;
  Position after_;
  Position through_;
  const bool reverse_;
  std::shared_ptr<const Catalogue> catalogue_;  // By which the part was opened.
  bool in_archive_ = false;
  std::unique_ptr<BlockStream> part_;
};

}  // namespace

LogHistory::LogHistory(fs::path archive, Catalogue catalogue)
    : archive_(std::move(archive)),
      catalogue_(std::make_shared<const Catalogue>(std::move(catalogue))) {}

std::shared_ptr<const Catalogue> LogHistory::now() const {
  const std::lock_guard lock(mutex_);
  return catalogue_;
}

void LogHistory::publish(Catalogue catalogue) {
  auto published = std::make_shared<const Catalogue>(std::move(catalogue));
  std::list<Opened> closed;  // What is removed is not to stay on the disk.
  const std::lock_guard lock(mutex_);
  catalogue_ = std::move(published);
  closed.swap(opened_);
}

fs::path LogHistory::path_of(const ArchiveSegment& segment) const {
  return (segment.directory.empty() ? archive_ : fs::path(segment.directory)) / segment.name;
}

fs::path LogHistory::path_of(const Snapshot& snapshot) const { return archive_ / snapshot.name; }

std::shared_ptr<const SegmentReader> LogHistory::open(const ArchiveSegment& segment) const {
  const fs::path path = path_of(segment);
  auto reader = open_file(path, segment.directory.empty());
  const SegmentStart& start = reader->start();
  const SegmentEnd& end = reader->end();
  if (start.kind != SegmentKind::kEvents || start.seq != segment.before.seq + 1 ||
      start.chain != segment.before.chain || end.last_seq != segment.through.seq ||
      end.last_chain != segment.through.chain || end.content_digest != segment.content_digest) {
    not_the_listed(path);
  }
  return reader;
}

std::shared_ptr<const SegmentReader> LogHistory::open(const Snapshot& snapshot) const {
  const fs::path path = path_of(snapshot);
  auto reader = open_file(path, /*is_own=*/true);
  const SegmentStart& start = reader->start();
  if (start.kind != SegmentKind::kState || start.seq != snapshot.at.seq ||
      start.chain != snapshot.at.chain || start.position != snapshot.at.position ||
      reader->end().content_digest != snapshot.content_digest) {
    not_the_listed(path);
  }
  return reader;
}

std::shared_ptr<const SegmentReader> LogHistory::open_file(const fs::path& path,
                                                           bool is_own) const {
  const std::lock_guard lock(mutex_);
  const auto known = std::ranges::find(opened_, path.string(), &Opened::first);
  if (known != opened_.end()) {
    opened_.splice(opened_.begin(), opened_, known);
    return known->second;
  }
  std::error_code error;
  const fs::file_type type = fs::symlink_status(path, error).type();
  const bool is_missing = type == fs::file_type::not_found;
  const bool is_examined = type != fs::file_type::none && type != fs::file_type::unknown;
  if (is_examined && type != fs::file_type::regular) {
    const std::string what = path.string() + ", a part of the store's history, ";
    const char* const not_a_file = type == fs::file_type::symlink
                                       ? "is not a file but a link: put the file itself there"
                                       : "is not a file";
    if (is_own) throw CorruptionError(what + (is_missing ? "is missing" : not_a_file));
    throw UnavailableError(
        what + (is_missing ? "is not there" : not_a_file),
        "the archive was put there by a squash: mount or restore that directory");
  }
  auto reader = std::make_shared<const SegmentReader>(path);
  opened_.emplace_front(path.string(), reader);
  if (opened_.size() > kOpenedMax) opened_.pop_back();
  return reader;
}

std::unique_ptr<BlockStream> history_blocks(const StorageReader& storage, const LogHistory& history,
                                            events::Scope scope, const std::optional<IndexedBy>& by,
                                            Position after, Position through, bool reverse) {
  return std::make_unique<HistoryStream>(storage, history, scope, by, after, through, reverse);
}

}  // namespace tenantry
