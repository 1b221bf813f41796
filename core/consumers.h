#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/storage.h"
#include "core/tenancy_store.h"

// Readers of the log that are noted in the store.
namespace tenantry {

// By name. Throws CorruptionError for bytes that no version wrote.
[[nodiscard]] std::vector<Consumer> read_consumers(const StorageReader& storage);
[[nodiscard]] std::optional<Consumer> find_consumer(const StorageReader& storage,
                                                    const std::string& name);
// The schema version of what it shows; one that is not noted is taken for the first there was.
[[nodiscard]] std::uint32_t shown_version(const Consumer& consumer);
// Whether what it shows was made with an older schema version than `present`.
[[nodiscard]] bool is_outdated(const Consumer& consumer, std::uint32_t present);
void put_consumer(ChangeSet& changes, const Consumer& consumer);
void remove_consumer(ChangeSet& changes, const std::string& name);
// Those that are rebased.
void forget_rebased(ChangeSet& changes, const std::vector<BehindConsumer>& behind);
// Whether there are any.
[[nodiscard]] bool any_rebased(const std::vector<BehindConsumer>& behind);

// Throws UsageError `not_found` for a name that none has.
void require_consumers(const StorageReader& storage, const std::set<std::string>& names);

}  // namespace tenantry
