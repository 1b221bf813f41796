#include <atomic>
#include <random>
#include <stdexcept>
#include <utility>

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include "bench/compare/contender.h"
#include "bench/workload.h"
#include "core/file_ops.h"
#include "core/keys.h"
#include "core/rocks_options.h"

// What the disk and RocksDB alone allow: the same options and the same bytes of payload, nothing
// read, nothing checked, nothing decided.
namespace tenantry::bench {
namespace {

constexpr std::uint64_t kEntities = 100'000;
constexpr std::uint64_t kTenantCount = 2000;
constexpr std::uint64_t kActorCount = 500;
constexpr std::size_t kSmallRowBytes = 16;
constexpr std::size_t kRowBytes = 160;
constexpr std::size_t kClaimBytes = 32;
constexpr std::size_t kAnswerBytes = 64;
constexpr std::size_t kCounterBytes = 8;
constexpr std::size_t kBlockBytes = 200;  // A block's header and its table of one command.
constexpr std::size_t kHeadBytes = 550;   // With the counters of these commands.
constexpr auto kScope = events::Scope::TENANTS;

void require(const rocksdb::Status& status) {
  if (!status.ok()) throw std::runtime_error("raw RocksDB: " + status.ToString());
}

struct RawOptions {
  // 1: the log's alone. 3: and stream index, state. 7: every key that an event has at least. 10:
  // those of the store for a lone command, with their bytes.
  std::size_t keys = 3;
  std::vector<std::string> records;  // Written in turn; of one length.
};

class RawRun final : public Run {
 public:
  RawRun(const std::filesystem::path& directory, const RawOptions& options, const Load& load)
      : options_(options), rocks_{.directory = directory, .create = true} {
    make_private_directory(directory);
    const RocksConfiguration configuration = configure_rocks(rocks_, *rocksdb::Env::Default());
    rocksdb::DB* database = nullptr;
    require(rocksdb::DB::Open(configuration.database, directory.string(), configuration.families,
                              &families_, &database));
    database_.reset(database);
    if (!load.at_once) return;
    constexpr std::size_t kFillBatch = 1000;
    auto session = connect(0);
    for (std::size_t at = 0; at < load.events; at += kFillBatch) {
      session->append(at, std::min(kFillBatch, load.events - at));
    }
    require(database_->Flush(rocksdb::FlushOptions(), families_));
  }
  RawRun(const RawRun&) = delete;
  RawRun& operator=(const RawRun&) = delete;
  ~RawRun() override {
    for (auto* family : families_) {
      database_->DestroyColumnFamilyHandle(family).PermitUncheckedError();
    }
    database_->Close().PermitUncheckedError();
  }

  [[nodiscard]] std::unique_ptr<Session> connect(std::size_t caller) override {
    return std::make_unique<RawSession>(*this, caller);
  }

  [[nodiscard]] std::size_t run_all() override {
    rocksdb::ReadOptions read;
    read.verify_checksums = true;
    read.fill_cache = false;
    read.readahead_size = std::size_t{2} << 20;
    const std::unique_ptr<rocksdb::Iterator> at(
        database_->NewIterator(read, families_[static_cast<std::size_t>(Family::kLog)]));
    std::size_t count = 0;
    std::size_t bytes = 0;
    for (at->SeekToFirst(); at->Valid(); at->Next()) {
      bytes += at->value().size();
      ++count;
    }
    require(at->status());
    if (bytes != count * options_.records.front().size())
      throw std::runtime_error("raw RocksDB: cut short");
    return count;
  }

 private:
  class RawSession final : public Session {
   public:
    RawSession(RawRun& run, std::size_t caller) : run_(run), random_(caller + 1) {}
    RawSession(const RawSession&) = delete;
    RawSession& operator=(const RawSession&) = delete;
    ~RawSession() override = default;

    void append(std::size_t, std::size_t count) override {
      const std::size_t bytes = count * (run_.options_.records.front().size() + 600);
      rocksdb::WriteBatch batch(bytes, 0, 8, 0);
      for (std::size_t n = 0; n < count; ++n) put_event(batch);
      rocksdb::WriteOptions write = rocks_write_options(run_.rocks_, /*sync=*/true);
      write.no_slowdown = false;  // It waits where the store would report a stall and try again.
      require(run_.database_->Write(write, &batch));
    }

   private:
    void put(rocksdb::WriteBatch& batch, Family family, const std::string& key,
             const std::string& value) {
      require(batch.Put(run_.families_[static_cast<std::size_t>(family)], key, value));
    }

    void put_event(rocksdb::WriteBatch& batch) {
      const Position position{++run_.position_};
      const std::string& record =
          run_.options_.records[position.value % run_.options_.records.size()];
      const bool as_the_store = run_.options_.keys == 10;
      put(batch, Family::kLog, keys::block(kScope, position),
          as_the_store ? record + std::string(kBlockBytes, 'b') : record);
      if (run_.options_.keys == 1) return;
      const events::Uuid entity = uuid_from(2, random_() % kEntities);
      const events::Uuid tenant = uuid_from(1, random_() % kTenantCount);
      put(batch, Family::kIndex, keys::index(keys::kStreamIndex, kScope, 1, entity, position.value),
          std::string(10, 's'));
      const bool all = run_.options_.keys >= 7;
      const auto& table = events::table_of(events::EntityKind::DOMAIN);
      put(batch, Family::kState, keys::row(table, {tenant, entity}),
          record.substr(0, all ? kRowBytes : kSmallRowBytes));
      if (!all) return;
      put(batch, Family::kIndex, keys::index(keys::kTenantIndex, kScope, 1, tenant, position.value),
          "tt");
      put(batch, Family::kIndex,
          keys::index(keys::kActorIndex, kScope, 1, uuid_from(3, random_() % kActorCount),
                      position.value),
          "aa");
      put(batch, Family::kState,
          keys::claim(table, table.claims.front(), domain_name(random_() % 10'000'000)),
          std::string(kClaimBytes, 'c'));
      std::string id;
      append_uuid(id, uuid_from(random_(), random_()));
      put(batch, Family::kIdempotency, id, std::string(kAnswerBytes, 'i'));
      if (!as_the_store) return;
      put(batch, Family::kState, keys::by_id(table, entity), std::string(kClaimBytes, 'd'));
      put(batch, Family::kState, keys::counter(table), std::string(kCounterBytes, 'n'));
      put(batch, Family::kMeta, "head", std::string(kHeadBytes, 'h'));
    }

    RawRun& run_;
    std::mt19937_64 random_;
  };

  const RawOptions options_;
  const RocksOptions rocks_;
  std::unique_ptr<rocksdb::DB> database_;
  std::vector<rocksdb::ColumnFamilyHandle*> families_;
  std::atomic<std::uint64_t> position_ = 0;
};

}  // namespace

Contender raw_rocksdb_contender(const std::string& name, const std::vector<std::string>& records) {
  RawOptions options;
  options.records = records;
  if (name == names::kRaw7) options.keys = 7;
  if (name == names::kRaw10) options.keys = 10;
  if (name == names::kRawLog) options.keys = 1;
  return {
      name,
      [options](const std::filesystem::path& directory, const Load& load) -> std::unique_ptr<Run> {
        return std::make_unique<RawRun>(directory, options, load);
      },
      {}};
}

}  // namespace tenantry::bench
