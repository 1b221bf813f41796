#include "core/block_stream.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "core/bytes.h"
#include "core/error.h"
#include "core/keys.h"
#include "core/planted.h"

namespace tenantry {
namespace {

// A cursor that is walked for long pins old files: it is made anew after this many blocks.
constexpr std::uint32_t kBlocksPerCursor = 256;

class ScanStream final : public BlockStream {
 public:
  ScanStream(const StorageReader& storage, events::Scope scope, const ScopePoint& base,
             Position after, Position through, bool reverse)
      : storage_(storage),
        scope_(scope),
        base_(base),
        after_(after),
        through_(through),
        reverse_(reverse) {}

  std::optional<Block> next() override {
    if (cursor_ == nullptr || used_ == kBlocksPerCursor) {
      renew();
    } else {
      reverse_ ? cursor_->prev() : cursor_->next();
    }
    ++used_;
    if (!cursor_->valid()) {
      // Going back ends with the log's first event of the scope.
      if (reverse_ && before_.value_or(base_.seq) != base_.seq) missing(*before_);
      return std::nullopt;
    }
    Block block(cursor_->key(), cursor_->value());
    check_follows(block.header());
    const bool outside = reverse_ ? block.header().last <= after_ : block.header().first > through_;
    if (outside) return std::nullopt;
    at_ = block.header().first;
    started_ = true;
    return block;
  }

 private:
  [[noreturn]] void missing(std::uint64_t seq) const {
    throw CorruptionError(
        fmt::format("scope {}: event {} of the scope is missing, near position {}",
                    events::scope_name(scope_), seq, at_.value));
  }

  // No block may be missing between two: a whole file of them may be lost without an error.
  void check_follows(const BlockHeader& header) {
    if (planted(Plant::kNoContinuity)) return;
    const std::uint64_t last = header.first_scope_seq + header.records - 1;
    if (reverse_) {
      if (before_ && last != *before_) missing(*before_);
      before_ = header.first_scope_seq - 1;
    } else {
      if (before_ && header.first_scope_seq != *before_ + 1) missing(*before_ + 1);
      before_ = last;
    }
  }

  // What the walk begins behind: the block before, or the beginning of the scope's log.
  void start_forward() {
    cursor_->seek_for_prev(keys::block(scope_, Position{after_.value + 1}));
    if (!cursor_->valid()) {
      before_ = base_.seq;
      cursor_->seek_first();
      return;
    }
    // The block before may reach behind `after`.
    const BlockHeader header = Block(cursor_->key(), cursor_->value()).header();
    if (header.last <= after_) {
      before_ = header.first_scope_seq + header.records - 1;
      cursor_->next();
    }
  }

  void start_reverse() {
    const std::string key = keys::block(scope_, through_);
    cursor_->seek(keys::block(scope_, Position{through_.value + 1}));
    if (cursor_->valid()) {
      before_ = Block(cursor_->key(), cursor_->value()).header().first_scope_seq - 1;
    }
    cursor_->seek_for_prev(key);
  }

  void renew() {
    // Whether what lies before the base is still there makes no difference.
    const std::string lower = keys::block(scope_, {base_.position.value + 1});
    cursor_ =
        storage_.cursor(Family::kLog, lower, keys::after_prefix(lower.substr(0, 2)), /*scan=*/true);
    used_ = 0;
    if (!started_) {
      reverse_ ? start_reverse() : start_forward();
      return;
    }
    cursor_->seek(keys::block(scope_, at_));
    if (!cursor_->valid() || cursor_->key() != keys::block(scope_, at_)) {
      throw CorruptionError(fmt::format("the block of scope {} at position {} is gone",
                                        events::scope_name(scope_), at_.value));
    }
    reverse_ ? cursor_->prev() : cursor_->next();
  }

  const StorageReader& storage_;
  const events::Scope scope_;
  const ScopePoint base_;
  const Position after_;
  const Position through_;
  const bool reverse_;
  std::unique_ptr<Cursor> cursor_;
  std::uint32_t used_ = 0;
  Position at_;  // Of the block that was given last.
  bool started_ = false;
  // In the direction of the walk: the place in its scope of the event before the next block's
  // first (going back: of the next block's last). Absent where nothing tells.
  std::optional<std::uint64_t> before_;
};

// Entries of one epoch after the other: what is indexed under a later one lies behind, or is there
// twice, if it went over to that epoch between the making of the two cursors.
class IndexStream final : public BlockStream {
 public:
  IndexStream(const StorageReader& storage, events::Scope scope, const ScopePoint& base,
              EpochRange epochs, const IndexedBy& by, Position after, Position through,
              bool reverse)
      : storage_(storage),
        scope_(scope),
        kind_(by.kind),
        base_(base.position),
        after_(after),
        through_(through),
        reverse_(reverse) {
    // All at once: they stay as they are, whatever a squash removes meanwhile. The older epoch
    // first: so what goes over to a later one meanwhile is seen at least there.
    for (std::uint32_t epoch = epochs.first; epoch <= epochs.last; ++epoch) {
      const std::string prefix = keys::index_prefix(by.kind, scope, epoch, by.id);
      cursors_.push_back(
          storage.cursor(Family::kIndex, prefix, keys::after_prefix(prefix), /*scan=*/false));
      reverse ? cursors_.back()->seek_last() : cursors_.back()->seek_first();
    }
    if (reverse) std::ranges::reverse(cursors_);
  }

  std::optional<Block> next() override {
    while (const auto first = next_named()) {
      if (!reverse_ && *first > through_) return std::nullopt;
      if (reverse_ && *first > through_) continue;
      // What was removed from the log may still be indexed.
      if (!reverse_ && *first <= base_) continue;
      if (reverse_ && *first <= base_) return std::nullopt;
      Block block = load(*first);
      if (block.header().last > after_) return block;
      if (reverse_) return std::nullopt;
    }
    return std::nullopt;
  }

 private:
  // Where the next block begins, each once.
  [[nodiscard]] std::optional<Position> next_named() {
    while (Cursor* cursor = current()) {
      const Position first = block_position(*cursor);
      reverse_ ? cursor->prev() : cursor->next();
      if (seen_ && (reverse_ ? first >= *seen_ : first <= *seen_)) continue;
      seen_ = first;
      return first;
    }
    return std::nullopt;
  }
  // The one that has entries left; null at the end.
  [[nodiscard]] Cursor* current() {
    while (at_ < cursors_.size() && !cursors_[at_]->valid()) ++at_;
    return at_ < cursors_.size() ? cursors_[at_].get() : nullptr;
  }

  [[nodiscard]] Position block_position(const Cursor& cursor) const {
    if (cursor.key().size() != keys::kIndexKeyBytes)
      throw CorruptionError("an index entry of the wrong length");
    if (kind_ == keys::kStreamIndex) {
      if (cursor.value().size() < 8) throw CorruptionError("an index entry is cut short");
      return {read_le<std::uint64_t>(cursor.value(), 0)};
    }
    return {read_be<std::uint64_t>(cursor.key(), keys::kIndexKeyBytes - 8)};
  }

  [[nodiscard]] Block load(Position first) const {
    const std::string key = keys::block(scope_, first);
    const auto value = storage_.get(Family::kLog, key);
    if (!value) {
      throw CorruptionError(
          fmt::format("an index names the block of scope {} at position {}, which is not there",
                      events::scope_name(scope_), first.value));
    }
    return {key, *value};
  }

  const StorageReader& storage_;
  const events::Scope scope_;
  const char kind_;
  const Position base_;
  const Position after_;
  const Position through_;
  const bool reverse_;
  std::vector<std::unique_ptr<Cursor>> cursors_;  // In the direction of the walk.
  std::size_t at_ = 0;
  std::optional<Position> seen_;  // Where the block begins that was named last.
};

}  // namespace

std::unique_ptr<BlockStream> scan_blocks(const StorageReader& storage, events::Scope scope,
                                         const ScopePoint& base, Position after, Position through,
                                         bool reverse) {
  return std::make_unique<ScanStream>(storage, scope, base, after, through, reverse);
}

std::unique_ptr<BlockStream> indexed_blocks(const StorageReader& storage, events::Scope scope,
                                            const ScopePoint& base, EpochRange epochs,
                                            const IndexedBy& by, Position after, Position through,
                                            bool reverse) {
  return std::make_unique<IndexStream>(storage, scope, base, epochs, by, after, through, reverse);
}

}  // namespace tenantry
