#include "core/block_stream.h"

#include <fmt/format.h>

#include "core/bytes.h"
#include "core/error.h"
#include "core/keys.h"

namespace tenantry {
namespace {

// A cursor that is walked for long pins old files: it is made anew after this many blocks.
constexpr std::uint32_t kBlocksPerCursor = 256;

class ScanStream final : public BlockStream {
 public:
  ScanStream(const StorageReader& storage, events::Scope scope, Position after, Position through, bool reverse)
      : storage_(storage), scope_(scope), after_(after), through_(through), reverse_(reverse) {}

  std::optional<Block> next() override {
    if (cursor_ == nullptr || used_ == kBlocksPerCursor) {
      renew();
    } else {
      reverse_ ? cursor_->prev() : cursor_->next();
    }
    ++used_;
    if (!cursor_->valid()) return std::nullopt;
    Block block(cursor_->key(), cursor_->value());
    const bool outside = reverse_ ? block.header().last <= after_ : block.header().first > through_;
    if (outside) return std::nullopt;
    at_ = block.header().first;
    started_ = true;
    return block;
  }

 private:
  void renew() {
    const std::string lower = keys::block(scope_, {0});
    cursor_ = storage_.cursor(Family::kLog, lower, keys::after_prefix(lower.substr(0, 2)), /*scan=*/true);
    used_ = 0;
    if (!started_) {
      cursor_->seek_for_prev(keys::block(scope_, reverse_ ? through_ : Position{after_.value + 1}));
      if (reverse_) return;
      // The block before may reach behind `after`.
      if (!cursor_->valid()) {
        cursor_->seek_first();
      } else if (Block(cursor_->key(), cursor_->value()).header().last <= after_) {
        cursor_->next();
      }
      return;
    }
    cursor_->seek(keys::block(scope_, at_));
    if (!cursor_->valid() || cursor_->key() != keys::block(scope_, at_)) {
      throw CorruptionError(fmt::format("the block of scope {} at position {} is gone", events::scope_name(scope_),
                                        at_.value));
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
  Position at_;
  bool started_ = false;
};

class IndexStream final : public BlockStream {
 public:
  IndexStream(const StorageReader& storage, events::Scope scope, const ScopeHead& end, char kind,
              const events::Uuid& id, Position after, Position through, bool reverse)
      : storage_(storage), scope_(scope), kind_(kind), after_(after), through_(through), reverse_(reverse) {
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
    if (cursor_->key().size() != keys::kIndexKeyBytes) throw CorruptionError("an index entry of the wrong length");
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
      throw CorruptionError(fmt::format("an index names the block of scope {} at position {}, which is not there",
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

std::unique_ptr<BlockStream> scan_blocks(const StorageReader& storage, events::Scope scope, Position after,
                                         Position through, bool reverse) {
  return std::make_unique<ScanStream>(storage, scope, after, through, reverse);
}

std::unique_ptr<BlockStream> indexed_blocks(const StorageReader& storage, events::Scope scope, const ScopeHead& end,
                                            char kind, const events::Uuid& id, Position after, Position through,
                                            bool reverse) {
  return std::make_unique<IndexStream>(storage, scope, end, kind, id, after, through, reverse);
}

}  // namespace tenantry
