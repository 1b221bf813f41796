#pragma once

#include <atomic>
#include <memory>
#include <string>

#include <rocksdb/file_system.h>

namespace tenantry {

// A file system whose n-th change fails, or all from the n-th on: making, writing, syncing,
// cutting, closing, renaming, linking or removing a file, and syncing a directory. Nothing is
// really synced: what a killed process leaves is all that tests of it look at.
class FaultyFiles final : public rocksdb::FileSystemWrapper {
 public:
  enum class Repeat { kOnce, kFromThenOn };

  FaultyFiles(long failing, Repeat repeat)
      : FileSystemWrapper(rocksdb::FileSystem::Default()), failing_(failing), repeat_(repeat) {}

  [[nodiscard]] const char* Name() const override { return "FaultyFiles"; }

  // Whether the change was reached that fails.
  [[nodiscard]] bool met_fault() const { return changes_ >= failing_; }
  // Called by every change, before it.
  [[nodiscard]] rocksdb::IOStatus change();

  rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* result,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewDirectory(const std::string& name, const rocksdb::IOOptions& options,
                                 std::unique_ptr<rocksdb::FSDirectory>* result,
                                 rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus DeleteFile(const std::string& name, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to,
                               const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus LinkFile(const std::string& from, const std::string& to,
                             const rocksdb::IOOptions& options,
                             rocksdb::IODebugContext* debug) override;

 private:
  const long failing_;
  const Repeat repeat_;
  std::atomic<long> changes_ = 0;
};

}  // namespace tenantry
