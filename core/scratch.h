#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "core/storage.h"

namespace tenantry {

// A storage for what is computed aside and thrown away: in memory for what a short log makes, in a
// database under `directory` (see make_scratch_directory()) for a long one, so that memory stays
// flat. Nothing in it is durable. Threads: one.
class Scratch {
 public:
  Scratch(const std::filesystem::path& directory, std::uint64_t events);
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch();

  // Throws UnavailableError when there is no space.
  void write(const ChangeSet& changes);
  // Before it is read at length. Throws like write().
  void flush() { storage_->flush(); }
  [[nodiscard]] const Storage& storage() const { return *storage_; }

 private:
  std::filesystem::path directory_;  // Empty when in memory.
  std::unique_ptr<Storage> storage_;
};

}  // namespace tenantry
