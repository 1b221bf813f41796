#pragma once

#include <atomic>
#include <memory>
#include <string>

#include <rocksdb/file_system.h>

namespace tenantry {

// A file system whose n-th read of a file fails once, as from a disk with a bad sector or a cable
// that is loose. Changes are not touched.
class FaultyReads final : public rocksdb::FileSystemWrapper {
 public:
  explicit FaultyReads(long failing)
      : FileSystemWrapper(rocksdb::FileSystem::Default()), failing_(failing) {}

  [[nodiscard]] const char* Name() const override { return "FaultyReads"; }

  // Whether the read was reached that fails.
  [[nodiscard]] bool met_fault() const { return reads_ >= failing_; }
  // Called by every read, before it.
  [[nodiscard]] rocksdb::IOStatus read();

  rocksdb::IOStatus NewSequentialFile(const std::string& name, const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSSequentialFile>* result,
                                      rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewRandomAccessFile(const std::string& name,
                                        const rocksdb::FileOptions& options,
                                        std::unique_ptr<rocksdb::FSRandomAccessFile>* result,
                                        rocksdb::IODebugContext* debug) override;

 private:
  const long failing_;
  std::atomic<long> reads_ = 0;
};

}  // namespace tenantry
