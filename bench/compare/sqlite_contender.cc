#include <stdexcept>

#include <SQLiteCpp/SQLiteCpp.h>

#include "bench/compare/contender.h"

namespace tenantry::bench {
namespace {

class SqliteRun final : public Run {
 public:
  SqliteRun(const std::filesystem::path& directory, std::size_t record_bytes)
      : database_(directory.string() + ".sqlite3",
                  SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE),  // NOLINT(hicpp-signed-bitwise)
        record_(record_bytes, 'e') {
    database_.exec("PRAGMA journal_mode=WAL");
    database_.exec("PRAGMA synchronous=FULL");
    database_.exec(
        "CREATE TABLE events (position INTEGER PRIMARY KEY, stream INTEGER NOT NULL,"
        " version INTEGER NOT NULL, data BLOB NOT NULL, UNIQUE (stream, version))");
  }

  // One connection for one caller: SQLite has one writer.
  [[nodiscard]] std::unique_ptr<Session> connect(std::size_t caller) override {
    if (caller != 0) throw std::logic_error("SQLite is measured with one caller");
    return std::make_unique<SqliteSession>(*this);
  }

 private:
  class SqliteSession final : public Session {
   public:
    explicit SqliteSession(SqliteRun& run)
        : run_(run),
          insert_(run.database_, "INSERT INTO events (stream, version, data) VALUES (?, ?, ?)") {}
    void append(std::size_t first, std::size_t count) override {
      SQLite::Transaction transaction(run_.database_);
      for (std::size_t n = first; n < first + count; ++n) {
        insert_.bind(1, static_cast<std::int64_t>(n));
        insert_.bind(2, std::int64_t{1});
        insert_.bind(3, run_.record_.data(), static_cast<int>(run_.record_.size()));
        insert_.exec();
        insert_.reset();
      }
      transaction.commit();
    }

   private:
    SqliteRun& run_;
    SQLite::Statement insert_;
  };

  SQLite::Database database_;
  const std::string record_;
};

}  // namespace

Contender sqlite_contender(std::size_t record_bytes) {
  return {
      names::kSqlite,
      [record_bytes](const std::filesystem::path& directory, const Load&) -> std::unique_ptr<Run> {
        return std::make_unique<SqliteRun>(directory, record_bytes);
      },
      {}};
}

}  // namespace tenantry::bench
