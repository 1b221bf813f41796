#include <mutex>

#include "core/commit_log.h"
#include "core/error.h"

namespace tenantry {

// What the writers share: the batches, and who may write.
class MemoryLogStore {
 public:
  std::mutex mutex;
  std::uint64_t term = 0;
  Hash digest{};
  std::vector<CertifiedBatch> batches;  // batches[i] has seq i + 1.
};

namespace {

constexpr CommitLimits kLimits{std::size_t{896} << 10, kCommandBytesMax};

class MemoryLog final : public CommitLog {
 public:
  MemoryLog(std::shared_ptr<MemoryLogStore> shared, Storage& local)
      : shared_(std::move(shared)), local_(local) {}

  CommitTail open_term() override {
    const std::lock_guard lock(shared_->mutex);
    term_ = ++shared_->term;
    return {term_, shared_->batches.size(), shared_->digest};
  }

  AppendOutcome append(const Batch& batch, const ChangeSet& local) override {
    {
      const std::lock_guard lock(shared_->mutex);
      if (batch.term != shared_->term) return AppendOutcome::kFenced;
      if (batch.seq != shared_->batches.size() + 1) return AppendOutcome::kConflict;
      if (!shared_->batches.empty() && batch.before != shared_->digest)
        return AppendOutcome::kConflict;
      shared_->batches.push_back({batch.seq, batch.image()});
      shared_->digest = batch.after;
    }
    return local_.write(local, /*sync=*/false) == WriteResult::kDone ? AppendOutcome::kCommitted
                                                                     : AppendOutcome::kUnknown;
  }

  AppendOutcome resolve(const Batch& batch) override {
    const std::lock_guard lock(shared_->mutex);
    const bool there =
        batch.seq <= shared_->batches.size() &&
        decode_batch_image(shared_->batches[batch.seq - 1].image).header.after == batch.after;
    return there ? AppendOutcome::kCommitted : AppendOutcome::kConflict;
  }

  std::vector<CertifiedBatch> read(std::uint64_t after, std::size_t bytes_max) const override {
    const std::lock_guard lock(shared_->mutex);
    std::vector<CertifiedBatch> found;
    std::size_t total = 0;
    for (std::size_t at = after; at < shared_->batches.size() && total < bytes_max; ++at) {
      total += shared_->batches[at].image.size();
      found.push_back(shared_->batches[at]);
    }
    return found;
  }

  CommitLimits limits() const override { return kLimits; }

 private:
  std::shared_ptr<MemoryLogStore> shared_;
  Storage& local_;
  std::uint64_t term_ = 0;
};

}  // namespace

std::shared_ptr<MemoryLogStore> make_memory_log_store() {
  return std::make_shared<MemoryLogStore>();
}

std::unique_ptr<CommitLog> make_memory_log(std::shared_ptr<MemoryLogStore> shared, Storage& local) {
  return std::make_unique<MemoryLog>(std::move(shared), local);
}

}  // namespace tenantry
