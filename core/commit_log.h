#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "core/batch.h"
#include "core/storage.h"

// The commit point: one ordered log of batches. The store decides, this makes durable. What is
// embedded here can be a replicated log elsewhere; the changes of the local storage are the same in
// both.
namespace tenantry {

enum class AppendOutcome {
  kCommitted,  // Durable, and the local changes are written.
  kConflict,   // The log's tail is another; nothing was appended.
  kFenced,     // A newer term writes; nothing was appended.
  kStalled,    // Nothing was appended; trying again may help.
  kUnknown,    // Nobody knows yet: resolve() tells, or opening again.
};

// Where the log ends.
struct CommitTail {
  std::uint64_t term = 0;  // The term just opened.
  std::uint64_t seq = 0;   // Of the last batch.
  Hash digest{};           // Head digest after it.
};

struct CommitLimits {
  std::size_t group_bytes_max = 0;    // Encoded records of several commands.
  std::size_t command_bytes_max = 0;  // Of one command alone.
};

// A batch that the log answers for.
struct CertifiedBatch {
  std::uint64_t seq = 0;
  std::string image;  // decode_batch_image() reads it.
};

// Threads: open_term, append and resolve by one thread at a time; read by any.
class CommitLog {
 public:
  virtual ~CommitLog() = default;
  // Begins a new term, which fences every older one. The tail that it returns is durable.
  [[nodiscard]] virtual CommitTail open_term() = 0;
  // Appends iff the log ends with batch seq-1 and its digest is `before`, and the batch's term is
  // the newest.
  [[nodiscard]] virtual AppendOutcome append(const Batch& batch, const ChangeSet& local) = 0;
  // After kUnknown: whether the batch is in the log. May be asked again and again.
  [[nodiscard]] virtual AppendOutcome resolve(const Batch& batch) = 0;
  // Batches with a seq > `after`, in order, until they amount to `bytes_max` (at least one, if
  // there is one).
  [[nodiscard]] virtual std::vector<CertifiedBatch> read(std::uint64_t after,
                                                         std::size_t bytes_max) const = 0;
  [[nodiscard]] virtual CommitLimits limits() const = 0;
};

// For a writer that owns its store. Appends; a stall wrote nothing, so tries again, for two seconds
// at most.
[[nodiscard]] AppendOutcome append_patiently(CommitLog& log, const Batch& batch,
                                             const ChangeSet& local);
// Throws the UnavailableError for what was not committed; `why` is the storage's last error.
[[noreturn]] void throw_append_failure(AppendOutcome outcome, const std::string& why);

// The log inside the store's own storage: one synced write is the commit. Exclusive by the store's
// lock.
[[nodiscard]] std::unique_ptr<CommitLog> make_embedded_log(Storage& storage, const StoreInfo& info);

// Batches in memory, shared by several writers; each writer's `local` storage follows unsynced. For
// tests.
class MemoryLogStore;
[[nodiscard]] std::shared_ptr<MemoryLogStore> make_memory_log_store();
[[nodiscard]] std::unique_ptr<CommitLog> make_memory_log(std::shared_ptr<MemoryLogStore> shared,
                                                         Storage& local);

}  // namespace tenantry
