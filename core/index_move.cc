#include "core/index_move.h"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "core/block_counters.h"
#include "core/block_stream.h"
#include "core/keys.h"

namespace tenantry {
namespace {

// Whoever appends waits for a batch: so many bytes of entries, but for the last block's.
constexpr std::size_t kMovedBytes = std::size_t{32} << 10;

class IndexMove {
 public:
  IndexMove(const SquashSite& site, events::Scope scope)
      : site_(site), scope_(scope), base_(site.history.now()->of(scope).base) {}

  void run(Position after, const std::function<void()>& tick) {
    if (base_.closed.empty() || base_.closed.back().last <= after) return;
    const auto blocks = scan_blocks(site_.storage, scope_, base_.base, after,
                                    base_.closed.back().last, /*reverse=*/true);
    for (auto block = blocks->next(); block; block = blocks->next()) {
      take(*block);
      if (bytes_ < kMovedBytes) continue;
      commit();
      tick();
    }
    if (!moved_.empty()) commit();
    // Readers need not know sooner: what is read tells them of both epochs. Ended before, the
    // squash publishes it when it drops its job.
    site_.history.publish(read_catalogue(site_.storage));
  }

 private:
  struct Moved {
    std::uint32_t epoch = 0;  // Until now.
    IndexEntry entry;
  };

  void take(const Block& block) {
    first_ = block.header().first;
    const std::uint32_t epoch = epoch_of(base_, first_, 0);
    for (IndexEntry& entry : index_entries(block)) {
      bytes_ += keys::kIndexKeyBytes + entry.value.size();
      moved_.push_back({epoch, std::move(entry)});
    }
  }

  void commit() {
    for (ClosedEpoch& closed : base_.closed) {
      closed.last = std::min(closed.last, Position{first_.value - 1});
    }
    site_.commit([&](BatchWriter& batch) {
      for (const Moved& moved : moved_) batch.move_index_entry(scope_, moved.epoch, moved.entry);
      put_base(batch.beside(), scope_, base_);
    });
    moved_.clear();
    bytes_ = 0;
  }

  const SquashSite& site_;
  const events::Scope scope_;
  ScopeBase base_;
  std::vector<Moved> moved_;
  std::size_t bytes_ = 0;
  Position first_;  // Of the block that was taken last.
};

}  // namespace

void move_index(const SquashSite& site, events::Scope scope, const ScopePoint& through,
                const std::function<void()>& tick) {
  IndexMove(site, scope).run(through.position, tick);
}

}  // namespace tenantry
