#include "core/store_files.h"

#include <algorithm>
#include <vector>

#include <capnp/message.h>
#include <fmt/format.h>
#include <kj/exception.h>

#include "core/commit_log.h"
#include "core/error.h"
#include "core/file_damage.h"
#include "core/file_ops.h"
#include "core/format.capnp.h"
#include "core/keys.h"
#include "core/manifest.h"
#include "core/planted.h"
#include "core/record.h"
#include "core/squash.h"
#include "core/version.h"
#include "events/encoding.h"

namespace tenantry {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kFormatMagic = 0x31594e5445544e54;  // "TNTENTY1"
constexpr const char* kMinRocksdb = "7.8.3";
// Opening re-chains the records at the last positions of the log, as many in all: the work is the
// same however many scopes there are, and about a millisecond.
constexpr std::uint64_t kCheckedPositions = 1024;
constexpr std::int64_t kClockBehindMax = std::int64_t{3600} * 1'000'000;

std::string encode_format(std::uint64_t required_features) {
  capnp::MallocMessageBuilder message;
  auto root = message.initRoot<format::FormatInfo>();
  root.setMagic(kFormatMagic);
  root.setMajor(kFormatMajor);
  root.setMinor(kFormatMinor);
  root.setRequiredFeatures(required_features);
  root.setMinRocksdb(kMinRocksdb);
  return events::encode_canonical(root.asReader());
}

// Returns the required features.
std::uint64_t check_format(const StorePaths& paths) {
  const auto bytes = read_file(paths.format());
  if (!bytes) throw CorruptionError(paths.format().string() + " is missing");
  std::uint16_t major = 0;
  std::uint64_t required = 0;
  try {
    events::MessageView view(*bytes);
    const auto root = view.root<format::FormatInfo>();
    if (root.getMagic() != kFormatMagic)
      throw CorruptionError(paths.format().string() + " is no store's");
    major = root.getMajor();
    required = root.getRequiredFeatures();
  } catch (const events::MalformedError& error) {
    throw CorruptionError(paths.format().string() + ": " + error.what());
  } catch (const kj::Exception& error) {
    throw CorruptionError(paths.format().string() + ": " + error.getDescription().cStr());
  }
  if (major != kFormatMajor || (required & ~kFeaturesKnown) != 0) {
    throw UsageError(
        "store_format",
        fmt::format("{} has format {} (features {:#x}); this tenantry {} reads format {}",
                    paths.directory.string(), major, required, kSoftwareVersion, kFormatMajor),
        major < kFormatMajor ? "let the version that wrote it run `tenantry export --reveal`, and "
                               "apply that to a new store with --historic"
                             : "use the version of tenantry that wrote it, or a newer one");
  }
  return required;
}

std::string require(const StorageReader& storage, const char* key) {
  auto value = storage.get(Family::kMeta, key);
  if (!value) throw CorruptionError(fmt::format("the store's database lacks `{}`", key));
  return std::move(*value);
}

// The last block of a scope must be the one that the head names, and its records after `from`
// chained.
void check_scope_end(const StorageReader& storage, events::Scope scope, const ScopeHead& end,
                     const ScopePoint& base, Position from) {
  const std::string place = fmt::format("scope {}", events::scope_name(scope));
  if (base == ScopePoint{end.last, end.seq, end.chain}) return;  // Nothing is left in the log.
  const std::string lower = keys::block(scope, {base.position.value + 1});
  const auto cursor =
      storage.cursor(Family::kLog, lower, keys::after_prefix(lower.substr(0, 2)), /*scan=*/false);
  cursor->seek_last();
  if (!cursor->valid())
    throw CorruptionError(place + ": the log has no events though the head counts some");
  std::vector<Block> blocks;
  do {
    blocks.emplace_back(cursor->key(), cursor->value());
    cursor->prev();
  } while (blocks.back().header().first > from && cursor->valid());
  const StoredEvent& last = blocks.front().records().back();
  if (last.scope_seq != end.seq || last.position != end.last || last.chain_hash != end.chain) {
    throw CorruptionError(fmt::format(
        "{}: the log ends at event {} of the scope (position {}), the head says {} ({})", place,
        last.scope_seq, last.position.value, end.seq, end.last.value));
  }
  const StoredEvent* previous = nullptr;
  for (auto block = blocks.rbegin(); block != blocks.rend(); ++block) {
    for (std::size_t i = 0; i < block->records().size(); ++i) {
      const StoredEvent& event = block->records()[i];
      const bool chained = previous == nullptr || event.position <= from ||
                           (previous->scope_seq + 1 == event.scope_seq &&
                            chain_hash(previous->chain_hash, block->hashed_header(i),
                                       event.payload) == event.chain_hash);
      if (!chained) {
        throw CorruptionError(
            fmt::format("{}: the chain breaks at position {}", place, event.position.value));
      }
      previous = &event;
    }
  }
}

// The log must reach what was answered to somebody.
void check_acknowledged(const StorePaths& paths, const StoreInfo& info, const Head& head) {
  if (planted(Plant::kIgnoreAck)) return;
  const auto ack = AckFile::read(paths.ack());
  if (!ack) {
    throw CorruptionError(
        paths.ack().string() +
        " is missing: nothing proves that the log still has everything that was answered");
  }
  const auto short_of = [&](const char* why) {
    throw CorruptionError(
        fmt::format("the log ends at position {} (batch {}) but {} was answered up to position {} "
                    "(batch {}): the end of the log is lost; restore a backup or the disk",
                    head.tail.value, head.batch_seq, why, ack->tail, ack->batch_seq));
  };
  if (ack->incarnation != head.incarnation) short_of("another incarnation of this store");
  if (ack->batch_seq > head.batch_seq || ack->tail > head.tail.value) short_of("this store");
  const Hash digest = head_digest(info.id, head);
  const bool same_batch = ack->batch_seq == head.batch_seq;
  if (same_batch && !std::equal(ack->head_digest.begin(), ack->head_digest.end(), digest.begin())) {
    short_of("other content");
  }
  if (ack->closed && !same_batch) short_of("a store that was closed");
}

void check_clock(const Head& head, const Clock& clock) {
  const events::Timestamp now = clock.now();
  if (head.last_recorded.micros - now.micros <= kClockBehindMax) return;
  throw UnavailableError(
      fmt::format("the clock says {}, more than an hour before the log's last event at {}",
                  events::format_timestamp(now), events::format_timestamp(head.last_recorded)),
      "set the clock");
}

RocksOptions rocks_options(const OpenOptions& options, const StorePaths& paths) {
  RocksOptions rocks;
  rocks.directory = paths.database();
  rocks.memory = options.memory;
  return rocks;
}

// Opens for reading and checks everything that is checked before a store is used.
void read_end(OpenedStore& opened, RocksOptions rocks) {
  rocks.read_only = true;
  opened.storage = opened.disk->open_storage(rocks);
  opened.info = decode_store_info(require(*opened.storage, "store"));
  opened.head = decode_head(require(*opened.storage, "head"));
  Catalogue catalogue = read_catalogue(*opened.storage);
  check_log_end(*opened.storage, opened.info, opened.head, catalogue);
  opened.history = std::make_unique<LogHistory>(opened.paths.archive(), std::move(catalogue));
  check_acknowledged(opened.paths, opened.info, opened.head);
}

// The same, but also where the last write was left garbled: its place is the result then. RocksDB
// forgives a last record that is cut short, and a record with a damaged length looks just so: what
// follows it tells the difference.
TailDamage probe(OpenedStore& opened, RocksOptions rocks) {
  const ManifestCheck manifest_check(rocks.directory);
  const LogFilesEnd files = examine_log_files(rocks.directory, manifest_check.oldest_log());
  if (files.last && files.last->goes_on) {
    throw CorruptionError(damaged_place(*files.last) +
                          " hold damage and, after it, later writes: what is damaged was on the "
                          "disk and may have been answered; restore a backup or the disk");
  }
  if (!files.sequence.in_order) {
    throw CorruptionError(fmt::format(
        "{}: a file of the write-ahead log, or a part of one, is older than what lies before it; "
        "restore a backup or the disk",
        files.last->path.string()));
  }
  const std::optional<LogFileEnd> manifest = manifest_check.check(files);
  std::string refusal;
  try {
    read_end(opened, rocks);
    return {};
  } catch (const CorruptionError& error) {
    refusal = error.what();
  }
  TailDamage damage;
  if (manifest && !manifest->goes_on) damage.manifest = manifest;
  if (files.only_last_write_damaged()) damage.log = files.last;
  if (!damage.any()) {
    std::string damaged = places_of_damage([&] { return damaged_files_of(rocks); });
    if (files.older_damaged) {
      damaged = files.older_damage + " are damaged" + (damaged.empty() ? "" : "; " + damaged);
    }
    throw CorruptionError(damaged.empty() ? refusal : refusal + "; " + damaged);
  }
  rocks.to_first_damage = damage.log.has_value();
  if (damage.manifest) rocks.manifest_bytes = damage.manifest->whole_bytes;
  try {
    read_end(opened, rocks);
  } catch (const CorruptionError& error) {
    throw CorruptionError(fmt::format("{}; leaving out the damaged {} does not help: {}", refusal,
                                      damage.places(), error.what()));
  }
  opened.remark = fmt::format(
      "{} were left garbled by a crash and answered to nobody; without "
      "them, the log ends at position {}",
      damage.places(), opened.head.tail.value);
  return damage;
}

void repair(OpenedStore& opened, const RocksOptions& rocks, const TailDamage& damage,
            const Clock& clock) {
  const RepairPlaces places = opened.paths.repair();
  finish_repair(places);  // The first attempt may have failed for lack of space.
  repair_tail({places, rocks, damage, opened.head, clock.now()}, *opened.disk);
  // As strict as ever.
  read_end(opened, rocks);
  opened.storage.reset();
}

// Runs `open`; if the disk is too full for it, once more with the room of the ballast.
template <class Open>
void with_ballast_to_spare(const StorePaths& paths, Open&& open) {
  try {
    open();
  } catch (const UnavailableError& error) {
    if (error.code() != "disk_full" || !Ballast::release(paths.ballast())) throw;
    open();
  }
}

// What a squash left to do. It may wait: nothing depends on it but how large the store is.
void finish_job(OpenedStore& opened) {
  if (!opened.history->now()->job) return;
  constexpr std::size_t kRoom = std::size_t{32} << 20;
  try {
    opened.ballast->admit(kRoom);
  } catch (const UnavailableError& error) {
    opened.remark =
        fmt::format("the room that a squash frees is not given back yet: {}", error.what());
    return;
  }
  finish_squash(*opened.storage, *opened.history, opened.info.id);
}

// Nothing but what an unfinished make_store() leaves: names that it makes, and no FORMAT.
bool holds_unfinished_store(const fs::path& directory) {
  std::error_code error;
  const fs::directory_iterator entries(directory, error);
  return !error && std::ranges::all_of(entries, [](const fs::directory_entry& at) {
    const std::string name = at.path().filename().string();
    return name.starts_with(UnfinishedDirectory::kPrefix) || name == "db" || name == "ack" ||
           name == ".gitignore" || name == "archive";
  });
}

void fill_store(const StorePaths& paths, const Clock& clock, IdSource& ids, const Disk& disk) {
  StoreInfo info;
  info.id = ids.new_uuid();
  const events::Uuid first = ids.new_uuid();
  const events::Uuid second = ids.new_uuid();
  // Two random UUIDs have 244 random bits; a hash spreads them over the key.
  std::string seed;
  append_uuid(seed, first);
  append_uuid(seed, second);
  const Hash key = sha256(seed);
  info.hash_key.assign(key.begin(), key.end());
  info.created_at = clock.now();
  info.made_by = kSoftwareVersion;
  const Head head;
  RocksOptions rocks;
  rocks.directory = paths.database();
  rocks.create = true;
  const auto storage = disk.open_storage(rocks);
  ChangeSet changes;
  changes.put(Family::kMeta, "format", encode_format(0));
  changes.put(Family::kMeta, "store", encode_store_info(info));
  changes.put(Family::kMeta, "head", encode_head(head));
  if (storage->write(changes, /*sync=*/true) != WriteResult::kDone) {
    throw UnavailableError("cannot write " + rocks.directory.string() + ": " +
                           storage->last_error());
  }
  write_store_files(paths, ack_of(info, head), disk);
}

}  // namespace

void write_store_files(const StorePaths& paths, const Ack& ack, const Disk& disk) {
  AckFile(paths.ack(), ack, disk.sync_ack, disk.write_ack_now).close(ack);
  write_file_durably(paths.directory / ".gitignore", "*\n");
  write_file_durably(paths.format(), encode_format(0));
}

void mark_features(const StorePaths& paths, std::uint64_t features) {
  const std::uint64_t before = check_format(paths);
  if ((features & ~before) == 0) return;
  write_file_durably(paths.format(), encode_format(before | features));
}

bool is_store(const fs::path& directory) {
  std::error_code ignored;
  return fs::exists(StorePaths{directory}.format(), ignored);
}

bool would_make_store(const fs::path& directory) {
  if (is_store(directory)) return false;
  std::error_code error;
  if (!fs::exists(directory, error)) return true;
  if (!fs::is_directory(directory, error)) {
    throw UsageError("store_not_empty", directory.string() + " is not a directory",
                     "name a directory that does not exist or is empty");
  }
  if (fs::is_empty(directory, error)) return true;
  throw UsageError("store_not_empty", directory.string() + " is not empty and no store",
                   !error && holds_unfinished_store(directory)
                       ? "it is what an interrupted init, import, restore or backup left, unless "
                         "one is at work there: "
                         "remove it and repeat"
                       : "name a directory that does not exist or is empty");
}

void require_store(const fs::path& directory) {
  if (is_store(directory)) return;
  throw UsageError("store_not_found", "there is no store in " + directory.string(),
                   "tenantry init --store " + directory.string(), 6);
}

fs::path store_directory(const fs::path& named) {
  if (named.empty()) throw UsageError("usage", "the store's directory has no name");
  std::error_code error;
  fs::path directory = fs::weakly_canonical(fs::absolute(named), error);
  if (error) throw_file_error("reach", named, error.value());
  return directory.has_filename() ? directory : directory.parent_path();
}

bool make_store(const fs::path& named, const Clock& clock, IdSource& ids, const Disk& disk) {
  const fs::path directory = store_directory(named);
  if (!would_make_store(directory)) return false;
  UnfinishedStore(directory, clock, ids, disk).put_in_place();
  return true;
}

UnfinishedStore::UnfinishedStore(fs::path directory, const Clock& clock, IdSource& ids,
                                 const Disk& disk)
    : UnfinishedStore(std::move(directory), ids,
                      [&](const StorePaths& paths) { fill_store(paths, clock, ids, disk); }) {}

UnfinishedStore::UnfinishedStore(fs::path directory, IdSource& ids,
                                 const std::function<void(const StorePaths&)>& fill)
    : place_(std::move(directory), ids) {
  fill({place_.path()});
}

void UnfinishedStore::put_in_place() {
  std::error_code error;
  if (fs::exists(StorePaths{path()}.archive(), error)) place_.put_in_place({"archive"});
  place_.put_in_place({"db", "ack", ".gitignore", "FORMAT"});
}

void UnfinishedStore::replace_empty_store() {
  const StorePaths old{place_.directory()};
  remove_durably(old.format());
  for (const fs::path& path : {old.database(), old.ack(), old.ballast()}) fs::remove_all(path);
  put_in_place();
  for (const auto& at : fs::directory_iterator(place_.directory())) {
    const bool unfinished = at.path().filename().string().starts_with(UnfinishedDirectory::kPrefix);
    if (unfinished && at.path() != place_.path()) fs::remove_all(at.path());
  }
}

Ack ack_of(const StoreInfo& info, const Head& head) {
  Ack ack;
  ack.incarnation = head.incarnation;
  ack.term = head.term;
  ack.batch_seq = head.batch_seq;
  ack.tail = head.tail.value;
  const Hash digest = head_digest(info.id, head);
  std::copy_n(digest.begin(), ack.head_digest.size(), ack.head_digest.begin());
  return ack;
}

void check_log_end(const StorageReader& storage, const StoreInfo& info, const Head& head,
                   const Catalogue& catalogue) {
  const Position from{head.tail.value - std::min(head.tail.value, kCheckedPositions)};
  std::uint64_t total = 0;
  for (const auto& [scope, end] : head.scopes) {
    total += end.seq;
    if (end.seq > 0) {
      check_scope_end(storage, scope, end, catalogue.of(scope).base.base, from);
    }
  }
  if (total != head.tail.value) {
    throw CorruptionError(fmt::format("store {}: the scopes have {} events, the tail is {}",
                                      events::format_uuid(info.id), total, head.tail.value));
  }
}

OpenedStore open_store_files(const OpenOptions& options, const Clock& clock) {
  OpenedStore opened;
  opened.paths = {options.directory};
  require_store(options.directory);
  opened.lock =
      std::make_unique<StoreLock>(options.directory, options.read_only, options.wait_for_owner);
  opened.disk = std::make_unique<const Disk>(options.disk);
  (void)check_format(opened.paths);
  if (!options.read_only) finish_repair(opened.paths.repair());
  const RocksOptions rocks = rocks_options(options, opened.paths);
  const TailDamage damage = probe(opened, rocks);
  if (damage.any()) {
    opened.remark += options.read_only ? "; the next command that writes repairs the store"
                                       : "; the store is repaired, the original under quarantine/";
  }
  if (options.read_only) return opened;
  check_clock(opened.head, clock);
  std::error_code ignored;
  fs::remove_all(opened.paths.scratch(), ignored);
  opened.storage.reset();
  with_ballast_to_spare(opened.paths, [&] {
    if (damage.any()) repair(opened, rocks, damage, clock);
    opened.storage = opened.disk->open_storage(rocks);
  });
  opened.ack = std::make_unique<AckFile>(opened.paths.ack(), ack_of(opened.info, opened.head),
                                         opened.disk->sync_ack, opened.disk->write_ack_now);
  opened.ballast = std::make_unique<Ballast>(
      Ballast::Options{opened.paths.ballast(), Ballast::full_bytes(rocks.memory.write_buffer_bytes),
                       opened.storage->size_bytes()},
      *opened.disk);
  finish_job(opened);
  return opened;
}

}  // namespace tenantry
