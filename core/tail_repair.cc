#include "core/tail_repair.h"

#include <system_error>

#include <capnp/message.h>
#include <fmt/format.h>
#include <kj/exception.h>

#include "core/error.h"
#include "core/format.capnp.h"
#include "core/keys.h"
#include "core/version.h"
#include "events/encoding.h"

namespace tenantry {
namespace {

namespace fs = std::filesystem;

constexpr const char* kRepairPrefix = "repair/";
// Its presence in a database says: this one is sound and took, or takes, the place of another.
constexpr const char* kMark = "REPAIRED";

fs::path mark_of(const fs::path& database) { return database / kMark; }

// Files that RocksDB never changes get a second name, all others are copied: what happens to the
// copy must not reach the original.
void copy_database(const fs::path& from, const fs::path& to) {
  make_private_directory(to);
  for (const auto& entry : fs::directory_iterator(from)) {
    const fs::path name = entry.path().filename();
    const bool of_this_machine = name == "LOCK" || name.string().starts_with("LOG");
    if (of_this_machine || !entry.is_regular_file()) continue;
    if (name.extension() == ".sst") {
      link_file(entry.path(), to / name);
    } else {
      copy_file_durably(entry.path(), to / name);
    }
  }
  fsync_directory(to);
}

void check_head(const Storage& storage, const Head& expected, const fs::path& where) {
  if (storage.get(Family::kMeta, "head") == encode_head(expected)) return;
  throw CorruptionError(where.string() + " does not end where the log does up to its damage");
}

std::string encode_repair(const TailRepair& repair, const LogFileEnd& damage) {
  capnp::MallocMessageBuilder message;
  auto root = message.initRoot<format::Repair>();
  root.setRepairedAt(repair.now.micros);
  root.setTail(repair.head.tail.value);
  root.setBatchSeq(repair.head.batch_seq);
  root.setFile(damage.path.filename().string());
  root.setCutAt(damage.whole_bytes);
  root.setCutBytes(damage.bytes - damage.whole_bytes);
  root.setMadeBy(kSoftwareVersion);
  return events::encode_canonical(root.asReader());
}

StoreRepair decode_repair(std::string_view bytes) {
  try {
    events::MessageView view(bytes);
    const auto root = view.root<format::Repair>();
    return {{root.getRepairedAt()},
            {root.getTail()},
            root.getFile().cStr(),
            root.getCutAt(),
            root.getCutBytes()};
  } catch (const events::MalformedError& error) {
    throw CorruptionError(std::string("the record of a repair: ") + error.what());
  } catch (const kj::Exception& error) {
    throw CorruptionError(std::string("the record of a repair: ") + error.getDescription().cStr());
  }
}

void record_repair(Storage& storage, const TailRepair& repair) {
  std::size_t number = read_repairs(storage).size();
  ChangeSet changes;
  for (const auto& damage : {repair.damage.manifest, repair.damage.log}) {
    if (!damage) continue;
    changes.put(Family::kMeta, fmt::format("{}{:016x}", kRepairPrefix, ++number),
                encode_repair(repair, *damage));
  }
  if (storage.write(changes, /*sync=*/true) != WriteResult::kDone) {
    throw UnavailableError("cannot record the repair: " + storage.last_error());
  }
}

// A place for one more damaged original.
fs::path next_quarantine(const fs::path& quarantine) {
  make_private_directory(quarantine);
  for (std::size_t number = 1;; ++number) {
    fs::path place = quarantine / std::to_string(number);
    if (!fs::exists(place)) return place;
  }
}

}  // namespace

std::string TailDamage::places() const {
  std::string text = manifest ? damaged_place(*manifest) : "";
  if (log) text += (text.empty() ? "" : " and ") + damaged_place(*log);
  return text;
}

void repair_tail(const TailRepair& repair, const Disk& disk, const RepairObserver& done) {
  const auto report = [&](RepairStep step) {
    if (done) done(step);
  };
  const RepairPlaces& places = repair.places;
  // 1. A copy, of which nothing is used before the last step.
  copy_database(places.database, places.probe);
  if (const auto& manifest = repair.damage.manifest) {
    write_file_durably(places.probe / manifest->path.filename(),
                       read_file(manifest->path).value_or("").substr(0, manifest->whole_bytes));
  }
  report(RepairStep::kCopied);
  RocksOptions rocks = repair.rocks;
  rocks.directory = places.probe;
  rocks.read_only = false;
  rocks.manifest_bytes.reset();
  rocks.to_first_damage = repair.damage.log.has_value();
  {
    // 2. Opening it for writing cuts off what is garbled.
    const auto storage = disk.open_storage(rocks);
    check_head(*storage, repair.head, places.probe);
    report(RepairStep::kCutOff);
    // 3. The record that says so for as long as the store lives.
    record_repair(*storage, repair);
  }
  report(RepairStep::kRecorded);
  // 4. It opens as strictly as any store.
  rocks.to_first_damage = false;
  rocks.read_only = true;
  check_head(*disk.open_storage(rocks), repair.head, places.probe);
  report(RepairStep::kChecked);
  // 5. The mark moves with the copy: whoever finds it in the database knows that the step after
  //    this one was done.
  write_file_durably(mark_of(places.probe), "the database before this one is under quarantine/\n");
  report(RepairStep::kMarked);
  // 6. In one step.
  exchange_durably(places.database, places.probe);
  report(RepairStep::kExchanged);
  // 7. The original is put away.
  finish_repair(places);
}

void finish_repair(const RepairPlaces& places) {
  std::error_code ignored;
  const bool exchanged = fs::exists(mark_of(places.database), ignored);
  if (fs::exists(places.probe, ignored)) {
    if (exchanged) {
      rename_durably(places.probe, next_quarantine(places.quarantine));
      fsync_directory(places.probe.parent_path());
    } else {
      std::error_code error;
      fs::remove_all(places.probe, error);
      if (error) throw_file_error("remove", places.probe, error.value());
    }
  }
  if (exchanged) remove_durably(mark_of(places.database));
}

std::vector<StoreRepair> read_repairs(const StorageReader& storage) {
  std::vector<StoreRepair> repairs;
  const auto cursor =
      storage.cursor(Family::kMeta, kRepairPrefix, keys::after_prefix(kRepairPrefix), false);
  for (cursor->seek_first(); cursor->valid(); cursor->next()) {
    repairs.push_back(decode_repair(cursor->value()));
  }
  return repairs;
}

}  // namespace tenantry
