#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "core/batch.h"
#include "core/clock.h"
#include "core/commit_log.h"
#include "core/disk.h"
#include "core/state.h"
#include "core/store_files.h"
#include "events/encoding.h"

namespace tenantry {

// A store that nobody else can open, written to without commands: by an import, by a restore.
// Threads: one. Lifetime: borrows `clock` while it is made. Errors: those of open_store_files(),
// UnavailableError when it cannot be written.
class EventAppender {
 public:
  // All events get the time at which this was made, or the log's last one, if that is later.
  EventAppender(const std::filesystem::path& directory, const std::string& actor,
                const Clock& clock, const Disk& disk);

  // The log goes on in a new life of the store. Before the first event.
  void begin_incarnation();
  // Makes the log's next event.
  void add(const events::EncodedEvent& event);
  // Durable in files, and closed in good order. Once, and last.
  void finish();

  // Of what was added so far.
  [[nodiscard]] const State& state() const { return state_; }
  [[nodiscard]] const StoreInfo& info() const { return opened_.info; }
  [[nodiscard]] const Head& head() const { return batch_ ? batch_->head() : head_; }

 private:
  void write();

  OpenedStore opened_;
  std::unique_ptr<CommitLog> log_;
  std::uint64_t term_;
  Head head_;
  events::Timestamp recorded_at_;
  std::uint16_t flags_;
  events::Uuid actor_;
  State state_;
  std::optional<BatchWriter> batch_;
};

}  // namespace tenantry
