#pragma once

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>

#include <rocksdb/env.h>
#include <rocksdb/listener.h>

#include "core/file_ops.h"

// What RocksDB says about itself. Internal to core/rocks_*.cc and their tests.
namespace tenantry {

// RocksDB's own logger asserts when its append fails, which on a full disk aborts the process. This
// one never fails: it writes warnings and errors to a file of bounded size, then drops lines and
// counts them; the count is its last line. The file of the run before is kept as `<path>.old`.
class BoundedInfoLog final : public rocksdb::Logger {
 public:
  static constexpr const char* kFileName = "LOG.tenantry";
  static constexpr std::uint64_t kDefaultBytesMax = std::uint64_t{1} << 20;

  explicit BoundedInfoLog(const std::filesystem::path& path,
                          std::uint64_t bytes_max = kDefaultBytesMax);
  // Drops everything: for databases that must not be changed.
  BoundedInfoLog();
  BoundedInfoLog(const BoundedInfoLog&) = delete;
  BoundedInfoLog& operator=(const BoundedInfoLog&) = delete;
  ~BoundedInfoLog() override;

  using rocksdb::Logger::Logv;
  void Logv(const char* format, va_list arguments) override;
  // The dump of all options at every open: they are in the OPTIONS file.
  void LogHeader(const char* format, va_list arguments) override;

  [[nodiscard]] std::uint64_t dropped() const;

 private:
  bool append(const std::string& line, std::uint64_t bytes_max);

  const std::uint64_t bytes_max_;
  mutable std::mutex mutex_;
  FileDescriptor file_;  // Guarded by mutex_, as all below.
  std::uint64_t bytes_ = 0;
  std::uint64_t dropped_ = 0;
};

// Remembers the first error of a flush or compaction, and forbids RocksDB to recover by itself: it
// might write once more what was reported as failed.
class BackgroundErrors final : public rocksdb::EventListener {
 public:
  void OnBackgroundError(rocksdb::BackgroundErrorReason reason, rocksdb::Status* error) override;
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason reason, rocksdb::Status error,
                            bool* auto_recovery) override;

  // Empty if there was none.
  [[nodiscard]] std::string first() const;

 private:
  mutable std::mutex mutex_;
  std::string first_;  // Guarded by mutex_.
};

}  // namespace tenantry
