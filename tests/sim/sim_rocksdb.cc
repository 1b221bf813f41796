#include "tests/sim/sim_rocksdb.h"

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include <rocksdb/file_system.h>
#include <rocksdb/system_clock.h>

#include "core/rocks_testing.h"

namespace tenantry::sim {
namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

IOStatus to_status(int error) {
  if (error == 0) return IOStatus::OK();
  const std::string reason = std::generic_category().message(error);
  return error == ENOSPC ? IOStatus::NoSpace(reason) : IOStatus::IOError(reason);
}

// RocksDB writes some paths with two slashes.
std::string normal(const std::string& path) {
  return std::filesystem::path(path).lexically_normal().string();
}

class WrittenFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  WrittenFile(std::unique_ptr<rocksdb::FSWritableFile>&& file, SimDisk& disk, std::string path,
              std::uint64_t size)
      : FSWritableFileOwnerWrapper(std::move(file)),
        disk_(disk),
        path_(std::move(path)),
        size_(size) {}

  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* debug) override {
    std::uint64_t allowed = 0;
    const int error = disk_.write(path_, size_, data.size(), allowed);
    const Slice part(data.data(), allowed);
    const IOStatus written =
        allowed == 0 ? IOStatus::OK() : FSWritableFileOwnerWrapper::Append(part, options, debug);
    size_ += allowed;
    return error == 0 ? written : to_status(error);
  }
  IOStatus Append(const Slice& data, const IOOptions& options,
                  const rocksdb::DataVerificationInfo& /*verification*/,
                  IODebugContext* debug) override {
    return Append(data, options, debug);
  }
  IOStatus Truncate(std::uint64_t size, const IOOptions& options, IODebugContext* debug) override {
    const int error = disk_.truncate(path_, size);
    if (error != 0) return to_status(error);
    size_ = size;
    return FSWritableFileOwnerWrapper::Truncate(size, options, debug);
  }
  IOStatus Sync(const IOOptions& /*options*/, IODebugContext* /*debug*/) override {
    return to_status(disk_.sync(path_));
  }
  IOStatus Fsync(const IOOptions& /*options*/, IODebugContext* /*debug*/) override {
    return to_status(disk_.sync(path_));
  }
  // Promises nothing.
  IOStatus RangeSync(std::uint64_t /*offset*/, std::uint64_t /*bytes*/,
                     const IOOptions& /*options*/, IODebugContext* /*debug*/) override {
    return IOStatus::OK();
  }
  IOStatus Allocate(std::uint64_t /*offset*/, std::uint64_t /*bytes*/, const IOOptions& /*options*/,
                    IODebugContext* /*debug*/) override {
    return IOStatus::OK();
  }
  void SetPreallocationBlockSize(std::size_t /*bytes*/) override {}
  void PrepareWrite(std::size_t /*offset*/, std::size_t /*bytes*/, const IOOptions& /*options*/,
                    IODebugContext* /*debug*/) override {}

 private:
  SimDisk& disk_;
  const std::string path_;
  std::uint64_t size_;
};

class Directory final : public rocksdb::FSDirectoryWrapper {
 public:
  Directory(std::unique_ptr<rocksdb::FSDirectory>&& directory, SimDisk& disk, std::string path)
      : FSDirectoryWrapper(std::move(directory)), disk_(disk), path_(std::move(path)) {}
  IOStatus Fsync(const IOOptions& /*options*/, IODebugContext* /*debug*/) override {
    return to_status(disk_.sync_directory(path_));
  }
  IOStatus FsyncWithDirOptions(const IOOptions& options, IODebugContext* debug,
                               const rocksdb::DirFsyncOptions& /*how*/) override {
    return Fsync(options, debug);
  }

 private:
  SimDisk& disk_;
  const std::string path_;
};

class Files final : public rocksdb::FileSystemWrapper {
 public:
  explicit Files(SimDisk& disk) : FileSystemWrapper(rocksdb::FileSystem::Default()), disk_(disk) {}

  [[nodiscard]] const char* Name() const override { return "TenantrySimulatedFiles"; }

  IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                           std::unique_ptr<rocksdb::FSWritableFile>* result,
                           IODebugContext* debug) override {
    const std::string path = normal(name);
    const int error = disk_.create(path, /*empties=*/true);
    if (error != 0) return to_status(error);
    const IOStatus made = FileSystemWrapper::NewWritableFile(path, options, result, debug);
    if (made.ok()) *result = std::make_unique<WrittenFile>(std::move(*result), disk_, path, 0);
    return made;
  }
  IOStatus ReopenWritableFile(const std::string& /*name*/, const rocksdb::FileOptions& /*options*/,
                              std::unique_ptr<rocksdb::FSWritableFile>* /*result*/,
                              IODebugContext* /*debug*/) override {
    return IOStatus::NotSupported("nothing of ours is appended to");
  }
  IOStatus ReuseWritableFile(const std::string& /*name*/, const std::string& /*old*/,
                             const rocksdb::FileOptions& /*options*/,
                             std::unique_ptr<rocksdb::FSWritableFile>* /*result*/,
                             IODebugContext* /*debug*/) override {
    return IOStatus::NotSupported("no log of ours is used again");
  }
  IOStatus NewDirectory(const std::string& name, const IOOptions& options,
                        std::unique_ptr<rocksdb::FSDirectory>* result,
                        IODebugContext* debug) override {
    const IOStatus made = FileSystemWrapper::NewDirectory(name, options, result, debug);
    std::string path = normal(name);
    if (path.ends_with('/')) path.pop_back();
    if (made.ok()) *result = std::make_unique<Directory>(std::move(*result), disk_, path);
    return made;
  }
  IOStatus DeleteFile(const std::string& name, const IOOptions& /*options*/,
                      IODebugContext* /*debug*/) override {
    return to_status(disk_.remove(normal(name)));
  }
  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions& /*options*/,
                      IODebugContext* /*debug*/) override {
    return to_status(disk_.rename(normal(from), normal(to)));
  }
  IOStatus LinkFile(const std::string& from, const std::string& to, const IOOptions& /*options*/,
                    IODebugContext* /*debug*/) override {
    return to_status(disk_.link(normal(from), normal(to)));
  }

 private:
  SimDisk& disk_;
};

// RocksDB's background work sleeps for a second when it has failed, and then asks for more of it.
thread_local bool work_has_slept = false;

class ShortSleeps final : public rocksdb::SystemClockWrapper {
 public:
  ShortSleeps() : SystemClockWrapper(rocksdb::SystemClock::Default()) {}
  [[nodiscard]] const char* Name() const override { return "TenantryShortSleeps"; }
  void SleepForMicroseconds(int micros) override {
    constexpr int kShort = 100;
    if (micros > kShort) work_has_slept = true;
    SystemClockWrapper::SleepForMicroseconds(std::min(micros, kShort));
  }
};

class Env final : public SimEnv {
 public:
  explicit Env(SimDisk& disk) : SimEnv(rocksdb::Env::Default()) {
    file_system_ = std::make_shared<Files>(disk);
    system_clock_ = std::make_shared<ShortSleeps>();
    thread_ = std::jthread([this](const std::stop_token& stop) { work(stop); });
  }

  [[nodiscard]] const char* Name() const override { return "TenantrySimEnv"; }

  void Schedule(void (*function)(void*), void* argument, Priority priority, void* tag,
                void (*unscheduled)(void*)) override {
    const std::lock_guard lock(mutex_);
    jobs_.push_back({function, argument, priority, tag, unscheduled, work_has_slept});
    changed_.notify_all();
  }
  int UnSchedule(void* tag, Priority priority) override {
    std::vector<Job> dropped;
    {
      const std::lock_guard lock(mutex_);
      const auto is_other = [&](const Job& job) {
        return job.tag != tag || job.priority != priority;
      };
      const auto at = std::stable_partition(jobs_.begin(), jobs_.end(), is_other);
      dropped.assign(at, jobs_.end());
      jobs_.erase(at, jobs_.end());
      changed_.notify_all();
    }
    for (const Job& job : dropped) {
      if (job.unscheduled != nullptr) job.unscheduled(job.argument);
    }
    return static_cast<int>(dropped.size());
  }
  [[nodiscard]] unsigned int GetThreadPoolQueueLen(Priority priority) const override {
    const std::lock_guard lock(mutex_);
    return static_cast<unsigned int>(std::count_if(
        jobs_.begin(), jobs_.end(), [&](const Job& job) { return job.priority == priority; }));
  }

  void settle() override {
    std::unique_lock lock(mutex_);
    const auto is_quiet = [this] { return next_job() == jobs_.end() && !working_; };
    changed_.wait(lock, is_quiet);
    for (Job& job : jobs_) job.waits = false;
    changed_.notify_all();
    changed_.wait(lock, is_quiet);
  }

 private:
  struct Job {
    void (*function)(void*);
    void* argument;
    Priority priority;
    void* tag;
    void (*unscheduled)(void*);
    // Asked for by work that had failed: it may fail for ever, so the next settle() lets it go on.
    bool waits;
  };

  std::deque<Job>::iterator next_job() {
    return std::find_if(jobs_.begin(), jobs_.end(), [](const Job& job) { return !job.waits; });
  }

  void work(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (changed_.wait(lock, stop, [this] { return next_job() != jobs_.end(); })) {
      const auto at = next_job();
      const Job job = *at;
      jobs_.erase(at);
      working_ = true;
      work_has_slept = false;
      lock.unlock();
      job.function(job.argument);
      lock.lock();
      working_ = false;
      changed_.notify_all();
    }
  }

  mutable std::mutex mutex_;  // Guards the next two.
  std::deque<Job> jobs_;
  bool working_ = false;
  std::condition_variable_any changed_;
  std::jthread thread_;  // Last: it uses everything above.
};

// Letting go of what a reader saw may start a compaction.
class SettlingView final : public StorageReader {
 public:
  SettlingView(SimEnv& env, std::unique_ptr<StorageReader> view)
      : env_(env), view_(std::move(view)) {}
  SettlingView(const SettlingView&) = delete;
  SettlingView& operator=(const SettlingView&) = delete;
  ~SettlingView() override {
    view_.reset();
    env_.settle();
  }
  [[nodiscard]] std::optional<std::string> get(Family family, std::string_view key) const override {
    return view_->get(family, key);
  }
  [[nodiscard]] std::unique_ptr<Cursor> cursor(Family family, std::string lower, std::string upper,
                                               bool scan) const override {
    return view_->cursor(family, std::move(lower), std::move(upper), scan);
  }

 private:
  SimEnv& env_;
  std::unique_ptr<StorageReader> view_;
};

class SettlingStorage final : public Storage {
 public:
  SettlingStorage(SimEnv& env, std::unique_ptr<Storage> storage)
      : env_(env), storage_(std::move(storage)) {}
  SettlingStorage(const SettlingStorage&) = delete;
  SettlingStorage& operator=(const SettlingStorage&) = delete;
  ~SettlingStorage() override {
    storage_.reset();
    env_.settle();
  }

  [[nodiscard]] std::optional<std::string> get(Family family, std::string_view key) const override {
    return storage_->get(family, key);
  }
  [[nodiscard]] std::unique_ptr<Cursor> cursor(Family family, std::string lower, std::string upper,
                                               bool scan) const override {
    return storage_->cursor(family, std::move(lower), std::move(upper), scan);
  }
  [[nodiscard]] std::unique_ptr<StorageReader> read_view() const override {
    return std::make_unique<SettlingView>(env_, storage_->read_view());
  }
  [[nodiscard]] WriteResult write(const ChangeSet& changes, bool sync) override {
    const WriteResult result = storage_->write(changes, sync);
    env_.settle();
    return result;
  }
  void flush() override {
    settled([&] { storage_->flush(); });
  }
  void drop_files(const std::vector<KeyRange>& ranges) override {
    settled([&] { storage_->drop_files(ranges); });
  }
  void remove_ranges(const std::vector<KeyRange>& ranges) override {
    settled([&] { storage_->remove_ranges(ranges); });
  }
  void compact(const KeyRange& range) override {
    settled([&] { storage_->compact(range); });
  }
  [[nodiscard]] std::uint64_t size_of(const KeyRange& range) const override {
    return storage_->size_of(range);
  }
  void copy_to(const std::filesystem::path& directory) override {
    // What a flush leaves to the background would be done beside the copying.
    flush();
    storage_->copy_to(directory);
    env_.settle();
  }
  [[nodiscard]] std::string last_error() const override { return storage_->last_error(); }
  [[nodiscard]] std::vector<FileDamage> damaged_files(const ReadProgress& progress) const override {
    return storage_->damaged_files(progress);
  }
  [[nodiscard]] std::uint64_t size_bytes() const override { return storage_->size_bytes(); }
  [[nodiscard]] std::size_t log_files() const override { return storage_->log_files(); }

 private:
  // What it leaves to the background is done before anything else is.
  template <class Act>
  void settled(Act&& act) {
    try {
      act();
    } catch (...) {
      env_.settle();
      throw;
    }
    env_.settle();
  }

  SimEnv& env_;
  std::unique_ptr<Storage> storage_;
};

}  // namespace

std::unique_ptr<SimEnv> make_sim_env(SimDisk& disk) { return std::make_unique<Env>(disk); }

std::unique_ptr<Storage> open_sim_storage(SimEnv& env, const RocksOptions& options) {
  auto storage = open_rocks_storage_on(env, options);
  env.settle();
  return std::make_unique<SettlingStorage>(env, std::move(storage));
}

}  // namespace tenantry::sim
