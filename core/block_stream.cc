#include "core/block_stream.h"

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
  ScanStream(const StorageReader& storage, events::Scope scope, Position after, Position through,
             bool reverse)
      : storage_(storage), scope_(scope), after_(after), through_(through), reverse_(reverse) {}

  std::optional<Block> next() override {
    if (cursor_ == nullptr || used_ == kBlocksPerCursor) {
      renew();
    } else {
      reverse_ ? cursor_->prev() : cursor_->next();
    }
    ++used_;
    if (!cursor_->valid()) {
      // Going back ends with the scope's first event.
      if (reverse_ && before_.value_or(0) != 0) missing(*before_);
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

  // What the walk begins behind: the block before, or the scope's beginning.
  void start_forward() {
    cursor_->seek_for_prev(keys::block(scope_, Position{after_.value + 1}));
    if (!cursor_->valid()) {
      before_ = 0;
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
    const std::string lower = keys::block(scope_, {0});
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

class IndexStream final : public BlockStream {
 public:
  IndexStream(const StorageReader& storage, events::Scope scope, const ScopeHead& end, char kind,
              const events::Uuid& id, Position after, Position through, bool reverse)
      : storage_(storage),
        scope_(scope),
        kind_(kind),
        after_(after),
        through_(through),
        reverse_(reverse) {
    const std::string prefix = keys::index_prefix(kind, scope, end.epoch, id);
    cursor_ = storage.cursor(Family::kIndex, prefix, keys::after_prefix(prefix), /*scan=*/false);
    reverse ? cursor_->seek_last() : cursor_->seek_first();
  }

  std::optional<Block> next() override {
    while (cursor_->valid()) {
      const Position first = block_position();
      reverse_ ? cursor_->prev() : cursor_->next();
      if (!reverse_ && first > through_) return std::nullopt;
      if (reverse_ && first > through_) continue;
      Block block = load(first);
      if (block.header().last > after_) return block;
      if (reverse_) return std::nullopt;
    }
    return std::nullopt;
  }

 private:
  [[nodiscard]] Position block_position() const {
    if (cursor_->key().size() != keys::kIndexKeyBytes)
      throw CorruptionError("an index entry of the wrong length");
    if (kind_ == keys::kStreamIndex) {
      if (cursor_->value().size() < 8) throw CorruptionError("an index entry is cut short");
      return {read_le<std::uint64_t>(cursor_->value(), 0)};
    }
    return {read_be<std::uint64_t>(cursor_->key(), keys::kIndexKeyBytes - 8)};
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
  const Position after_;
  const Position through_;
  const bool reverse_;
  std::unique_ptr<Cursor> cursor_;
};

}  // namespace

std::unique_ptr<BlockStream> scan_blocks(const StorageReader& storage, events::Scope scope,
                                         Position after, Position through, bool reverse) {
  return std::make_unique<ScanStream>(storage, scope, after, through, reverse);
}

std::unique_ptr<BlockStream> indexed_blocks(const StorageReader& storage, events::Scope scope,
                                            const ScopeHead& end, char kind, const events::Uuid& id,
                                            Position after, Position through, bool reverse) {
  return std::make_unique<IndexStream>(storage, scope, end, kind, id, after, through, reverse);
}

}  // namespace tenantry
