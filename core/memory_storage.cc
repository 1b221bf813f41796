#include <algorithm>
#include <array>
#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <utility>

#include "core/error.h"
#include "core/storage.h"

namespace tenantry {
namespace {

using Rows = std::map<std::string, std::string, std::less<>>;

// The rows of one family at some time. The storage and the cursors made at that time share it;
// while cursors walk it, it does not change.
struct RowsVersion {
  Rows rows;
  // Apart from the shared_ptr's own count because that one is read without ordering: a cursor's
  // last read must come before the writer's next change.
  std::atomic<std::size_t> cursors{0};
};

class MemoryCursor final : public Cursor {
 public:
  MemoryCursor(std::shared_ptr<RowsVersion> version, const std::string& lower,
               const std::string& upper)
      : version_(std::move(version)) {
    version_->cursors.fetch_add(1, std::memory_order_relaxed);
    const Rows& rows = version_->rows;
    begin_ = rows.lower_bound(lower);
    end_ = upper.empty() ? rows.end() : rows.lower_bound(std::max(lower, upper));
    at_ = end_;
  }
  MemoryCursor(const MemoryCursor&) = delete;
  MemoryCursor& operator=(const MemoryCursor&) = delete;
  ~MemoryCursor() override { version_->cursors.fetch_sub(1, std::memory_order_release); }

  [[nodiscard]] bool valid() const override { return at_ != end_; }
  void seek_first() override { at_ = begin_; }
  void seek_last() override { step_back_from(end_); }
  void seek(std::string_view key) override { at_ = clamp(version_->rows.lower_bound(key)); }
  void seek_for_prev(std::string_view key) override {
    step_back_from(clamp(version_->rows.upper_bound(key)));
  }
  void next() override {
    TENANTRY_ASSERT(valid());
    ++at_;
  }
  void prev() override {
    TENANTRY_ASSERT(valid());
    step_back_from(at_);
  }
  [[nodiscard]] std::string_view key() const override { return at_->first; }
  [[nodiscard]] std::string_view value() const override { return at_->second; }

 private:
  [[nodiscard]] Rows::const_iterator clamp(Rows::const_iterator found) const {
    const Rows& rows = version_->rows;
    if (begin_ == rows.end() || (found != rows.end() && found->first < begin_->first)) {
      return begin_;
    }
    if (end_ != rows.end() && (found == rows.end() || found->first > end_->first)) return end_;
    return found;
  }
  void step_back_from(Rows::const_iterator place) {
    at_ = place == begin_ ? end_ : std::prev(place);
  }

  std::shared_ptr<RowsVersion> version_;
  Rows::const_iterator begin_;
  Rows::const_iterator end_;
  Rows::const_iterator at_;
};

// Every family at one time. Counts as a cursor of each: while it lives, the writer copies.
class MemoryView final : public StorageReader {
 public:
  explicit MemoryView(std::array<std::shared_ptr<RowsVersion>, kFamilyCount> versions)
      : versions_(std::move(versions)) {
    for (const auto& version : versions_) version->cursors.fetch_add(1, std::memory_order_relaxed);
  }
  MemoryView(const MemoryView&) = delete;
  MemoryView& operator=(const MemoryView&) = delete;
  ~MemoryView() override {
    for (const auto& version : versions_) version->cursors.fetch_sub(1, std::memory_order_release);
  }

  [[nodiscard]] std::optional<std::string> get(Family family, std::string_view key) const override {
    const Rows& rows = versions_[static_cast<std::size_t>(family)]->rows;
    const auto found = rows.find(key);
    if (found == rows.end()) return std::nullopt;
    return found->second;
  }
  [[nodiscard]] std::unique_ptr<Cursor> cursor(Family family, std::string lower, std::string upper,
                                               bool /*scan*/) const override {
    return std::make_unique<MemoryCursor>(versions_[static_cast<std::size_t>(family)], lower,
                                          upper);
  }

 private:
  std::array<std::shared_ptr<RowsVersion>, kFamilyCount> versions_;
};

class MemoryStorage final : public Storage {
 public:
  MemoryStorage() {
    for (auto& family : families_) family = std::make_shared<RowsVersion>();
  }

  [[nodiscard]] std::optional<std::string> get(Family family, std::string_view key) const override {
    const std::shared_lock lock(mutex_);
    const Rows& rows = families_[static_cast<std::size_t>(family)]->rows;
    const auto found = rows.find(key);
    if (found == rows.end()) return std::nullopt;
    return found->second;
  }

  [[nodiscard]] std::unique_ptr<Cursor> cursor(Family family, std::string lower, std::string upper,
                                               bool /*scan*/) const override {
    const std::shared_lock lock(mutex_);
    return std::make_unique<MemoryCursor>(families_[static_cast<std::size_t>(family)], lower,
                                          upper);
  }

  [[nodiscard]] std::unique_ptr<StorageReader> read_view() const override {
    const std::shared_lock lock(mutex_);
    return std::make_unique<MemoryView>(families_);
  }

  [[nodiscard]] WriteResult write(const ChangeSet& changes, bool /*sync*/) override {
    const std::unique_lock lock(mutex_);
    for (const ChangeSet::Change& change : changes.changes()) {
      Rows& rows = writable(change.family);
      if (change.is_delete) {
        rows.erase(change.key);
      } else {
        rows.insert_or_assign(change.key, change.value);
      }
    }
    return WriteResult::kDone;
  }

  void flush() override {}
  void drop_files(const std::vector<KeyRange>& /*ranges*/) override {}
  void compact(const KeyRange& /*range*/) override {}
  void remove_ranges(const std::vector<KeyRange>& ranges) override {
    const std::unique_lock lock(mutex_);
    for (const KeyRange& range : ranges) {
      Rows& rows = writable(range.family);
      rows.erase(rows.lower_bound(range.first), rows.lower_bound(range.end));
    }
  }
  [[nodiscard]] std::uint64_t size_of(const KeyRange& /*range*/) const override { return 0; }
  void copy_to(const std::filesystem::path& /*directory*/) override {
    throw UnavailableError("what is in memory has no files to copy");
  }
  [[nodiscard]] std::string last_error() const override { return {}; }
  [[nodiscard]] std::vector<FileDamage> damaged_files(
      const ReadProgress& /*progress*/) const override {
    return {};
  }
  [[nodiscard]] std::size_t log_files() const override { return 0; }
  [[nodiscard]] std::uint64_t size_bytes() const override { return 0; }

 private:
  // Copies the rows first if a cursor walks them. No cursor is made meanwhile: the lock is held.
  Rows& writable(Family family) {
    std::shared_ptr<RowsVersion>& current = families_[static_cast<std::size_t>(family)];
    if (current->cursors.load(std::memory_order_acquire) != 0) {
      auto copy = std::make_shared<RowsVersion>();
      copy->rows = current->rows;
      current = std::move(copy);
    }
    return current->rows;
  }

  mutable std::shared_mutex mutex_;
  std::array<std::shared_ptr<RowsVersion>, kFamilyCount> families_;
};

}  // namespace

std::unique_ptr<Storage> make_memory_storage() { return std::make_unique<MemoryStorage>(); }

}  // namespace tenantry
