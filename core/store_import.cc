#include "core/store_import.h"

#include <utility>

#include <fmt/format.h>

#include "core/error.h"
#include "core/event_appender.h"
#include "core/store.h"
#include "core/store_files.h"
#include "events/imports.h"

namespace tenantry {
namespace {

namespace fs = std::filesystem;

}  // namespace

// Where the store is to lie: nothing, or a store without events, held so that it stays without.
class StoreImport::Target {
 public:
  Target(const fs::path& named, const Clock& clock, IdSource& ids, const Disk& disk)
      : held_(hold(store_directory(named), clock, disk)),
        made_(store_directory(named), clock, ids, disk) {}

  [[nodiscard]] const fs::path& path() const { return made_.path(); }
  void put_in_place() {
    if (held_) {
      made_.replace_empty_store();
    } else {
      made_.put_in_place();
    }
  }

 private:
  static std::unique_ptr<StoreLock> hold(const fs::path& directory, const Clock& clock,
                                         const Disk& disk) {
    if (would_make_store(directory)) return nullptr;
    OpenedStore opened = open_store_files({directory, /*read_only=*/true, {}, disk, {}}, clock);
    if (opened.head.tail.value != 0) {
      throw UsageError(
          "store_has_events",
          fmt::format("the store {} has {} events", directory.string(), opened.head.tail.value),
          "an import makes the beginning of a history: name a new store", 4);
    }
    return std::move(opened.lock);
  }

  std::unique_ptr<StoreLock> held_;
  UnfinishedStore made_;
};

StoreImport::StoreImport(const fs::path& directory, events::Circumstances circumstances,
                         const Clock& clock, IdSource& ids, const Disk& disk)
    : clock_(clock),
      ids_(ids),
      disk_(disk),
      circumstances_(std::move(circumstances)),
      target_(std::make_unique<Target>(directory, clock, ids, disk)),
      building_(
          std::make_unique<EventAppender>(target_->path(), circumstances_.actor, clock, disk)) {}

StoreImport::~StoreImport() = default;

const StateView& StoreImport::state() const {
  TENANTRY_ASSERT(building_ != nullptr);
  return building_->state();
}

void StoreImport::add(const events::TableInfo& table, const events::RowValues& row) {
  TENANTRY_ASSERT(building_ != nullptr);
  const events::EncodedEvent event = events::imported_row(table, row, circumstances_);
  if (event.size() > events::kPayloadBytesMax) {
    throw UsageError("too_large", fmt::format("a row takes {} bytes, the log takes {} for one",
                                              event.size(), events::kPayloadBytesMax));
  }
  building_->add(event);
}

void StoreImport::reserve_ids(const events::TableInfo& table, std::int64_t largest) {
  TENANTRY_ASSERT(building_ != nullptr);
  if (largest <= building_->state().largest_id(table)) return;
  building_->add(events::reserved_ids(table, largest, circumstances_));
}

std::unique_ptr<TenancyStore> StoreImport::open() {
  if (building_) building_->finish();
  building_.reset();
  StoreOptions options;
  options.directory = target_->path();
  options.read_only = true;
  options.disk = disk_;
  return open_store(options, clock_, ids_);
}

void StoreImport::publish() {
  if (building_) building_->finish();
  building_.reset();
  target_->put_in_place();
}

}  // namespace tenantry
