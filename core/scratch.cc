#include "core/scratch.h"

#include <chrono>
#include <system_error>
#include <thread>

#include "core/error.h"
#include "core/file_ops.h"

namespace tenantry {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kEventsInMemory = 50'000;
// Beside the store's own.
constexpr DatabaseMemory kScratchMemory{.write_buffer_bytes = std::size_t{16} << 20,
                                        .block_cache_bytes = std::size_t{8} << 20};

}  // namespace

Scratch::Scratch(const std::filesystem::path& directory, std::uint64_t events) {
  if (events <= kEventsInMemory) {
    storage_ = make_memory_storage();
    return;
  }
  directory_ = make_scratch_directory(directory);
  RocksOptions options;
  options.directory = directory_;
  options.create = true;
  options.scratch = true;
  options.memory = kScratchMemory;
  storage_ = open_rocks_storage(options);
}

Scratch::~Scratch() {
  storage_.reset();
  std::error_code ignored;
  if (!directory_.empty()) std::filesystem::remove_all(directory_, ignored);
}

void Scratch::write(const ChangeSet& changes) {
  // A stall ends by itself: flushing a scratch database needs nothing but time.
  for (int attempt = 0; attempt < 2000; ++attempt) {
    switch (storage_->write(changes, /*sync=*/false)) {
      case WriteResult::kDone:
        return;
      case WriteResult::kStalled:
        std::this_thread::sleep_for(5ms);
        break;
      case WriteResult::kUnknown:
        throw UnavailableError("cannot write a scratch database: " + storage_->last_error(),
                               "free some space");
    }
  }
  throw UnavailableError("a scratch database takes no more writes", "try again");
}

}  // namespace tenantry
