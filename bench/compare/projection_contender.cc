#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>
#include <libpq-fe.h>
#include <pqxx/pqxx>

#include "bench/compare/contender.h"
#include "bench/workload.h"
#include "core/owner/remote_store.h"
#include "core/store.h"
#include "events/events.capnp.h"
#include "events/text.h"
#include "projections/postgres/postgres_read_model.h"
#include "projections/projector.h"
#include "tests/support/temp_directory.h"

// New events into a read model that is large already.
namespace tenantry::bench {
namespace {

constexpr std::size_t kRowsThere = 20;  // For each row that is added.
constexpr const char* kTemplate = "tenantry_bench_template";
constexpr const char* kDatabase = "tenantry_bench";

// One of the domains that are added, as a rival wants it: in memory.
struct Row {
  std::int64_t id = 0;
  std::string domain;
  bool is_primary = false;
  bool is_active = false;
  events::Timestamp at{};
  events::Uuid tenant;
};

constexpr const char* kUpsert =
    "INSERT INTO tenants_tenantdomain"
    " (id, domain, is_primary, is_active, created_at, updated_at, tenant_id) {}"
    " ON CONFLICT (id) DO UPDATE SET domain = excluded.domain, is_primary = excluded.is_primary,"
    " is_active = excluded.is_active, created_at = excluded.created_at,"
    " updated_at = excluded.updated_at, tenant_id = excluded.tenant_id";
// Of the rivals: the projector has its own.
constexpr const char* kMakeMark =
    "CREATE TABLE IF NOT EXISTS bench_mark AS SELECT 0::bigint AS position";
constexpr const char* kMoveMark = "UPDATE bench_mark SET position = $1 WHERE position = $2";

void execute(const std::string& url, const std::string& sql) {
  pqxx::connection connection(url);
  pqxx::nontransaction work(connection);
  work.exec("SET client_min_messages = warning");
  work.exec(sql);
}

// The URL of another database of the server that `server` leads to.
std::string at_database(const std::string& server, const std::string& database) {
  return server + (server.find('?') == std::string::npos ? "?" : "&") + "dbname=" + database;
}

// Takes the place of the last one; how to connect to it.
std::string new_database(const std::string& server, const std::string& copied) {
  execute(server, fmt::format("DROP DATABASE IF EXISTS {}", kDatabase));
  execute(server,
          fmt::format("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy", kDatabase, copied));
  return at_database(server, kDatabase);
}

// What every run of a process begins with: a store whose last events are still to be projected, and
// a database that shows those before, and a crowd of other domains.
class Ground {
 public:
  Ground(std::string server, std::size_t events) : server_(std::move(server)), events_(events) {
    const std::size_t tenants = std::min(kTenants, events);
    init_store(temp_ / "store", *clock_, *ids_);
    store_ = open_store({.directory = temp_ / "store"}, *clock_, *ids_);
    require_accepted(store_->submit(make_tenants(tenants), {}));
    const Position before = store_->tail().tail;
    make_template();
    require_accepted(store_->submit(draw_commands({.tenants = tenants}, events), {}));
    store_->read_after(before, store_->tail().tail, [&](const StoredEvent& stored) {
      rows_.push_back(row_of(stored));
      return true;
    });
  }
  Ground(const Ground&) = delete;
  Ground& operator=(const Ground&) = delete;
  ~Ground() = default;

  [[nodiscard]] std::size_t events() const { return events_; }
  [[nodiscard]] TenancyStore& store() const { return *store_; }
  [[nodiscard]] const std::vector<Row>& rows() const { return rows_; }

  [[nodiscard]] std::string database() const { return new_database(server_, kTemplate); }

 private:
  [[nodiscard]] static Row row_of(const StoredEvent& stored) {
    auto view = events::MessageView::over(stored.payload, events::Origin::kStored);
    const auto added = view.root<events::Event>().getDomainAdded();
    Row row{.id = added.getId(),
            .domain = added.getDomain(),
            .is_primary = added.getIsPrimary(),
            .is_active = added.getIsActive(),
            .at = stored.recorded_at,
            .tenant = {}};
    const auto tenant = added.getTenantId();
    std::copy(tenant.begin(), tenant.end(), row.tenant.bytes.begin());
    return row;
  }

  void make_template() {
    execute(server_, fmt::format("DROP DATABASE IF EXISTS {}", kTemplate));
    execute(server_, fmt::format("CREATE DATABASE {}", kTemplate));
    const std::string url = at_database(server_, kTemplate);
    const auto target = projections::open_postgres_read_model({.connection = url});
    (void)projections::project(*store_, *target, {});
    execute(url, fmt::format("INSERT INTO tenants_tenantdomain SELECT 1000000000 + n,"
                             " md5(n::text) || '.example.net', false, true, now(), now(),"
                             " (array(SELECT id FROM tenants_tenant))[1 + n % {}]"
                             " FROM generate_series(1, {}) AS n",
                             std::min(kTenants, events_), kRowsThere * events_));
    execute(url, kMakeMark);
    execute(url, "VACUUM ANALYZE");
  }

  const std::string server_;  // The URL of a database of it.
  const std::size_t events_;
  TempDirectory temp_;
  std::unique_ptr<Clock> clock_ = make_system_clock();
  std::unique_ptr<IdSource> ids_ = make_random_ids();
  std::unique_ptr<TenancyStore> store_;
  std::vector<Row> rows_;
};

class ProjectorRun final : public Run {
 public:
  ProjectorRun(const Ground& ground, const Load& load) : ground_(ground), load_(load) {
    (void)target_->probe();  // Connects.
  }
  [[nodiscard]] std::size_t run_all() override {
    const auto outcome =
        projections::project(ground_.store(), *target_, {.batch_events = load_.events_per_call});
    return std::get<projections::Projected>(outcome).events;
  }

 private:
  const Ground& ground_;
  const Load load_;
  const std::unique_ptr<projections::ReadModel> target_ =
      projections::open_postgres_read_model({.connection = ground_.database()});
};

class RowByRowRun final : public Run {
 public:
  RowByRowRun(const Ground& ground, const Load& load)
      : ground_(ground), load_(load), connection_(ground.database()) {
    connection_.prepare("upsert", fmt::format(kUpsert, "VALUES ($1, $2, $3, $4, $5, $6, $7)"));
    connection_.prepare("move", kMoveMark);
  }
  [[nodiscard]] std::size_t run_all() override {
    const std::vector<Row>& rows = ground_.rows();
    for (std::size_t done = 0; done < rows.size();) {
      const std::size_t end = std::min(done + load_.events_per_call, rows.size());
      pqxx::work work(connection_);
      for (std::size_t n = done; n < end; ++n) {
        const Row& row = rows[n];
        const std::string at = events::format_timestamp(row.at);
        work.exec_prepared("upsert", row.id, row.domain, row.is_primary, row.is_active, at, at,
                           events::format_uuid(row.tenant));
      }
      if (work.exec_prepared("move", end, done).affected_rows() != 1) {
        throw std::runtime_error("the mark is not where it was");
      }
      work.commit();
      done = end;
    }
    return rows.size();
  }

 private:
  const Ground& ground_;
  const Load load_;
  pqxx::connection connection_;
};

// A binary array of one dimension, as the server reads it.
class BinaryArray {
 public:
  BinaryArray(Oid element, std::size_t count) {
    for (const std::uint32_t word :
         {1U, 0U, static_cast<std::uint32_t>(element), static_cast<std::uint32_t>(count), 1U}) {
      add_integer(word);
    }
  }
  void add(std::string_view bytes) {
    add_integer(static_cast<std::uint32_t>(bytes.size()));
    bytes_ += bytes;
  }
  void add(bool value) { add(std::string_view(value ? "\1" : "\0", 1)); }
  void add(std::int64_t value) {
    add_integer(std::uint32_t{8});
    add_integer(static_cast<std::uint64_t>(value));
  }
  [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
  template <class Integer>
  void add_integer(Integer value) {
    static_assert(std::is_unsigned_v<Integer>);
    for (int shift = 8 * (static_cast<int>(sizeof value) - 1); shift >= 0; shift -= 8) {
      bytes_ += static_cast<char>(value >> shift & 0xffU);
    }
  }

  std::string bytes_;
};

class UnnestRun final : public Run {
 public:
  UnnestRun(const Ground& ground, const Load& load)
      : ground_(ground),
        load_(load),
        connection_(PQconnectdb(ground.database().c_str()), &PQfinish) {
    check(PQstatus(connection_.get()) == CONNECTION_OK);
    const std::string upsert =
        fmt::format(kUpsert,
                    "SELECT * FROM unnest($1::int8[], $2::varchar[], $3::bool[], $4::bool[],"
                    " $5::timestamptz[], $6::timestamptz[], $7::uuid[])");
    Done(PQprepare(connection_.get(), "upsert", upsert.c_str(), 0, nullptr), *this);
    Done(PQprepare(connection_.get(), "move", kMoveMark, 0, nullptr), *this);
  }
  [[nodiscard]] std::size_t run_all() override {
    const std::size_t all = ground_.rows().size();
    for (std::size_t done = 0; done < all;) {
      const std::size_t end = std::min(done + load_.events_per_call, all);
      execute("BEGIN");
      upsert(done, end);
      move(done, end);
      execute("COMMIT");
      done = end;
    }
    return all;
  }

 private:
  // Of one statement, which must have been done.
  struct Done {
    Done(PGresult* made, const UnnestRun& run) : result(made, &PQclear) {
      const ExecStatusType status = PQresultStatus(made);
      run.check(status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK);
    }
    std::unique_ptr<PGresult, void (*)(PGresult*)> result;
  };

  void check(bool done) const {
    if (!done) throw std::runtime_error(PQerrorMessage(connection_.get()));
  }
  void execute(const char* sql) const { Done(PQexec(connection_.get(), sql), *this); }

  void upsert(std::size_t first, std::size_t end) const {
    constexpr Oid kBool = 16;
    constexpr Oid kInt8 = 20;
    constexpr Oid kVarchar = 1043;
    constexpr Oid kTimestamptz = 1184;
    constexpr Oid kUuid = 2950;
    constexpr std::int64_t kEpochMicros = 946'684'800'000'000;  // Of 2000, where its times begin.
    const std::size_t count = end - first;
    std::array<BinaryArray, 6> columns{BinaryArray{kInt8, count},        {kVarchar, count},
                                       BinaryArray{kBool, count},        {kBool, count},
                                       BinaryArray{kTimestamptz, count}, {kUuid, count}};
    for (std::size_t n = first; n < end; ++n) {
      const Row& row = ground_.rows()[n];
      columns[0].add(row.id);
      columns[1].add(std::string_view(row.domain));
      columns[2].add(row.is_primary);
      columns[3].add(row.is_active);
      columns[4].add(row.at.micros - kEpochMicros);
      columns[5].add(std::string_view(reinterpret_cast<const char*>(row.tenant.bytes.data()),
                                      row.tenant.bytes.size()));
    }
    run_prepared("upsert",
                 {columns[0].bytes(), columns[1].bytes(), columns[2].bytes(), columns[3].bytes(),
                  columns[4].bytes(), columns[4].bytes(), columns[5].bytes()},
                 /*binary=*/1);
  }

  void move(std::size_t from, std::size_t to) const {
    run_prepared("move", {std::to_string(to), std::to_string(from)}, /*binary=*/0);
  }

  void run_prepared(const char* name, const std::vector<std::string>& values, int binary) const {
    std::vector<const char*> texts;
    std::vector<int> lengths;
    for (const std::string& value : values) {
      texts.push_back(value.c_str());
      lengths.push_back(static_cast<int>(value.size()));
    }
    const std::vector<int> formats(values.size(), binary);
    Done(PQexecPrepared(connection_.get(), name, static_cast<int>(values.size()), texts.data(),
                        lengths.data(), formats.data(), 0),
         *this);
  }

  const Ground& ground_;
  const Load load_;
  const std::unique_ptr<PGconn, void (*)(PGconn*)> connection_;
};

// Appends beside a projector that follows, as another process would: through the store's socket.
class FollowedRun final : public Run {
 public:
  FollowedRun(const std::filesystem::path& directory, const std::string& database, const Load& load)
      : store_(store_contender(names::kStoreServing).start(directory, load)),
        log_(owner::connect_to_owner(directory, /*writes=*/false)),
        target_(projections::open_postgres_read_model({.connection = database})) {
    if (!log_) throw std::runtime_error("the store lets nobody in");
    (void)projections::project(*log_, *target_, {});
    follower_ = std::jthread([this](const std::stop_token& stop) { follow(stop); });
  }

  [[nodiscard]] std::unique_ptr<Session> connect(std::size_t caller) override {
    return store_->connect(caller);
  }

 private:
  void follow(const std::stop_token& stop) {
    constexpr std::chrono::milliseconds kLook{100};
    Position shown = log_->tail().tail;
    while (!stop.stop_requested()) {
      if (log_->await_tail(shown, kLook) == shown) continue;
      shown =
          std::get<projections::Projected>(projections::project(*log_, *target_, {})).mark.position;
    }
  }

  const std::unique_ptr<Run> store_;
  const std::unique_ptr<owner::RemoteStore> log_;
  const std::unique_ptr<projections::ReadModel> target_;
  std::jthread follower_;  // Last: it uses everything above.
};

std::unique_ptr<Run> start(const std::string& name, const Ground& ground, const Load& load) {
  if (name == names::kRowByRow) return std::make_unique<RowByRowRun>(ground, load);
  if (name == names::kUnnest) return std::make_unique<UnnestRun>(ground, load);
  return std::make_unique<ProjectorRun>(ground, load);
}

}  // namespace

std::vector<Contender> projection_contenders(const std::string& url) {
  std::vector<Contender> contenders;
  const auto ground = std::make_shared<std::unique_ptr<Ground>>();  // Made when it is needed.
  for (const char* const name : {names::kProjector, names::kRowByRow, names::kUnnest}) {
    if (url.empty()) {
      contenders.push_back({name, {}, "no server was given (--postgres)"});
      continue;
    }
    contenders.push_back({name,
                          [name, url, ground](const std::filesystem::path&,
                                              const Load& load) -> std::unique_ptr<Run> {
                            if (!*ground || (*ground)->events() != load.events) {
                              *ground = std::make_unique<Ground>(url, load.events);
                            }
                            return start(name, **ground, load);
                          },
                          {}});
  }
  contenders.push_back(
      {names::kStoreFollowed,
       [url](const std::filesystem::path& directory, const Load& load) -> std::unique_ptr<Run> {
         return std::make_unique<FollowedRun>(directory, new_database(url, "template0"), load);
       },
       url.empty() ? "no server was given (--postgres)" : ""});
  return contenders;
}

}  // namespace tenantry::bench
