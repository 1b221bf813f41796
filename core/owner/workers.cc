#include "core/owner/workers.h"

#include <utility>

namespace tenantry::owner {

Workers::~Workers() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
    changed_.notify_all();
  }
  threads_.clear();
}

void Workers::run(std::function<void()> work) {
  const std::lock_guard lock(mutex_);
  queue_.push_back(std::move(work));
  if (idle_ < queue_.size() && threads_.size() < threads_max_) {
    threads_.emplace_back([this] { serve(); });
  }
  changed_.notify_one();
}

bool Workers::idle() const {
  const std::lock_guard lock(mutex_);
  return queue_.empty() && idle_ == threads_.size();
}

void Workers::serve() {
  std::unique_lock lock(mutex_);
  while (true) {
    ++idle_;
    changed_.wait(lock, [this] { return closing_ || !queue_.empty(); });
    --idle_;
    if (queue_.empty()) return;
    const std::function<void()> work = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    work();
    lock.lock();
  }
}

void Strand::run(std::function<void()> work) {
  {
    const std::lock_guard lock(line_->mutex);
    line_->queue.push_back(std::move(work));
    if (line_->busy) return;
    line_->busy = true;
  }
  workers_.run([line = line_] {
    std::unique_lock lock(line->mutex);
    while (!line->queue.empty()) {
      const std::function<void()> next = std::move(line->queue.front());
      line->queue.pop_front();
      lock.unlock();
      next();
      lock.lock();
    }
    line->busy = false;
  });
}

}  // namespace tenantry::owner
