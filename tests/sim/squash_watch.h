#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/storage.h"
#include "core/tenancy_store.h"

namespace tenantry::sim {

// What squashes of one store may come to: each is done wholly or not at all, and leaves no file
// that nothing refers to. Every check gives what is wrong, in words; nothing if all is well.
class SquashWatch {
 public:
  // What the next one would do, and what it has done: from then on it must be so.
  void begun(const SquashReport& plan);
  void done(const SquashReport& report);
  [[nodiscard]] bool any() const { return any_; }
  // Whether one was begun of which nobody knows whether it is done.
  [[nodiscard]] bool in_doubt() const { return possible_.size() > 1; }

  // Of a store that has just been opened, or squashed, on a disk that works. Its own archive, and
  // the directory that others may have been put into.
  [[nodiscard]] std::vector<std::string> check(const TenancyStore& store,
                                               const StorageReader& storage,
                                               const std::filesystem::path& archive,
                                               const std::filesystem::path& elsewhere);

 private:
  using Bases = std::map<events::Scope, Position>;

  std::vector<Bases> possible_{Bases{}};
  bool any_ = false;
};

// Whether every stream and tenant of the log is found, both ways, as in the whole of it.
[[nodiscard]] std::vector<std::string> compare_filters(const TenancyStore& store);

}  // namespace tenantry::sim
