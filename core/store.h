#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "core/clock.h"
#include "core/database_memory.h"
#include "core/disk.h"
#include "core/tenancy_store.h"
#include "events/tables.h"

namespace tenantry {

struct StoreOptions {
  std::filesystem::path directory;
  bool read_only = false;  // Commands are refused, and no file of the store is changed.
  DatabaseMemory memory{};
  std::size_t group_commands_max = 1024;  // Commands that share one sync.
  // Called again and again while another process owns the store; waits a little, and returns
  // whether to try again. Empty: who finds an owner gives up.
  std::function<bool()> wait_for_owner{};
  // Told, in a sentence, what nobody is answered with: what an opening had to mend or leave out,
  // what went wrong at closing. Empty: nobody.
  std::function<void(const std::string&)> warn{};
  Disk disk{};
  // Of what readers of the log are filled with; tests say another.
  std::uint32_t schema_version = events::kSchemaVersion;
};

// Makes an empty store in a directory that does not exist or is empty. False when there is a store
// already, which is left as it is. Throws UsageError for a directory that holds something else.
bool init_store(const std::filesystem::path& directory, const Clock& clock, IdSource& ids,
                const Disk& disk = {});

// The last position that was answered, as far as it is noted where no lock guards it: at most 100
// ms old while an owner lives, older only if the last one was killed. For waiting until a store
// grows. Throws UsageError when there is no store.
[[nodiscard]] Position noted_tail(const std::filesystem::path& directory);

// Opens the store, which this process owns until the result is destroyed: see open_store_files()
// for what is checked and thrown. Opening writes no event. Borrows `clock` and `ids`.
[[nodiscard]] std::unique_ptr<TenancyStore> open_store(const StoreOptions& options,
                                                       const Clock& clock, IdSource& ids);

}  // namespace tenantry
