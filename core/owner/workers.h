#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace tenantry::owner {

// Threads for what must not hold up who asks for it: begun when there is work for one more, up to a
// bound, and kept. Threads: any may call run(). The destructor returns once all that was given is
// done.
class Workers {
 public:
  explicit Workers(std::size_t threads_max) : threads_max_(threads_max) {}
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;
  ~Workers();

  // `work` throws nothing. Waits its turn while all threads are busy.
  void run(std::function<void()> work);
  // Nothing is waiting or being done.
  [[nodiscard]] bool idle() const;

 private:
  void serve();

  const std::size_t threads_max_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;  // Guarded by mutex_, as are the next two.
  std::size_t idle_ = 0;
  bool closing_ = false;
  std::vector<std::jthread> threads_;
};

// Has what it is given done by workers, which outlive it, one after the other and in order.
// Threads: any. What was given when it goes away is done all the same.
class Strand {
 public:
  explicit Strand(Workers& workers) : workers_(workers) {}

  // `work` throws nothing.
  void run(std::function<void()> work);

 private:
  struct Line {
    std::mutex mutex;
    std::deque<std::function<void()>> queue;  // Guarded by mutex, as is the next.
    bool busy = false;
  };

  Workers& workers_;
  const std::shared_ptr<Line> line_ = std::make_shared<Line>();
};

}  // namespace tenantry::owner
