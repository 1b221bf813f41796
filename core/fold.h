#pragma once

#include <filesystem>
#include <functional>
#include <memory>

#include "core/log_reader.h"
#include "core/state.h"
#include "core/storage.h"

namespace tenantry {

// The state as the events make it, computed anew in a scratch storage: in memory for a short log,
// in a throw-away database under `directory` (see make_scratch_directory()) for a long one, so that
// memory stays flat. Threads: one.
class Fold {
 public:
  Fold(const std::filesystem::path& directory, std::uint64_t events);
  Fold(const Fold&) = delete;
  Fold& operator=(const Fold&) = delete;
  ~Fold();

  // Applies the next event; its version must be the one that it has in its stream. Throws
  // CorruptionError.
  void apply(const StoredEvent& event);
  // After the last event: what is pending goes to the storage.
  void finish();

  [[nodiscard]] const StateView& state() const { return *state_; }
  [[nodiscard]] const Storage& storage() const { return *storage_; }
  [[nodiscard]] const Counters& counters() const { return counters_; }

 private:
  std::filesystem::path directory_;  // Empty when in memory.
  std::unique_ptr<Storage> storage_;
  std::unique_ptr<State> state_;
  Counters counters_;
};

}  // namespace tenantry
