#include "projections/sqlite/connection.h"

#include <array>
#include <fstream>

#include <SQLiteCpp/SQLiteCpp.h>
#include <sqlite3.h>
#include <unistd.h>

#include "core/error.h"
#include "events/tables.h"
#include "events/values.h"
#include "projections/contract.h"
#include "projections/sql_text.h"

namespace tenantry::projections::sqlite {
namespace {

bool begins_like_a_database(const std::filesystem::path& path) {
  constexpr std::string_view kMagic{"SQLite format 3\0", 16};
  std::array<char, kMagic.size()> start{};
  std::ifstream file(path, std::ios::binary);
  file.read(start.data(), start.size());
  return file && std::string_view(start.data(), start.size()) == kMagic;
}

struct Hint {
  int code;
  const char* happened;
  const char* hint;
};
constexpr Hint kUnavailable[] = {
    {SQLITE_BUSY, "is locked by another writer", "try again when it is done"},
    {SQLITE_LOCKED, "is locked", "try again when the other user is done"},
    {SQLITE_FULL, "cannot grow: the disk is full", "free some space, then run the command again"},
    {SQLITE_READONLY, "cannot be written", "check the permissions of the file and its directory"},
    {SQLITE_PERM, "cannot be used: permission denied", "check the permissions of the file"},
    {SQLITE_CANTOPEN, "cannot be opened",
     "check that the path is right and its directory can be written"},
    {SQLITE_IOERR, "cannot be read or written", "check the disk and the kernel's messages"},
    {SQLITE_NOMEM, "cannot be used: out of memory", ""},
};

[[noreturn]] void raise_fault(const std::filesystem::path& path, const SQLite::Exception& error) {
  const int extended = error.getExtendedErrorCode();
  const int code = extended > 0 ? extended & 0xff : error.getErrorCode();
  const std::string database = "the SQLite database " + path.string();
  const std::string detail = std::string(" (") + error.what() + ")";
  if (code == SQLITE_CONSTRAINT) {
    throw ConstraintViolation(error.what(), extended == SQLITE_CONSTRAINT_FOREIGNKEY ||
                                                extended == SQLITE_CONSTRAINT_TRIGGER);
  }
  if (code == SQLITE_NOTADB && !begins_like_a_database(path)) {
    throw UsageError("not_a_database", path.string() + " is not a SQLite database" + detail,
                     "name another file, or move this one away");
  }
  if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB) {
    throw CorruptionError(database + " is damaged" + detail +
                          "; move it away and run `tenantry rebuild`");
  }
  for (const Hint& known : kUnavailable) {
    if (known.code == code)
      throw UnavailableError(database + " " + known.happened + detail, known.hint);
  }
  if (code == SQLITE_ERROR || code == SQLITE_SCHEMA || code == SQLITE_MISMATCH) {
    throw UsageError("read_model_shape", database + " does not have the expected tables" + detail,
                     "`tenantry schema check` lists what differs", 4);
  }
  throw UnavailableError(database + " failed" + detail);
}

template <class Call>
auto translated(const std::filesystem::path& path, Call&& call) {
  try {
    return call();
  } catch (const SQLite::Exception& error) {
    raise_fault(path, error);
  }
}

int flags_of(Access access) {
  switch (access) {
    case Access::kRead:
      return SQLite::OPEN_READONLY;
    case Access::kWrite:
      return SQLite::OPEN_READWRITE;
    case Access::kCreate:
      return SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE;
  }
  return SQLite::OPEN_READONLY;
}

// Where nothing can be written, SQLite cannot make the files beside a database that it needs to
// read one whose journal is WAL. If there are none, nothing is to be recovered and nobody writes:
// the file is read as it is.
bool lies_still(const ConnectOptions& options) {
  if (options.access != Access::kRead) return false;
  const auto beside = [&](const char* suffix) {
    return std::filesystem::path(options.path.string() + suffix);
  };
  std::error_code ignored;
  const std::filesystem::path folder =
      options.path.has_parent_path() ? options.path.parent_path() : ".";
  return ::access(folder.c_str(), W_OK) != 0 && std::filesystem::exists(options.path, ignored) &&
         !std::filesystem::exists(beside("-wal"), ignored) &&
         !std::filesystem::exists(beside("-journal"), ignored);
}

// A writer that was killed may have left a journal whose changes are to be rolled back first, which
// a connection for reading cannot do: one for writing does, with the first thing that it reads.
void roll_back_what_is_left(const ConnectOptions& options) {
  std::error_code ignored;
  if (options.access != Access::kRead ||
      !std::filesystem::exists(options.path.string() + "-journal", ignored) ||
      ::access(options.path.c_str(), W_OK) != 0) {
    return;
  }
  SQLite::Database database(options.path.string(), SQLite::OPEN_READWRITE,
                            static_cast<int>(options.busy_timeout.count()));
  static_cast<void>(database.execAndGet("SELECT count(*) FROM sqlite_master"));
}

std::string uri_of(const std::filesystem::path& path) {
  std::string uri = "file:";
  for (const char c : std::filesystem::absolute(path).string()) {
    constexpr std::string_view kSpecial = "%?#";
    uri += kSpecial.find(c) == std::string_view::npos ? std::string(1, c)
                                                      : "%" + events::hex(std::string_view(&c, 1));
  }
  return uri + "?immutable=1";
}

}  // namespace

class Statement::Impl {
 public:
  Impl(const SQLite::Database& database, const std::string& sql, const std::filesystem::path& file)
      : statement(database, sql), path(file) {}
  SQLite::Statement statement;
  const std::filesystem::path& path;
};

Statement::Statement(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Statement::Statement(Statement&&) noexcept = default;
Statement& Statement::operator=(Statement&&) noexcept = default;
Statement::~Statement() = default;

void Statement::bind_null(int parameter) {
  translated(impl_->path, [&] { impl_->statement.bind(parameter); });
}
void Statement::bind(int parameter, std::int64_t value) {
  translated(impl_->path, [&] { impl_->statement.bind(parameter, value); });
}
void Statement::bind(int parameter, std::string_view text) {
  translated(impl_->path, [&] { impl_->statement.bind(parameter, std::string(text)); });
}
void Statement::bind_blob(int parameter, std::string_view bytes) {
  // A null pointer would be bound as NULL.
  const char* start = bytes.data() == nullptr ? "" : bytes.data();
  translated(impl_->path,
             [&] { impl_->statement.bind(parameter, start, static_cast<int>(bytes.size())); });
}
void Statement::bind_borrowed(int parameter, const std::string& text) {
  translated(impl_->path, [&] { impl_->statement.bindNoCopy(parameter, text); });
}

bool Statement::step() {
  return translated(impl_->path, [&] { return impl_->statement.executeStep(); });
}

// What sqlite3_reset() returns is the failure of the last step, which was reported then.
void Statement::reset() { static_cast<void>(impl_->statement.tryReset()); }

Storage Statement::storage(int column) const {
  switch (impl_->statement.getColumn(column).getType()) {
    case SQLITE_INTEGER:
      return Storage::kInteger;
    case SQLITE_FLOAT:
      return Storage::kReal;
    case SQLITE_TEXT:
      return Storage::kText;
    case SQLITE_BLOB:
      return Storage::kBlob;
    default:
      return Storage::kNull;
  }
}
std::int64_t Statement::integer(int column) const {
  return impl_->statement.getColumn(column).getInt64();
}
std::string Statement::text(int column) const {
  return impl_->statement.getColumn(column).getString();
}

class Connection::Impl {
 public:
  explicit Impl(const ConnectOptions& options)
      : database(lies_still(options) ? uri_of(options.path) : options.path.string(),
                 flags_of(options.access) | SQLite::OPEN_NOMUTEX |
                     (lies_still(options) ? SQLite::OPEN_URI : 0),
                 static_cast<int>(options.busy_timeout.count())) {}
  SQLite::Database database;
};

Connection::Connection(const ConnectOptions& options) : path_(options.path) {
  translated(path_, [&] {
    roll_back_what_is_left(options);
    impl_ = std::make_unique<Impl>(options);
  });
  // Tables are written and read from end to end: a cache would only be filled.
  execute("PRAGMA foreign_keys=ON; PRAGMA temp_store=FILE; PRAGMA cache_size=-2048");
  // A checkpoint writes a page once however often it changed: every 32 MiB of log, not every 4.
  execute("PRAGMA wal_autocheckpoint=8192");
  if (options.pages_max != 0) {
    execute("PRAGMA max_page_count=" + std::to_string(options.pages_max));
  }
}
Connection::~Connection() = default;

void Connection::execute(const std::string& sql) {
  translated(path_, [&] { impl_->database.exec(sql); });
}

Statement Connection::prepare(const std::string& sql) {
  return translated(path_, [&] {
    return Statement(std::make_unique<Statement::Impl>(impl_->database, sql, path_));
  });
}

std::int64_t Connection::query_integer(const std::string& sql) {
  Statement statement = prepare(sql);
  TENANTRY_ASSERT(statement.step());
  return statement.integer(0);
}

std::int64_t Connection::changes() const { return sqlite3_changes64(impl_->database.getHandle()); }

void Connection::rollback() noexcept {
  if (sqlite3_get_autocommit(impl_->database.getHandle()) == 0) {
    static_cast<void>(impl_->database.tryExec("ROLLBACK"));
  }
}

void Connection::enforce_foreign_keys(bool enforced) noexcept {
  // A flag of the connection: nothing is read or written, and there is nothing to fail.
  static_cast<void>(sqlite3_db_config(impl_->database.getHandle(), SQLITE_DBCONFIG_ENABLE_FKEY,
                                      enforced ? 1 : 0, nullptr));
}

bool Connection::has_table(std::string_view name) {
  Statement statement = prepare("SELECT 1 FROM main.sqlite_master WHERE type='table' AND name=?");
  statement.bind(1, name);
  return statement.step();
}

namespace {

std::string referring_column(Connection& connection, const std::string& table, std::int64_t id) {
  Statement statement = connection.prepare(
      "SELECT group_concat(\"from\", ', ') FROM pragma_foreign_key_list(?) WHERE id = ?");
  statement.bind(1, std::string_view(table));
  statement.bind(2, id);
  return statement.step() ? statement.text(0) : std::string("?");
}

// A few of those that rows of a table of ours name.
std::string dangling_ids(Connection& connection, const std::string& table, std::int64_t key,
                         const std::string& column) {
  const std::string name = identifier(column);
  Statement statement = connection.prepare(
      "SELECT group_concat(id, ', ') FROM (SELECT DISTINCT r." + name + " AS id FROM " +
      identifier(table) + " AS r WHERE r.rowid IN (SELECT rowid FROM pragma_foreign_key_check(" +
      text_literal(table) + ") WHERE fkid = ?) ORDER BY 1 LIMIT 5)");
  statement.bind(1, key);
  return statement.step() ? statement.text(0) : std::string("?");
}

// Inside the transaction that could not be committed, or that lost the statement that was refused.
[[noreturn]] void raise_references(Connection& connection, const std::string& otherwise) {
  std::string found;
  std::string hint = dangling_hint({}, {});
  Statement statement = connection.prepare(
      "SELECT \"table\", parent, fkid, count(*) FROM pragma_foreign_key_check GROUP BY 1, 2, 3");
  while (statement.step()) {
    const std::string table = statement.text(0);
    const std::string column = referring_column(connection, table, statement.integer(2));
    if (!found.empty()) found += "; ";
    found += table + "." + column + ": " + std::to_string(statement.integer(3)) +
             " row(s) refer to rows of " + statement.text(1) + " that are gone";
    if (events::find_table(table) == nullptr) continue;
    found += ": " + dangling_ids(connection, table, statement.integer(2), column);
    if (statement.text(1) == "auth_user") hint = dangling_hint(table, statement.text(1));
  }
  throw UsageError("read_model_referenced", found.empty() ? otherwise : found, hint, 4);
}

}  // namespace

Transaction::Transaction(Connection& connection, Lock lock) : connection_(connection) {
  connection_.execute(lock == Lock::kImmediate ? "BEGIN IMMEDIATE" : "BEGIN");
  // Other applications' keys may be declared immediate; within a batch only the outcome counts.
  connection_.execute("PRAGMA defer_foreign_keys=ON");
}

Transaction::~Transaction() {
  if (open_) connection_.rollback();
}

void Transaction::commit() {
  try {
    connection_.execute("COMMIT");
    open_ = false;
  } catch (const ConstraintViolation& violation) {
    raise_references(connection_, violation.what());
  }
}

void check_references(Connection& connection, std::string_view table) {
  const std::int64_t any = connection.query_integer(
      "SELECT EXISTS (SELECT 1 FROM pragma_foreign_key_check(" + text_literal(table) + "))");
  if (any != 0) raise_references(connection, "rows refer to rows that are gone");
}

}  // namespace tenantry::projections::sqlite
