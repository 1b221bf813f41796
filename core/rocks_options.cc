#include "core/rocks_options.h"

#include <array>
#include <cstdint>
#include <string>
#include <utility>

#include <rocksdb/cache.h>
#include <rocksdb/file_checksum.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/memtablerep.h>
#include <rocksdb/sst_partitioner.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/table_properties_collectors.h>

#include "core/error.h"
#include "core/planted.h"
#include "core/rocks_cut_manifest.h"
#include "core/rocks_partitioner.h"
#include "core/rocks_unsynced.h"

namespace tenantry {
namespace {

// Which keys may not share a table file, so that whole files can be dropped.
enum class Partition : std::uint8_t { kNone, kByScope, kByEpoch };

// Where the families differ. The names stand in every store and never change.
struct FamilyTraits {
  const char* name;
  std::size_t block_bytes;
  bool point_reads;  // Whole-key blooms, in the memtable too; seeks gain nothing from them.
  Partition partition;
  rocksdb::CompressionType compression;
  rocksdb::CompressionType bottommost;
  int l0_trigger;
  bool collects_deletions;  // Rows that come and go: files full of tombstones are compacted early.
};

constexpr std::size_t kKiB = 1024;
constexpr std::array<FamilyTraits, kFamilyCount> kFamilies{{
    {"default", 4 * kKiB, false, Partition::kNone, rocksdb::kNoCompression, rocksdb::kNoCompression,
     4, false},
    {"log", 16 * kKiB, false, Partition::kByScope, rocksdb::kLZ4Compression, rocksdb::kZSTD, 8,
     false},
    // Entries that go over to another epoch leave runs of deletions where they were.
    {"idx", 16 * kKiB, false, Partition::kByEpoch, rocksdb::kLZ4Compression,
     rocksdb::kLZ4Compression, 4, true},
    // Rows are read at random and most lie on the last level: quick to unpack, not small.
    {"state", 4 * kKiB, true, Partition::kNone, rocksdb::kLZ4Compression, rocksdb::kLZ4Compression,
     4, true},
    {"idem", 4 * kKiB, true, Partition::kNone, rocksdb::kLZ4Compression, rocksdb::kLZ4Compression,
     4, true},
}};

// Few shards: by itself RocksDB would make ones of half a megabyte, which a few blocks fill. More
// than the capacity is in use only while it is pinned.
std::shared_ptr<rocksdb::Cache> block_cache(std::size_t bytes) {
  constexpr int kShardBits = 2;
  constexpr double kHighPriority = 0.5;  // For indexes and filters.
  return rocksdb::NewLRUCache(bytes, kShardBits, /*strict_capacity_limit=*/false, kHighPriority);
}

std::shared_ptr<rocksdb::TableFactory> table_factory(const FamilyTraits& traits,
                                                     const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::BlockBasedTableOptions table;
  table.block_size = traits.block_bytes;
  table.block_cache = cache;
  // Indexes and filters grow with the table files. Outside of the cache all of them would be held
  // as long as a file is open; inside, in parts of 4 KiB, only those in use are, and they leave
  // after data blocks do. What finds the parts stays: a hundredth of them. So do those of what was
  // flushed and not merged yet, which is bounded too, and asked for every key.
  table.cache_index_and_filter_blocks = true;
  table.cache_index_and_filter_blocks_with_high_priority = true;
  table.pin_top_level_index_and_filter = true;
  table.metadata_cache_options.partition_pinning = rocksdb::PinningTier::kFlushedAndSimilar;
  table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  table.format_version = 5;
  table.checksum = rocksdb::kXXH3;
  if (traits.point_reads) {
    constexpr double kBitsPerKey = 10;
    table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(kBitsPerKey));
    table.whole_key_filtering = true;
    table.partition_filters = true;
  }
  return std::shared_ptr<rocksdb::TableFactory>(rocksdb::NewBlockBasedTableFactory(table));
}

std::shared_ptr<rocksdb::SstPartitionerFactory> partitioner(Partition partition) {
  constexpr std::size_t kScopeBytes = 2;  // A key of the log begins with its scope.
  switch (partition) {
    case Partition::kNone:
      return nullptr;
    case Partition::kByScope:
      return rocksdb::NewSstPartitionerFixedPrefixFactory(kScopeBytes);
    case Partition::kByEpoch:
      return make_index_partitioner();
  }
  return nullptr;
}

void configure_tree(rocksdb::ColumnFamilyOptions& family, const FamilyTraits& traits,
                    bool scratch) {
  family.compaction_style = rocksdb::kCompactionStyleLevel;
  family.level_compaction_dynamic_level_bytes = true;
  family.level0_file_num_compaction_trigger = traits.l0_trigger;
  family.level0_slowdown_writes_trigger = 40;
  // What leaves level 0 spans nearly all keys (of every scope of the log, of every row), so that
  // all of the next level is rewritten with it. A next level of a few flushes bounds that; from
  // there on single files go down, and those of the log overlap with nothing.
  family.max_bytes_for_level_base = std::uint64_t{64} << 20;
  family.target_file_size_base = std::uint64_t{16} << 20;
  family.level0_stop_writes_trigger = 60;
  // What is thrown away soon is packed for nothing.
  family.compression = scratch ? rocksdb::kNoCompression : traits.compression;
  family.bottommost_compression = scratch ? rocksdb::kNoCompression : traits.bottommost;
  // Nothing is rewritten for its age alone.
  family.ttl = 0;
  family.periodic_compaction_seconds = 0;
  // A scratch database is thrown away as a whole: no part of it is dropped before.
  if (!scratch) family.sst_partitioner_factory = partitioner(traits.partition);
  if (traits.collects_deletions) {
    constexpr std::size_t kWindow = 32768;
    constexpr std::size_t kDeletions = 16384;
    family.table_properties_collector_factories.push_back(
        rocksdb::NewCompactOnDeletionCollectorFactory(kWindow, kDeletions));
  }
}

rocksdb::ColumnFamilyOptions configure_family(const FamilyTraits& traits,
                                              const RocksOptions& options,
                                              const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::ColumnFamilyOptions family;
  family.table_factory = table_factory(traits, cache);
  configure_tree(family, traits, options.scratch);
  // Equal everywhere, so that the log, which grows fastest, decides when all are flushed together.
  family.write_buffer_size = options.memory.write_buffer_bytes;
  // A fold may wait for its flushes; whoever waits for an answer should not.
  family.max_write_buffer_number = options.scratch ? 2 : 4;
  if (traits.point_reads) {
    family.memtable_prefix_bloom_size_ratio = 0.02;
    family.memtable_whole_key_filtering = true;
  }
  // What is only sorted is put in order once, when it is flushed.
  if (options.scratch && !traits.point_reads) {
    family.memtable_factory = std::make_shared<rocksdb::VectorRepFactory>();
  }
  family.memtable_protection_bytes_per_key = options.scratch ? 0 : kProtectionBytes;
  family.paranoid_file_checks = !options.scratch;
  return family;
}

// What decides whether a crash, a full disk or a damaged file can lose or hide data.
void configure_durability(rocksdb::DBOptions& database, bool scratch) {
  database.atomic_flush = !scratch;
  // Refuses damage; forgives only a last record that was cut short, as a crash does.
  database.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  database.track_and_verify_wals_in_manifest = true;
  database.paranoid_checks = true;
  database.verify_sst_unique_id_in_manifest = true;
  database.file_checksum_gen_factory = rocksdb::GetFileChecksumGenCrc32cFactory();
  // A failed write may be in the write-ahead log: writing on would make two histories of it.
  database.max_bgerror_resume_count = 0;
  database.recycle_log_file_num = 0;
  database.WAL_ttl_seconds = 0;
  database.WAL_size_limit_MB = 0;
  database.wal_compression = rocksdb::kNoCompression;
  database.max_total_wal_size = std::uint64_t{256} << 20;
  database.enable_pipelined_write = false;
  database.two_write_queues = false;
  database.unordered_write = false;
  database.manual_wal_flush = false;
  database.avoid_flush_during_shutdown = scratch;
  database.write_dbid_to_manifest = true;
  database.db_host_id = "";  // Files tell nothing about the machine.
}

// With a limit of open files a database opens 16 of its table files at first and the others when
// they are asked for, so that opening a large store takes no longer than a small one. That all are
// there at full size is asked at once all the same. RocksDB takes less where the process may open
// less.
void configure_resources(rocksdb::DBOptions& database, const RocksOptions& options) {
  constexpr int kReadersFiles = 256;
  constexpr int kOwnersFiles = 4096;
  database.max_open_files = options.read_only ? kReadersFiles : kOwnersFiles;
  // So few are read sooner than the 15 threads for each family that help by default are started:
  // some 80 in a command that only looks.
  database.max_file_opening_threads = 1;
  database.max_background_jobs = 4;
  if (!options.scratch) return;
  // What is sorted aside runs beside a store: its memory is not to grow with what is sorted.
  constexpr int kScratchFiles = 20;
  constexpr std::size_t kScratchFileBuffer = std::size_t{256} << 10;
  database.max_open_files = kScratchFiles;
  database.max_background_jobs = 2;
  database.allow_concurrent_memtable_write = false;  // Lists are written by one thread.
  database.writable_file_max_buffer_size = kScratchFileBuffer;
}

void configure_opening(rocksdb::DBOptions& database, bool create) {
  database.create_if_missing = create;
  database.error_if_exists = create;
  database.create_missing_column_families = create;
}

}  // namespace

RocksConfiguration configure_rocks(const RocksOptions& options, rocksdb::Env& env) {
  RocksConfiguration configuration;
  configuration.background_errors = std::make_shared<BackgroundErrors>();
  rocksdb::DBOptions& database = configuration.database;
  if (options.manifest_bytes) {
    TENANTRY_ASSERT(options.read_only);
    configuration.env = make_cut_manifest_env(env, *options.manifest_bytes);
  }
  if (options.scratch) configuration.env = make_unsynced_env(env);
  database.env = configuration.env ? configuration.env.get() : &env;
  configure_opening(database, options.create);
  configure_durability(database, options.scratch);
  if (options.to_first_damage || planted(Plant::kForgiveLogDamage)) {
    database.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  }
  configure_resources(database, options);
  database.bytes_per_sync = options.scratch ? 0 : std::uint64_t{1} << 20;
  database.stats_dump_period_sec = 0;  // Our info log takes warnings only.
  database.listeners.push_back(configuration.background_errors);
  database.info_log =
      options.read_only
          ? std::make_shared<BoundedInfoLog>()
          : std::make_shared<BoundedInfoLog>(options.directory / BoundedInfoLog::kFileName);
  const std::shared_ptr<rocksdb::Cache> cache = block_cache(options.memory.block_cache_bytes);
  for (const FamilyTraits& traits : kFamilies) {
    configuration.families.emplace_back(traits.name, configure_family(traits, options, cache));
  }
  return configuration;
}

std::array<const char*, kFamilyCount> rocks_family_names() {
  std::array<const char*, kFamilyCount> names{};
  for (std::size_t i = 0; i < names.size(); ++i) names[i] = kFamilies[i].name;
  return names;
}

rocksdb::WriteOptions rocks_write_options(const RocksOptions& options, bool sync) {
  rocksdb::WriteOptions write;
  write.sync = sync && !options.scratch;
  write.disableWAL = options.scratch;
  // A stall is reported, not waited for: on a full disk the wait might never end.
  write.no_slowdown = true;
  write.protection_bytes_per_key = kProtectionBytes;
  return write;
}

}  // namespace tenantry
