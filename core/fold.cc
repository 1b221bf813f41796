#include "core/fold.h"

#include <chrono>
#include <system_error>
#include <thread>

#include <fmt/format.h>

#include "core/error.h"
#include "core/file_ops.h"

namespace tenantry {
namespace {

constexpr std::uint64_t kEventsInMemory = 50'000;
constexpr std::size_t kPendingMax = 20'000;
// Beside the store's own: what is kept of the state makes up for a small cache.
constexpr DatabaseMemory kScratchMemory{.write_buffer_bytes = std::size_t{8} << 20,
                                        .block_cache_bytes = std::size_t{8} << 20};

void write(Storage& storage, const ChangeSet& changes) {
  using namespace std::chrono_literals;
  // A stall ends by itself: flushing a scratch database needs nothing but time.
  for (int attempt = 0; attempt < 2000; ++attempt) {
    switch (storage.write(changes, /*sync=*/false)) {
      case WriteResult::kDone:
        return;
      case WriteResult::kStalled:
        std::this_thread::sleep_for(5ms);
        break;
      case WriteResult::kUnknown:
        throw UnavailableError("cannot write a scratch database: " + storage.last_error(),
                               "free some space");
    }
  }
  throw UnavailableError("a scratch database takes no more writes", "try again");
}

}  // namespace

Fold::Fold(const std::filesystem::path& directory, std::uint64_t events) {
  if (events <= kEventsInMemory) {
    storage_ = make_memory_storage();
  } else {
    directory_ = make_scratch_directory(directory);
    RocksOptions options;
    options.directory = directory_;
    options.create = true;
    options.scratch = true;
    options.memory = kScratchMemory;
    storage_ = open_rocks_storage(options);
  }
  state_ = std::make_unique<State>(*storage_, State::Reads::kKeep);
}

Fold::~Fold() {
  state_.reset();
  storage_.reset();
  std::error_code ignored;
  if (!directory_.empty()) std::filesystem::remove_all(directory_, ignored);
}

void Fold::apply(const StoredEvent& event) {
  const auto view = events::EventView::over(event.payload);
  const Version version = state_->apply(view, event.recorded_at, event.position);
  if (version != event.version) {
    throw CorruptionError(
        fmt::format("event {} says that it is version {} of its stream; it is version {}",
                    event.position.value, event.version.value, version.value));
  }
  if (state_->pending() >= kPendingMax) finish();
}

void Fold::finish() {
  ChangeSet changes;
  state_->take_changes(changes, counters_);
  write(*storage_, changes);
}

}  // namespace tenantry
