#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/disk.h"
#include "core/head.h"
#include "core/tenancy_store.h"
#include "core/write_ahead_log.h"

// Repair of a database whose last writes, to its write-ahead log and its manifest, were left
// garbled by a crash, without ever changing the damaged database: a copy is made sound and takes
// its place, the original is kept.
namespace tenantry {

// Where the directories lie.
struct RepairPlaces {
  std::filesystem::path database;
  std::filesystem::path probe;       // The copy, until it is the database.
  std::filesystem::path quarantine;  // Afterwards <n>/ under it is the n-th damaged original.
};

// What a crash left half done. One of them at least.
struct TailDamage {
  std::optional<LogFileEnd> log;
  std::optional<LogFileEnd> manifest;

  [[nodiscard]] bool any() const { return log || manifest; }
  // For people: "bytes 4096 to 5000 of …/000007.log".
  [[nodiscard]] std::string places() const;
};

struct TailRepair {
  RepairPlaces places;
  RocksOptions rocks;  // Of the damaged database.
  TailDamage damage;
  Head head;  // The end of the log that was found up to the damage, and checked.
  events::Timestamp now;
};

// What is done when a step is; for tests, which stop there.
enum class RepairStep { kCopied, kCutOff, kRecorded, kChecked, kMarked, kExchanged };
using RepairObserver = std::function<void(RepairStep)>;

// Puts a sound copy in the place of the database. A crash, at any moment, leaves the damaged
// database in place, or the sound one. Throws UnavailableError when files cannot be written,
// CorruptionError when the copy does not come out as `head` says; the database is untouched then.
void repair_tail(const TailRepair& repair, const Disk& disk, const RepairObserver& done = {});

// Finishes what a crash left of a repair, or forgets it. Before a store is opened for writing.
void finish_repair(const RepairPlaces& places);

// The repairs that a database went through, oldest first.
[[nodiscard]] std::vector<StoreRepair> read_repairs(const StorageReader& storage);

}  // namespace tenantry
