#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/sst_file_writer.h>
#include <rocksdb/utilities/checkpoint.h>
#include <rocksdb/write_batch.h>
#include <zstd.h>

#include "bench/workload.h"
#include "core/bytes.h"
#include "core/file_ops.h"
#include "core/keys.h"
#include "core/rocks_options.h"
#include "core/segment.h"
#include "core/store.h"

// What bench/squash.py measures inside of a process: tenantry_squash_parts WHAT DIR [OUT]. DIR is a
// store's, and nobody else has it; OUT does not exist. Prints an object of numbers; times are in
// seconds.
namespace tenantry::bench {
namespace {

namespace fs = std::filesystem;
using Steady = std::chrono::steady_clock;
using Numbers = std::map<std::string, double>;

constexpr int kLevel = 3;  // As the archive has it.

// zstd, one frame after the other.
class Zstd {
 public:
  Zstd() : packing_(ZSTD_createCCtx()), unpacking_(ZSTD_createDCtx()) {}
  Zstd(const Zstd&) = delete;
  Zstd& operator=(const Zstd&) = delete;
  ~Zstd() {
    ZSTD_freeCCtx(packing_);
    ZSTD_freeDCtx(unpacking_);
  }

  [[nodiscard]] std::string pack(const std::string& bytes) {
    std::string packed(ZSTD_compressBound(bytes.size()), '\0');
    packed.resize(require(ZSTD_compressCCtx(packing_, packed.data(), packed.size(), bytes.data(),
                                            bytes.size(), kLevel)));
    packed.shrink_to_fit();
    return packed;
  }
  void unpack(const std::string& packed, std::string& bytes) {
    bytes.resize(ZSTD_getFrameContentSize(packed.data(), packed.size()));
    (void)require(
        ZSTD_decompressDCtx(unpacking_, bytes.data(), bytes.size(), packed.data(), packed.size()));
  }

 private:
  static std::size_t require(std::size_t size) {
    if (ZSTD_isError(size) != 0) throw std::runtime_error(ZSTD_getErrorName(size));
    return size;
  }

  ZSTD_CCtx* packing_;
  ZSTD_DCtx* unpacking_;
};

double seconds_between(Steady::time_point begin, Steady::time_point end) {
  return std::chrono::duration<double>(end - begin).count();
}

double seconds_since(Steady::time_point begin) { return seconds_between(begin, Steady::now()); }

// --- The store.

struct OpenStore {
  explicit OpenStore(const fs::path& directory, bool read_only = false)
      : store(open_store({.directory = directory, .read_only = read_only}, *clock, *ids)) {}
  std::unique_ptr<Clock> clock = make_system_clock();
  std::unique_ptr<IdSource> ids = make_random_ids();
  std::unique_ptr<TenancyStore> store;
};

// Opening it, and reading its last events.
Numbers tail_of(const fs::path& directory) {
  constexpr std::uint64_t kEvents = 1000;
  const Steady::time_point begin = Steady::now();
  OpenStore opened(directory);
  const Position tail = opened.store->tail().tail;
  std::uint64_t read = 0;
  opened.store->read_after({tail.value - std::min(tail.value, kEvents)}, tail,
                           [&](const StoredEvent& /*event*/) { return ++read > 0; });
  return {{"seconds", seconds_since(begin)}, {"events", static_cast<double>(read)}};
}

// One caller who appends so often, and how long each call took.
class Appending {
 public:
  explicit Appending(TenancyStore& store)
      : store_(store),
        commands_(draw_commands({.mix = Mix::kImportUsers, .first = kFirst}, kCommands)) {}

  // Until that is over.
  double p99_micros_while(const std::function<bool()>& goes_on) {
    std::vector<double> micros;
    for (Steady::time_point at = Steady::now(); goes_on() || micros.empty(); at += kPace) {
      std::this_thread::sleep_until(at);
      if (next_ == commands_.size()) throw std::runtime_error("more commands are needed");
      const Steady::time_point begin = Steady::now();
      const auto answers = store_.submit(std::span(commands_).subspan(next_++, 1), {});
      micros.push_back(1e6 * seconds_since(begin));
      if (answers.at(0).status != Answer::Status::kAccepted) throw std::runtime_error("refused");
    }
    const auto at = micros.begin() + static_cast<std::ptrdiff_t>(micros.size() * 99 / 100);
    std::nth_element(micros.begin(), at, micros.end());
    return *at;
  }

 private:
  static constexpr std::size_t kFirst = 1'000'000'000;
  static constexpr std::size_t kCommands = 100'000;
  static constexpr std::chrono::milliseconds kPace{10};
  TenancyStore& store_;
  std::vector<events::CommandRequest> commands_;
  std::size_t next_ = 0;
};

Numbers append_beside_squash(const fs::path& directory) {
  OpenStore opened(directory);
  Appending appending(*opened.store);
  const auto squash = [&] { (void)opened.store->squash({}, {}); };
  // Idle for as long as a squash takes, about: what is rare is seen as often.
  const double events = static_cast<double>(opened.store->tail().tail.value);
  const double idle_seconds = std::clamp(events / 100'000, 0.1, 20.0);
  const Steady::time_point begin = Steady::now();
  const double idle =
      appending.p99_micros_while([&] { return seconds_since(begin) < idle_seconds; });
  std::atomic<bool> done = false;
  std::exception_ptr fault;
  std::jthread other([&] {
    try {
      squash();
    } catch (const std::exception&) {
      fault = std::current_exception();
    }
    done = true;
  });
  const double beside = appending.p99_micros_while([&] { return !done; });
  other.join();
  if (fault) std::rethrow_exception(fault);
  return {{"idle", idle}, {"beside", beside}};
}

Numbers squash(const fs::path& directory, double share, bool discard) {
  OpenStore opened(directory);
  SquashOptions options;
  options.discard_history = discard;
  const auto tail = static_cast<double>(opened.store->tail().tail.value);
  if (share < 1) options.through = Position{static_cast<std::uint64_t>(tail * share)};
  const Steady::time_point begin = Steady::now();
  const SquashReport report = opened.store->squash(options, {});
  std::uint64_t events = 0;
  for (const SquashedScope& scope : report.scopes) events += scope.events;
  return {{"seconds", seconds_since(begin)}, {"events", static_cast<double>(events)}};
}

// How long it takes with its check and without: what the check reads is told as it goes on.
Numbers back_up(const fs::path& directory, const fs::path& out) {
  OpenStore opened(directory);
  std::vector<Steady::time_point> told;
  const Steady::time_point begin = Steady::now();
  (void)opened.store->back_up(
      out, [&](std::uint64_t /*done*/, std::uint64_t /*total*/) { told.push_back(Steady::now()); });
  const Steady::time_point end = Steady::now();
  // It is told of the first thing that was read, and once more when all is checked.
  if (told.size() < 3) throw std::runtime_error("the backup checked nothing");
  const double checking = seconds_between(told.front(), told[told.size() - 2]);
  return {{"seconds", seconds_between(begin, end)},
          {"unchecked", seconds_between(begin, end) - checking}};
}

// --- RocksDB alone.

void require(const rocksdb::Status& status) {
  if (!status.ok()) throw std::runtime_error("RocksDB: " + status.ToString());
}

// A database configured as the store's are.
class RawDatabase {
 public:
  explicit RawDatabase(const fs::path& directory, bool create = false)
      : options_{.directory = directory, .create = create},
        configuration_(configure_rocks(options_, *rocksdb::Env::Default())) {
    rocksdb::DB* database = nullptr;
    require(rocksdb::DB::Open(configuration_.database, directory.string(), configuration_.families,
                              &families_, &database));
    database_.reset(database);
  }
  RawDatabase(const RawDatabase&) = delete;
  RawDatabase& operator=(const RawDatabase&) = delete;
  ~RawDatabase() {
    for (auto* family : families_) {
      database_->DestroyColumnFamilyHandle(family).PermitUncheckedError();
    }
    database_->Close().PermitUncheckedError();
  }

  [[nodiscard]] rocksdb::DB& operator*() { return *database_; }
  [[nodiscard]] rocksdb::DB* operator->() { return database_.get(); }
  [[nodiscard]] rocksdb::ColumnFamilyHandle* family(Family which) {
    return families_[static_cast<std::size_t>(which)];
  }
  [[nodiscard]] rocksdb::Options options_of(Family which) const {
    return {configuration_.database,
            configuration_.families[static_cast<std::size_t>(which)].options};
  }

  // Each entry, in order of the keys.
  void visit(Family which,
             const std::function<void(const rocksdb::Slice&, const rocksdb::Slice&)>& take) {
    rocksdb::ReadOptions read;
    read.fill_cache = false;
    read.readahead_size = std::size_t{2} << 20;
    const std::unique_ptr<rocksdb::Iterator> at(database_->NewIterator(read, family(which)));
    for (at->SeekToFirst(); at->Valid(); at->Next()) take(at->key(), at->value());
    require(at->status());
  }

  [[nodiscard]] double file_bytes(Family which) {
    rocksdb::ColumnFamilyMetaData data;
    database_->GetColumnFamilyMetaData(family(which), &data);
    return static_cast<double>(data.size);
  }

 private:
  const RocksOptions options_;
  const RocksConfiguration configuration_;
  std::unique_ptr<rocksdb::DB> database_;
  std::vector<rocksdb::ColumnFamilyHandle*> families_;
};

fs::path database_of(const fs::path& store) { return store / "db"; }

// What a snapshot costs and what is removed, and nothing else: nothing is proved or kept.
Numbers bare_squash(const fs::path& directory) {
  RawDatabase database(database_of(directory));
  const Steady::time_point begin = Steady::now();
  rocksdb::SstFileWriter writer(rocksdb::EnvOptions(), database.options_of(Family::kState));
  require(writer.Open((directory / "snapshot.sst").string()));
  database.visit(Family::kState, [&](const rocksdb::Slice& key, const rocksdb::Slice& value) {
    require(writer.Put(key, value));
  });
  require(writer.Finish());
  for (const Family which : {Family::kLog, Family::kIndex}) {
    const rocksdb::RangePtr all(nullptr, nullptr);
    require(rocksdb::DeleteFilesInRanges(&*database, database.family(which), &all, 1));
  }
  return {{"seconds", seconds_since(begin)}};
}

// The same with an archive: what leaves is packed by zstd, synced, read again and unpacked.
Numbers bare_archive(const fs::path& directory) {
  const fs::path path = directory / "archive.zst";
  const Steady::time_point begin = Steady::now();
  std::vector<std::size_t> sizes;
  Zstd zstd;
  {
    RawDatabase database(database_of(directory));
    std::ofstream out(path, std::ios::binary);
    std::string block;
    const auto pack = [&] {
      const std::string packed = zstd.pack(block);
      out.write(packed.data(), static_cast<std::streamsize>(packed.size()));
      sizes.push_back(packed.size());
      block.clear();
    };
    database.visit(Family::kLog, [&](const rocksdb::Slice& /*key*/, const rocksdb::Slice& value) {
      if (block.size() + value.size() > kSegmentBlockBytes && !block.empty()) pack();
      block.append(value.data(), value.size());
    });
    if (!block.empty()) pack();
  }
  fsync_file(path);
  std::ifstream in(path, std::ios::binary);
  std::string packed;
  std::string block;
  for (const std::size_t size : sizes) {
    packed.resize(size);
    in.read(packed.data(), static_cast<std::streamsize>(size));
    zstd.unpack(packed, block);
  }
  const double packing = seconds_since(begin);
  return {{"seconds", packing + bare_squash(directory).at("seconds")}};
}

Numbers checkpoint(const fs::path& directory, const fs::path& out) {
  RawDatabase database(database_of(directory));
  const Steady::time_point begin = Steady::now();
  rocksdb::Checkpoint* made = nullptr;
  require(rocksdb::Checkpoint::Create(&*database, &made));
  const std::unique_ptr<rocksdb::Checkpoint> owned(made);
  require(owned->CreateCheckpoint(out.string()));
  return {{"seconds", seconds_since(begin)}};
}

// Whether an entry of the index is of a block that is still in the log; marks of time always are.
class LiveIndex {
 public:
  explicit LiveIndex(const fs::path& directory) {
    const OpenStore opened(directory, /*read_only=*/true);
    for (const ScopeStatus& scope : opened.store->status().scopes) {
      bases_[static_cast<std::uint16_t>(scope.scope)] = scope.base.value;
    }
  }

  [[nodiscard]] bool holds(const rocksdb::Slice& key, const rocksdb::Slice& value) const {
    constexpr std::size_t kNumberAt = 23;  // Behind kind, scope, epoch and id.
    if (key[0] == keys::kTimeIndex) return true;
    const auto base = bases_.find(read_be<std::uint16_t>(key.ToStringView(), 1));
    const std::uint64_t first = key[0] == keys::kStreamIndex
                                    ? read_le<std::uint64_t>(value.ToStringView(), 0)
                                    : read_be<std::uint64_t>(key.ToStringView(), kNumberAt);
    return base == bases_.end() || first > base->second;
  }

 private:
  std::map<std::uint16_t, std::uint64_t> bases_;  // By scope.
};

// What the log and its index take, and what those entries of them that count take in a new
// database.
Numbers bytes_left(const fs::path& directory, const fs::path& out) {
  const LiveIndex live(directory);
  RawDatabase database(database_of(directory));
  make_private_directory(out);
  RawDatabase fresh(out, /*create=*/true);
  rocksdb::WriteOptions write;
  write.disableWAL = true;
  Numbers found;
  for (const Family which : {Family::kLog, Family::kIndex}) {
    const bool is_index = which == Family::kIndex;
    const std::string name = is_index ? "index" : "log";
    database.visit(which, [&](const rocksdb::Slice& key, const rocksdb::Slice& value) {
      if (is_index && !live.holds(key, value)) return;
      require(fresh->Put(write, fresh.family(which), key, value));
    });
    require(fresh->Flush(rocksdb::FlushOptions(), fresh.family(which)));
    rocksdb::CompactRangeOptions all;
    all.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForceOptimized;
    require(fresh->CompactRange(all, fresh.family(which), nullptr, nullptr));
    found[name + "_left"] = database.file_bytes(which);
    found[name + "_live"] = fresh.file_bytes(which);
  }
  return found;
}

// --- The archive.

// All that its files of events hold, block by block.
void visit_archive(const fs::path& directory, const std::function<void(const std::string&)>& take,
                   double& file_bytes) {
  for (const auto& entry : fs::directory_iterator(directory / "archive")) {
    const SegmentReader reader(entry.path());
    if (reader.start().kind != SegmentKind::kEvents) continue;
    file_bytes += static_cast<double>(entry.file_size());
    for (std::size_t n = 0; n < reader.blocks().size(); ++n) {
      const Block block = reader.events(n);
      std::string records;
      for (std::size_t at = 0; at < block.records().size(); ++at) records += block.record(at);
      take(records);
    }
  }
}

// Its size beside what zstd makes of the same blocks, and the time of reading each.
Numbers archive(const fs::path& directory) {
  std::vector<std::string> frames;
  Zstd zstd;
  double file_bytes = 0;
  double packed_bytes = 0;
  double bytes = 0;
  visit_archive(
      directory,
      [&](const std::string& block) {
        frames.push_back(zstd.pack(block));
        packed_bytes += static_cast<double>(frames.back().size());
        bytes += static_cast<double>(block.size());
      },
      file_bytes);
  std::string block;
  const Steady::time_point begin = Steady::now();
  for (const std::string& packed : frames) zstd.unpack(packed, block);
  const double unpacking = seconds_since(begin);
  const OpenStore opened(directory, /*read_only=*/true);
  const StoreStatus status = opened.store->status();
  LogFilter archived;
  archived.through = Position{0};
  std::uint64_t expected = 0;
  for (const ScopeStatus& scope : status.scopes) {
    archived.through = std::max(*archived.through, scope.base);
    expected += scope.archived;
  }
  std::uint64_t read = 0;
  const Steady::time_point reading = Steady::now();
  opened.store->read_log(archived, [&](const StoredEvent& event) {
    read += event.scope == events::Scope::SYSTEM ? 0 : 1;
    return true;
  });
  const double history = seconds_since(reading);
  if (read < expected) throw std::runtime_error("not all that is archived was read");
  return {{"file_bytes", file_bytes}, {"packed_bytes", packed_bytes},
          {"bytes", bytes},           {"unpacking", unpacking},
          {"history", history},       {"events", static_cast<double>(expected)}};
}

Numbers measure_part(const std::string& what, const fs::path& directory, const fs::path& out) {
  if (what == "tail") return tail_of(directory);
  if (what == "append") return append_beside_squash(directory);
  if (what == "squash") return squash(directory, 1, false);
  if (what == "discard") return squash(directory, 1, true);
  if (what == "squash99") return squash(directory, 0.99, false);
  if (what == "bare") return bare_squash(directory);
  if (what == "bare-archive") return bare_archive(directory);
  if (what == "archive") return archive(directory);
  if (what == "backup") return back_up(directory, out);
  if (what == "checkpoint") return checkpoint(directory, out);
  if (what == "left") return bytes_left(directory, out);
  throw std::runtime_error("nobody knows how to measure '" + what + "'");
}

void print_numbers(const Numbers& numbers) {
  std::string text;
  for (const auto& [name, number] : numbers) {
    text += fmt::format("{}\"{}\":{}", text.empty() ? "" : ",", name, number);
  }
  fmt::print("{{{}}}\n", text);
}

}  // namespace
}  // namespace tenantry::bench

int main(int count, char** values) {
  const std::vector<std::string> arguments(values + 1, values + count);
  try {
    if (arguments.size() != 2 && arguments.size() != 3) {
      fmt::print(stderr, "usage: tenantry_squash_parts WHAT DIR [OUT]\n");
      return 2;
    }
    tenantry::bench::print_numbers(tenantry::bench::measure_part(
        arguments[0], arguments[1], arguments.size() == 3 ? arguments[2] : ""));
  } catch (const std::exception& error) {
    fmt::print(stderr, "tenantry_squash_parts: {}\n", error.what());
    return 1;
  }
}
