#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "events/tables.h"

namespace tenantry::projections {

// What a row takes in memory, about.
[[nodiscard]] std::size_t row_bytes(const events::RowValues& row);

// Lets rows be written while the next are read: `write` is called with each, in order, by a thread
// of the pipe's own and by nobody else until finish() returns. Bounded: some thousand rows and a
// few MiB are under way at most. Threads: used by one. Lifetime: `write` outlives it; destroyed
// before finish(), it writes no more than the row it is at.
class RowPipe {
 public:
  using Write = std::function<void(const events::TableInfo&, events::RowValues)>;

  // Asked for one thread, or where no second one is to be had, add() calls `write` itself.
  explicit RowPipe(Write write, bool one_thread = false);
  RowPipe(const RowPipe&) = delete;
  RowPipe& operator=(const RowPipe&) = delete;
  ~RowPipe();

  // Waits while too many are under way. Throws what `write` threw, of an earlier row.
  void add(const events::TableInfo& table, events::RowValues row);
  // Every row is written. Throws likewise; nothing may be added afterwards.
  void finish();

 private:
  struct Row {
    const events::TableInfo* table;
    events::RowValues values;
  };
  using Batch = std::vector<Row>;

  void send();
  void write_all();
  [[nodiscard]] bool write_batch(Batch& batch);  // Whether it went on to its end.

  Write write_;
  Batch filling_;
  std::size_t bytes_ = 0;                // Of what it holds.
  std::atomic<bool> abandoned_ = false;  // What is under way need not be written.
  std::mutex mutex_;                     // Guards what follows.
  std::condition_variable changed_;
  std::deque<Batch> waiting_;
  bool finished_ = false;  // No more rows come.
  std::exception_ptr fault_;
  std::thread writer_;  // The last: it uses all the others.
};

}  // namespace tenantry::projections
