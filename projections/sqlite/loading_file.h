#pragma once

#include <filesystem>

#include "core/file_ops.h"

namespace tenantry::projections::sqlite {

// A database file under another name beside the place where it will stand. Removed unless
// published; what a crash leaves behind is removed by the next one.
class LoadingFile {
 public:
  explicit LoadingFile(std::filesystem::path target);
  LoadingFile(const LoadingFile&) = delete;
  LoadingFile& operator=(const LoadingFile&) = delete;
  ~LoadingFile();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  // Puts the file in its place, durably, if nothing stands there; false if something does. Its
  // content has been synced and no connection has it open.
  [[nodiscard]] bool publish();

 private:
  std::filesystem::path target_;
  std::filesystem::path path_;
  FileDescriptor lock_;  // Held while the file is in use, so that nobody takes it for a left-over.
};

}  // namespace tenantry::projections::sqlite
