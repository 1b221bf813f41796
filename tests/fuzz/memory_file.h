#pragma once

#include <filesystem>
#include <string_view>

#include <fcntl.h>
#include <unistd.h>

#include "core/file_ops.h"
#include "tests/fuzz/targets.h"
#include "tests/support/temp_directory.h"

namespace tenantry::fuzz {

// A file that is in memory where the system has a place for such files.
class MemoryFile {
 public:
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] const std::filesystem::path& holding(std::string_view bytes) const {
    require(::ftruncate(file_.get(), 0) == 0 && write_fully(file_.get(), bytes, 0) == 0,
            "a file in memory can be written");
    return path_;
  }

 private:
  TempDirectory directory_;
  std::filesystem::path path_ = directory_ / "file";
  FileDescriptor file_ = open_file(path_, O_RDWR | O_CREAT);
};

}  // namespace tenantry::fuzz
