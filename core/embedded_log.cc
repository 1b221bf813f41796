#include <algorithm>
#include <map>

#include "core/bytes.h"
#include "core/commit_log.h"
#include "core/error.h"
#include "core/keys.h"
#include "core/planted.h"

namespace tenantry {
namespace {

// A batch leaves room for its header below what other logs take as one message.
constexpr CommitLimits kLimits{std::size_t{896} << 10, kCommandBytesMax};

class EmbeddedLog final : public CommitLog {
 public:
  EmbeddedLog(Storage& storage, const StoreInfo& info) : storage_(storage), info_(info) {}

  CommitTail open_term() override {
    const Head head = stored_head(storage_);
    term_ = head.term + 1;
    seq_ = head.batch_seq;
    digest_ = head_digest(info_.id, head);
    return {term_, seq_, digest_};
  }

  AppendOutcome append(const Batch& batch, const ChangeSet& local) override {
    if (batch.term != term_) return AppendOutcome::kFenced;
    if (batch.seq != seq_ + 1 || batch.before != digest_) return AppendOutcome::kConflict;
    switch (storage_.write(local, /*sync=*/!planted(Plant::kNoSync))) {
      case WriteResult::kDone:
        seq_ = batch.seq;
        digest_ = batch.after;
        return AppendOutcome::kCommitted;
      case WriteResult::kStalled:
        return AppendOutcome::kStalled;
      case WriteResult::kUnknown:
        break;
    }
    return AppendOutcome::kUnknown;
  }

  // After a failed write RocksDB may still write the record by itself: what it holds now proves
  // nothing.
  AppendOutcome resolve(const Batch&) override { return AppendOutcome::kUnknown; }

  std::vector<CertifiedBatch> read(std::uint64_t after, std::size_t bytes_max) const override;

  CommitLimits limits() const override { return kLimits; }

 private:
  Storage& storage_;
  StoreInfo info_;
  std::uint64_t term_ = 0;
  std::uint64_t seq_ = 0;
  Hash digest_{};
};

// Rebuilds batches from the blocks that share a batchSeq; their order in the log of each scope is
// that of seqs.
class BatchAssembler {
 public:
  BatchAssembler(const StorageReader& storage, const StoreInfo& info, const Head& head)
      : storage_(storage), info_(info), head_(head) {
    walk_.incarnation = head.incarnation;
    for (const auto& [scope, end] : head.scopes) {
      const std::string lower = keys::block(scope, {0});
      auto cursor = storage.cursor(Family::kLog, lower, keys::after_prefix(lower.substr(0, 2)),
                                   /*scan=*/true);
      cursor->seek_first();
      cursors_[scope] = std::move(cursor);
    }
  }

  // The next batch; false at the end. Heads are followed from the beginning: digests need them.
  bool next(CertifiedBatch& batch) {
    if (walk_.batch_seq == head_.batch_seq) return false;
    ++walk_.batch_seq;
    const Hash before = head_digest(info_.id, walk_);
    BatchImage image;
    take_records(image);
    image.header.before = before;
    image.header.after = head_digest(info_.id, walk_);
    batch = {walk_.batch_seq, encode_batch_image(image)};
    return true;
  }

 private:
  void take_records(BatchImage& image) {
    std::map<Position, std::string> records;
    std::string table;
    image.header.incarnation = walk_.incarnation;
    image.header.seq = walk_.batch_seq;
    for (auto& [scope, cursor] : cursors_) {
      while (cursor->valid()) {
        const Block block(cursor->key(), cursor->value());
        if (block.header().batch_seq != walk_.batch_seq) break;
        image.header.term = block.header().term;
        if (!block.command_table().empty()) table = block.command_table();
        for (std::size_t i = 0; i < block.records().size(); ++i) {
          records[block.records()[i].position] = block.record(i);
          ScopeHead& end = walk_.scopes[scope];
          end.seq = block.records()[i].scope_seq;
          end.chain = block.records()[i].chain_hash;
        }
        cursor->next();
      }
    }
    if (records.empty()) {
      const auto stored = storage_.get(Family::kMeta, keys::batch(walk_.batch_seq));
      if (!stored)
        throw CorruptionError("batch " + std::to_string(walk_.batch_seq) + " is missing");
      table = *stored;
      image.header.term = command_table_term(table);
    }
    image.commands = decode_command_table(table);
    image.header.events = static_cast<std::uint32_t>(records.size());
    image.header.first = records.empty() ? walk_.tail : records.begin()->first;
    for (const auto& [position, bytes] : records) image.records += bytes;
    if (!records.empty()) walk_.tail = records.rbegin()->first;
  }

  const StorageReader& storage_;
  const StoreInfo& info_;
  const Head& head_;
  Head walk_;
  std::map<events::Scope, std::unique_ptr<Cursor>> cursors_;
};

std::vector<CertifiedBatch> EmbeddedLog::read(std::uint64_t after, std::size_t bytes_max) const {
  const auto view = storage_.read_view();
  const Head head = stored_head(*view);
  BatchAssembler assembler(*view, info_, head);
  std::vector<CertifiedBatch> found;
  std::size_t total = 0;
  CertifiedBatch batch;
  while (total < bytes_max && assembler.next(batch)) {
    if (batch.seq <= after) continue;
    total += batch.image.size();
    found.push_back(std::move(batch));
  }
  return found;
}

}  // namespace

std::unique_ptr<CommitLog> make_embedded_log(Storage& storage, const StoreInfo& info) {
  return std::make_unique<EmbeddedLog>(storage, info);
}

}  // namespace tenantry
