#include "projections/row_pipe.h"

#include <system_error>
#include <utility>

namespace tenantry::projections {
namespace {

// Enough that taking turns costs nothing beside a row, and little enough to forget. Most rows have
// some hundred bytes, but a document alone may have 256 KiB.
constexpr std::size_t kBatchRows = 256;
constexpr std::size_t kBatchBytes = std::size_t{256} << 10;
constexpr std::size_t kBatchesMax = 8;

}  // namespace

std::size_t row_bytes(const events::RowValues& row) {
  std::size_t bytes = row.size() * sizeof(events::Value);
  for (const events::Value& value : row) {
    if (const auto* text = std::get_if<std::string>(&value)) bytes += text->size();
  }
  return bytes;
}

RowPipe::RowPipe(Write write, bool one_thread) : write_(std::move(write)) {
  if (one_thread) return;
  try {
    writer_ = std::thread([this] { write_all(); });
  } catch (const std::system_error&) {  // No thread is to be had: it goes without.
  }
}

RowPipe::~RowPipe() {
  {
    const std::lock_guard lock(mutex_);
    finished_ = true;
    abandoned_ = true;
    changed_.notify_all();
  }
  if (writer_.joinable()) writer_.join();
}

void RowPipe::add(const events::TableInfo& table, events::RowValues row) {
  if (!writer_.joinable()) return write_(table, std::move(row));
  bytes_ += row_bytes(row);
  filling_.push_back({&table, std::move(row)});
  if (filling_.size() == kBatchRows || bytes_ >= kBatchBytes) send();
}

void RowPipe::finish() {
  if (!writer_.joinable()) return;
  if (!filling_.empty()) send();
  {
    const std::lock_guard lock(mutex_);
    finished_ = true;
    changed_.notify_all();
  }
  writer_.join();
  if (fault_) std::rethrow_exception(fault_);
}

void RowPipe::send() {
  Batch next;
  next.reserve(kBatchRows);
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return waiting_.size() < kBatchesMax || fault_; });
  if (fault_) std::rethrow_exception(fault_);
  waiting_.push_back(std::exchange(filling_, std::move(next)));
  bytes_ = 0;
  changed_.notify_all();
}

void RowPipe::write_all() {
  while (true) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return finished_ || !waiting_.empty(); });
    if (abandoned_ || waiting_.empty()) return;
    Batch batch = std::move(waiting_.front());
    waiting_.pop_front();
    changed_.notify_all();
    lock.unlock();
    if (!write_batch(batch)) return;
  }
}

bool RowPipe::write_batch(Batch& batch) {
  try {
    for (Row& row : batch) {
      if (abandoned_) return false;
      write_(*row.table, std::move(row.values));
    }
    return true;
  } catch (const std::exception&) {
    const std::lock_guard lock(mutex_);
    fault_ = std::current_exception();
    changed_.notify_all();
    return false;
  }
}

}  // namespace tenantry::projections
