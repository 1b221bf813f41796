#include "tools/state_diff.h"

#include <cstddef>
#include <vector>

namespace tenantry::tools {
namespace {

// Rows of a state in key order, fetched page by page: two scans cannot run side by side.
class RowPages {
 public:
  RowPages(const StateView& state, const events::TableInfo& table,
           const std::optional<events::Uuid>& tenant)
      : state_(state), table_(table), tenant_(tenant) {
    load();
  }

  // Null at the end. Valid until the next call of advance().
  [[nodiscard]] const StoredRow* current() const {
    return at_ < page_.size() ? &page_[at_] : nullptr;
  }

  void advance() {
    if (++at_ == page_.size() && !ended_) load();
  }

 private:
  void load() {
    // A few of an owner's answers: of the last one, some is fetched in vain.
    constexpr std::size_t kPageBytes = std::size_t{1} << 20;
    std::optional<RowKey> last;
    if (!page_.empty()) last = page_.back().key;
    page_.clear();
    at_ = 0;
    ended_ = true;
    std::size_t bytes = 0;
    state_.scan_rows_after(table_, tenant_, last, [&](const StoredRow& row) {
      bytes += sizeof(row.key) + row.bytes.size();
      page_.push_back(row);
      return ended_ = bytes < kPageBytes;
    });
  }

  const StateView& state_;
  const events::TableInfo& table_;
  const std::optional<events::Uuid>& tenant_;
  std::vector<StoredRow> page_;
  std::size_t at_ = 0;
  bool ended_ = false;
};

// The rows of two states that stand next, of one key: null where a state has none of it.
RowPair side_by_side(const StoredRow* before, const StoredRow* after) {
  if (before != nullptr && after != nullptr && before->key != after->key) {
    (before->key < after->key ? after : before) = nullptr;
  }
  return {before, after};
}

class TableDiff {
 public:
  TableDiff(const StateView& before, const StateView& after, const events::TableInfo& table,
            const std::optional<events::Uuid>& tenant,
            const std::function<bool(const RowPair&)>& visit)
      : before_(before), after_(after), table_(table), tenant_(tenant), visit_(visit) {}

  void run() const {
    RowPages befores(before_, table_, tenant_);
    RowPages afters(after_, table_, tenant_);
    while (true) {
      const RowPair pair = side_by_side(befores.current(), afters.current());
      if (pair.before == nullptr && pair.after == nullptr) return;
      if (!compare(pair)) return;
      if (pair.before != nullptr) befores.advance();
      if (pair.after != nullptr) afters.advance();
    }
  }

 private:
  // A key that only one state has is that of a row which the other one lacks, or has elsewhere.
  [[nodiscard]] bool compare(const RowPair& pair) const {
    if (pair.after == nullptr) {
      const auto moved = after_.row_by_id(table_, pair.before->key.id);
      return visit_({pair.before, moved ? &*moved : nullptr});
    }
    if (pair.before == nullptr) {
      const auto moved = before_.row_by_id(table_, pair.after->key.id);
      // Of all tenants it is met where it was before.
      if (moved && !tenant_) return true;
      return visit_({moved ? &*moved : nullptr, pair.after});
    }
    const bool same =
        pair.before->version == pair.after->version || pair.before->bytes == pair.after->bytes;
    return same || visit_(pair);
  }

  const StateView& before_;
  const StateView& after_;
  const events::TableInfo& table_;
  const std::optional<events::Uuid>& tenant_;
  const std::function<bool(const RowPair&)>& visit_;
};

}  // namespace

void diff_rows(const StateView& before, const StateView& after, const events::TableInfo& table,
               const std::optional<events::Uuid>& tenant,
               const std::function<bool(const RowPair&)>& visit) {
  TableDiff(before, after, table, tenant, visit).run();
}

}  // namespace tenantry::tools
