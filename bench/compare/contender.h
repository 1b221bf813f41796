#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/tenancy_store.h"

// Who takes part in the comparison, and what each is asked to do.
namespace tenantry::bench {

// How events are brought to a contender.
struct Load {
  std::string name;                  // In the table.
  std::size_t callers = 1;           // Threads.
  std::size_t events_per_call = 1;   // Durable together.
  std::size_t calls_in_flight = 1;   // Of each caller.
  std::size_t calls_per_second = 0;  // Of each caller; 0: as many as it can.
  std::size_t events = 0;            // In all.
  bool at_once = false;              // One call, run_all(), has so many events done.
};

inline constexpr std::size_t kTenants = 2000;  // Of a store, unless there are fewer events.

// Throws std::runtime_error for a command that was refused or had no event.
void require_accepted(const std::vector<Answer>& answers);

struct Measured {
  double events_per_second = 0;
  double p99_micros = 0;  // Of a call; 0 where calls are not waited for one by one.
};

// One caller's connection. Threads: one.
class Session {
 public:
  virtual ~Session() = default;
  // Appends the events `first`, `first + 1`, … of the run, `count` of them: durable when it
  // returns, or when finish() does if the load has calls in flight. Throws std::exception when an
  // event is not taken.
  virtual void append(std::size_t first, std::size_t count) = 0;
  virtual void finish() {}
};

// A contender, ready for one run. Threads: any.
class Run {
 public:
  virtual ~Run() = default;
  // Null for a run whose load is done at once.
  [[nodiscard]] virtual std::unique_ptr<Session> connect(std::size_t /*caller*/) { return nullptr; }
  // Reads every event, in order, or projects it, so many of a call in a transaction; the number of
  // them.
  [[nodiscard]] virtual std::size_t run_all() { return 0; }
};

struct Contender {
  std::string name;
  // Makes an empty one in `directory`, which is new, with all that the load needs beforehand.
  std::function<std::unique_ptr<Run>(const std::filesystem::path& directory, const Load& load)>
      start;
  std::string left_out;  // Why it does not take part; empty when it does.
};

// Runs the load and measures it, without start and end.
[[nodiscard]] Measured measure(Run& run, const Load& load);

// What stands in the table's rows. Each one is named only here.
namespace names {
inline constexpr const char* kRaw3 = "raw RocksDB, 3 puts";
inline constexpr const char* kRaw7 = "raw RocksDB, 7 keys";
inline constexpr const char* kRaw10 = "raw RocksDB, 10 keys";
inline constexpr const char* kRawLog = "raw RocksDB, log alone";
inline constexpr const char* kStore = "tenantry";
inline constexpr const char* kStoreSocket = "tenantry, through its socket";
inline constexpr const char* kStoreServing = "tenantry, its socket open";
inline constexpr const char* kStoreFollowed = "tenantry, followed";
inline constexpr const char* kStoreNoIds = "tenantry, no ids";
inline constexpr const char* kStoreImport = "tenantry, import of users";
inline constexpr const char* kStoreImportDomains = "tenantry, import of domains";
inline constexpr const char* kPostgres = "PostgreSQL table";
inline constexpr const char* kMessageStore = "PostgreSQL message store";
inline constexpr const char* kRedis = "Redis Streams, always";
inline constexpr const char* kSqlite = "SQLite WAL, FULL";
inline constexpr const char* kJetStream = "NATS JetStream, always";
inline constexpr const char* kProjector = "tenantry, projector";
inline constexpr const char* kRowByRow = "prepared, row by row";
inline constexpr const char* kUnnest = "binary arrays, unnest";
}  // namespace names

// The store itself, and what it is measured against.
[[nodiscard]] Contender store_contender(const std::string& name);
// Records of the log as the store writes them for these commands, of one length: what its rivals
// write, so that they have the same bytes to store and to compress.
[[nodiscard]] std::vector<std::string> sample_records();
[[nodiscard]] Contender raw_rocksdb_contender(const std::string& name,
                                              const std::vector<std::string>& records);
[[nodiscard]] Contender sqlite_contender(std::size_t record_bytes);
// `url` is that of a server; empty: the contender is left out.
[[nodiscard]] Contender postgres_contender(const std::string& name, const std::string& url,
                                           std::size_t record_bytes);
// Those that bring rows into a read model, and a store whose read model follows.
[[nodiscard]] std::vector<Contender> projection_contenders(const std::string& url);
// `socket` is the path of a server's.
[[nodiscard]] Contender redis_contender(const std::string& socket, std::size_t record_bytes);

}  // namespace tenantry::bench
