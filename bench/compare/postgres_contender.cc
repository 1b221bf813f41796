#include <stdexcept>
#include <utility>

#include <pqxx/pqxx>

#include "bench/compare/contender.h"

namespace tenantry::bench {
namespace {

// A table of events whose unique index is what checks the expected version.
constexpr const char* kTable = R"sql(
  DROP TABLE IF EXISTS events;
  CREATE TABLE events (
    position bigserial PRIMARY KEY, stream bigint NOT NULL, version bigint NOT NULL,
    data bytea NOT NULL, UNIQUE (stream, version)))sql";
constexpr const char* kInsertEvent =
    "INSERT INTO events (stream, version, data) VALUES ($1, 1, $2)";

// What a message store in PostgreSQL does for each message, in a function of ours: the writers of a
// category take turns, the stream's version is looked up and compared, message ids are unique, and
// categories and streams can be read in order.
constexpr const char* kMessages = R"sql(
  DROP TABLE IF EXISTS messages;
  CREATE TABLE messages (
    global_position bigserial PRIMARY KEY, id uuid NOT NULL UNIQUE,
    category text NOT NULL, stream text NOT NULL, version bigint NOT NULL,
    type text NOT NULL, data jsonb, metadata jsonb,
    written_at timestamp NOT NULL DEFAULT (now() AT TIME ZONE 'utc'),
    UNIQUE (stream, version));
  CREATE INDEX ON messages (category, global_position);
  CREATE OR REPLACE FUNCTION append_message(
      the_category text, the_stream text, the_data jsonb, expected bigint) RETURNS bigint AS $$
  DECLARE latest bigint;
  BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(the_category, 0));
    SELECT coalesce(max(version), -1) INTO latest FROM messages WHERE stream = the_stream;
    IF latest <> expected THEN
      RAISE EXCEPTION 'the stream % is at version %, not %', the_stream, latest, expected;
    END IF;
    INSERT INTO messages (id, category, stream, version, type, data)
      VALUES (gen_random_uuid(), the_category, the_stream, latest + 1, 'Happened', the_data);
    RETURN latest + 1;
  END $$ LANGUAGE plpgsql;)sql";
constexpr const char* kAppendMessage = "SELECT append_message($1, $2, $3, -1)";

void execute(pqxx::connection& connection, const char* sql) {
  pqxx::work work(connection);
  work.exec(sql);
  work.commit();
}

class TableSession final : public Session {
 public:
  TableSession(const std::string& url, std::size_t record_bytes)
      : connection_(url), record_(std::string(record_bytes, 'e')) {
    connection_.prepare("append", kInsertEvent);
  }
  void append(std::size_t first, std::size_t count) override {
    if (count == 1) {
      pqxx::nontransaction single(connection_);
      single.exec_prepared("append", first, record_);
      return;
    }
    pqxx::work work(connection_);
    for (std::size_t n = first; n < first + count; ++n) work.exec_prepared("append", n, record_);
    work.commit();
  }

 private:
  pqxx::connection connection_;
  const pqxx::binarystring record_;
};

class MessageSession final : public Session {
 public:
  MessageSession(const std::string& url, std::size_t caller, std::size_t record_bytes)
      : connection_(url),
        category_("category" + std::to_string(caller)),
        record_("{\"data\": \"" + std::string(record_bytes, 'e') + "\"}") {
    connection_.prepare("append", kAppendMessage);
  }
  void append(std::size_t first, std::size_t count) override {
    for (std::size_t n = first; n < first + count; ++n) {
      pqxx::nontransaction single(connection_);
      single.exec_prepared("append", category_, category_ + "-" + std::to_string(n), record_);
    }
  }

 private:
  pqxx::connection connection_;
  const std::string category_;  // Each caller has its own.
  const std::string record_;
};

class PostgresRun final : public Run {
 public:
  PostgresRun(std::string url, bool messages, std::size_t record_bytes)
      : url_(std::move(url)), messages_(messages), record_bytes_(record_bytes) {
    pqxx::connection connection(url_);
    execute(connection, "SET client_min_messages = warning");
    execute(connection, messages_ ? kMessages : kTable);
  }
  [[nodiscard]] std::unique_ptr<Session> connect(std::size_t caller) override {
    if (messages_) return std::make_unique<MessageSession>(url_, caller, record_bytes_);
    return std::make_unique<TableSession>(url_, record_bytes_);
  }

 private:
  const std::string url_;
  const bool messages_;
  const std::size_t record_bytes_;
};

}  // namespace

Contender postgres_contender(const std::string& name, const std::string& url,
                             std::size_t record_bytes) {
  if (url.empty()) return {name, {}, "no server was given (--postgres)"};
  return {name,
          [url, messages = name == names::kMessageStore, record_bytes](
              const std::filesystem::path&, const Load&) -> std::unique_ptr<Run> {
            return std::make_unique<PostgresRun>(url, messages, record_bytes);
          },
          {}};
}

}  // namespace tenantry::bench
