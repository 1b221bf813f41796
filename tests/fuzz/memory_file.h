#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include <sys/mman.h>
#include <unistd.h>

#include "core/file_ops.h"
#include "tests/fuzz/targets.h"

namespace tenantry::fuzz {

// A file in memory that has a path.
class MemoryFile {
 public:
  MemoryFile() : file_(::memfd_create("tenantry-fuzz", MFD_CLOEXEC)) {
    require(file_.get() >= 0, "there are files in memory");
  }

  [[nodiscard]] std::filesystem::path path() const {
    return "/proc/self/fd/" + std::to_string(file_.get());
  }
  [[nodiscard]] std::filesystem::path holding(std::string_view bytes) const {
    require(::ftruncate(file_.get(), 0) == 0 && write_fully(file_.get(), bytes, 0) == 0,
            "a file in memory can be written");
    return path();
  }

 private:
  FileDescriptor file_;
};

}  // namespace tenantry::fuzz
