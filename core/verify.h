#pragma once

#include <filesystem>
#include <vector>

#include "core/head.h"
#include "core/log_history.h"
#include "core/storage.h"
#include "core/tenancy_store.h"

namespace tenantry {

// What is verified, and where a scratch fold may lie.
struct VerifyInput {
  const Storage& storage;     // Its files.
  const StorageReader& view;  // What is in it at one moment: others may write meanwhile.
  const StoreInfo& info;
  const Head& head;  // Of the same moment, as is the next.
  const LogHistory& history;
  std::filesystem::path scratch;
};

// Every check of a store (LOG_FORMAT.md, invariants). Quick: the log itself. Full: also every
// file's checksums, every index, claim, lookup and answer against the log, and the state against a
// fold of all events.
[[nodiscard]] std::vector<CheckResult> verify_store(const VerifyInput& input, VerifyDepth depth,
                                                    const Progress& progress);

}  // namespace tenantry
