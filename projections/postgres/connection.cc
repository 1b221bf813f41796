#include "projections/postgres/connection.h"

#include <array>
#include <cerrno>
#include <cstdlib>

#include <libpq-fe.h>
#include <poll.h>

#include "core/error.h"
#include "projections/postgres/cut_off.h"

namespace tenantry::projections::postgres {
namespace {

constexpr int kOldestServer = 140000;

struct FreeResult {
  void operator()(PGresult* result) const { PQclear(result); }
};
using ResultHandle = std::unique_ptr<PGresult, FreeResult>;
struct CloseConnection {
  void operator()(PGconn* connection) const { PQfinish(connection); }
};

std::string field_of(const PGresult* result, int field) {
  const char* const text = PQresultErrorField(result, field);
  return text == nullptr ? "" : text;
}

// The first line: what follows asks what a hint of ours asks.
std::string first_line(const char* text) {
  const std::string_view whole = text == nullptr ? "" : text;
  return std::string(whole.substr(0, whole.find('\n')));
}

ServerError error_of(const PGresult* result, const PGconn* connection) {
  ServerError error;
  error.sqlstate = field_of(result, PG_DIAG_SQLSTATE);
  error.message = field_of(result, PG_DIAG_MESSAGE_PRIMARY);
  error.schema = field_of(result, PG_DIAG_SCHEMA_NAME);
  error.table = field_of(result, PG_DIAG_TABLE_NAME);
  error.constraint = field_of(result, PG_DIAG_CONSTRAINT_NAME);
  if (error.message.empty()) error.message = first_line(PQerrorMessage(connection));
  if (error.message.empty()) error.message = "the connection was lost";
  return error;
}

// While a connection is made libpq keeps the server's answer as text only; asked to be verbose it
// has the code in it: `…FATAL:  28P01: password authentication failed…`.
ServerError connect_error(const PGconn* connection) {
  ServerError error;
  std::string text = first_line(PQerrorMessage(connection));
  constexpr std::size_t kCode = 5;
  for (std::size_t at = 0; at + kCode + 2 <= text.size(); ++at) {
    const std::string code = text.substr(at, kCode);
    const bool shaped =
        code.find_first_not_of("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == std::string::npos &&
        text.compare(at + kCode, 2, ": ") == 0 && at >= 2 && text.compare(at - 2, 2, "  ") == 0;
    if (!shaped) continue;
    error.sqlstate = code;
    text.erase(0, at + kCode + 2);
    break;
  }
  if (error.sqlstate.empty() && PQconnectionNeedsPassword(connection) == 1) {
    error.sqlstate = "28P01";  // The server asked, and libpq had none to give.
  }
  error.message = text.empty() ? "no connection" : text;
  return error;
}

int seconds_to_wait(PGconn* connection) {
  int seconds = 0;
  PQconninfoOption* const options = PQconninfo(connection);
  for (const PQconninfoOption* option = options; option != nullptr && option->keyword != nullptr;
       ++option) {
    if (std::string_view(option->keyword) == "connect_timeout" && option->val != nullptr) {
      seconds = std::atoi(option->val);  // NOLINT(cert-err34-c): libpq reads it so as well.
    }
  }
  PQconninfoFree(options);
  return seconds;
}

std::vector<const char*> texts_of(const std::vector<std::string>& parameters) {
  std::vector<const char*> texts;
  texts.reserve(parameters.size());
  for (const std::string& parameter : parameters) {
    TENANTRY_ASSERT(parameter.find('\0') == std::string::npos);
    texts.push_back(parameter.c_str());
  }
  return texts;
}

}  // namespace

const char* const kSessionSettings =
    "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED;"
    "SET standard_conforming_strings = on;"
    "SET search_path = pg_catalog;"
    "SET TimeZone = 'UTC';"
    "SET DateStyle = 'ISO, YMD';"
    "SET IntervalStyle = 'iso_8601';"
    "SET bytea_output = 'hex';"
    "SET quote_all_identifiers = off;"
    "SET row_security = off;"
    // A rebuild stages rows in temporary tables; what does not fit goes to files. Taken when used.
    "SET temp_buffers = '64MB';"
    // A stopped process does not hold its locks for ever, and nobody waits for them for ever.
    "SET idle_in_transaction_session_timeout = '5min';"
    "SET lock_timeout = '10s'";

bool has_unread_input(int socket) {
  pollfd watched{socket, POLLIN, 0};
  return ::poll(&watched, 1, 0) != 0;
}

class Result::Impl {
 public:
  explicit Impl(ResultHandle given) : handle(std::move(given)) {}
  ResultHandle handle;
};

Result::Result(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Result::Result(Result&&) noexcept = default;
Result& Result::operator=(Result&&) noexcept = default;
Result::~Result() = default;

int Result::rows() const { return PQntuples(impl_->handle.get()); }

std::string_view Result::text(int row, int column) const {
  return {PQgetvalue(impl_->handle.get(), row, column),
          static_cast<std::size_t>(PQgetlength(impl_->handle.get(), row, column))};
}

bool Result::null(int row, int column) const {
  return PQgetisnull(impl_->handle.get(), row, column) == 1;
}

std::uint64_t Result::affected() const {
  return std::strtoull(PQcmdTuples(impl_->handle.get()), nullptr, 10);
}

class Connection::Impl {
 public:
  Impl(const ConnectionInfo& info, const std::string& name)
      : name_(name), handle_(PQconnectStart(info.keywords.c_str())) {
    if (handle_ == nullptr) throw std::bad_alloc();
    wait_for_connection();
    check_server();
    cut_off_.emplace(info.stop, PQsocket(handle()));
  }

  [[nodiscard]] PGconn* handle() const { return handle_.get(); }
  [[nodiscard]] bool usable() const {
    return handle_ != nullptr && PQstatus(handle()) == CONNECTION_OK &&
           PQpipelineStatus(handle()) == PQ_PIPELINE_OFF &&
           PQtransactionStatus(handle()) != PQTRANS_ACTIVE;
  }
  void close() noexcept {
    cut_off_.reset();
    handle_.reset();
  }

  // The handle, or the error that there is none.
  PGconn* open() const {
    if (handle_ == nullptr) throw UnavailableError(name_ + ": the connection was lost", kLost);
    return handle_.get();
  }

  [[noreturn]] void raise(const PGresult* result) const {
    raise_server_error(name_, error_of(result, handle()));
  }
  void check_sent(int sent) const {
    if (sent != 1) raise(nullptr);
  }

  Result take(ResultHandle result) const {
    const ExecStatusType status = PQresultStatus(result.get());
    const bool good = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK ||
                      status == PGRES_COPY_IN || status == PGRES_PIPELINE_SYNC;
    if (!good) raise(result.get());
    return Result(std::make_unique<Result::Impl>(std::move(result)));
  }

 private:
  static constexpr const char* kLost = "try again: what was committed is not done twice";

  void wait_for_connection() {
    PQsetErrorVerbosity(handle(), PQERRORS_VERBOSE);
    if (PQstatus(handle()) == CONNECTION_BAD) raise_server_error(name_, connect_error(handle()));
    const int seconds = seconds_to_wait(handle());
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
    auto state = PGRES_POLLING_WRITING;
    while (state != PGRES_POLLING_OK) {
      if (state == PGRES_POLLING_FAILED) raise_server_error(name_, connect_error(handle()));
      wait(state == PGRES_POLLING_READING ? POLLIN : POLLOUT, seconds > 0, deadline);
      state = PQconnectPoll(handle());
    }
    PQsetErrorVerbosity(handle(), PQERRORS_DEFAULT);
    // Notices would go to standard error by themselves.
    PQsetNoticeProcessor(
        handle(), [](void*, const char*) {}, nullptr);
  }

  void wait(short events, bool bounded, std::chrono::steady_clock::time_point deadline) const {
    pollfd watched{PQsocket(handle()), events, 0};
    for (;;) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
          deadline - std::chrono::steady_clock::now());
      if (bounded && left.count() <= 0) {
        raise_server_error(name_, {"08001", "no answer within the connect_timeout", {}, {}, {}});
      }
      const int ready = ::poll(&watched, 1, bounded ? static_cast<int>(left.count()) : -1);
      if (ready > 0) return;
      if (ready < 0 && errno != EINTR) {
        raise_server_error(name_, {"08001", "cannot wait for the server", {}, {}, {}});
      }
    }
  }

  void check_server() const {
    if (PQserverVersion(handle()) < kOldestServer) {
      throw UsageError("unsupported_read_model",
                       name_ + " is PostgreSQL " +
                           std::to_string(PQserverVersion(handle()) / 10000) +
                           "; read models need 14 or later",
                       "upgrade the server, or name another one");
    }
    const char* const encoding = PQparameterStatus(handle(), "server_encoding");
    if (encoding == nullptr || std::string_view(encoding) != "UTF8") {
      throw UsageError("unsupported_read_model",
                       name_ + " is encoded in " + (encoding == nullptr ? "?" : encoding) +
                           "; a read model needs UTF8",
                       "CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0");
    }
  }

  std::string name_;
  std::unique_ptr<PGconn, CloseConnection> handle_;
  std::optional<CutOff> cut_off_;  // Of the handle's socket. Goes first.
};

Connection::Connection(const ConnectionInfo& info)
    : name_(info.name), impl_(std::make_unique<Impl>(info, name_)) {
  execute(kSessionSettings);
}

Connection::~Connection() = default;

Result Connection::query(const std::string& sql, const std::vector<std::string>& parameters) {
  const std::vector<const char*> values = texts_of(parameters);
  return impl_->take(
      ResultHandle(PQexecParams(impl_->open(), sql.c_str(), static_cast<int>(values.size()),
                                nullptr, values.data(), nullptr, nullptr, 0)));
}

Result Connection::repeat(const std::string& sql, const std::vector<std::string>& parameters) {
  auto found = repeated_.find(sql);
  if (found == repeated_.end()) {
    const std::string name = "tenantry_again_" + std::to_string(repeated_.size());
    static_cast<void>(
        impl_->take(ResultHandle(PQprepare(impl_->open(), name.c_str(), sql.c_str(), 0, nullptr))));
    found = repeated_.emplace(sql, name).first;
  }
  const std::vector<const char*> values = texts_of(parameters);
  return impl_->take(ResultHandle(PQexecPrepared(impl_->open(), found->second.c_str(),
                                                 static_cast<int>(values.size()), values.data(),
                                                 nullptr, nullptr, 0)));
}

void Connection::execute(const std::string& statements) {
  static_cast<void>(impl_->take(ResultHandle(PQexec(impl_->open(), statements.c_str()))));
}

void Connection::enter_pipeline() { impl_->check_sent(PQenterPipelineMode(impl_->open())); }

void Connection::send_prepare(const std::string& statement, const std::string& sql,
                              std::span<const std::uint32_t> types) {
  static_assert(sizeof(Oid) == sizeof(std::uint32_t));
  impl_->check_sent(PQsendPrepare(impl_->open(), statement.c_str(), sql.c_str(),
                                  static_cast<int>(types.size()), types.data()));
}

void Connection::send(const std::string& statement, std::span<const BinaryParameter> parameters) {
  constexpr std::size_t kMost = 64;
  TENANTRY_ASSERT(parameters.size() <= kMost);
  std::array<const char*, kMost> values{};
  std::array<int, kMost> lengths{};
  std::array<int, kMost> formats{};
  for (std::size_t place = 0; place < parameters.size(); ++place) {
    formats[place] = 1;
    if (!parameters[place]) continue;
    // An empty value is not NULL.
    values[place] = parameters[place]->empty() ? "" : parameters[place]->data();
    lengths[place] = static_cast<int>(parameters[place]->size());
  }
  impl_->check_sent(PQsendQueryPrepared(impl_->open(), statement.c_str(),
                                        static_cast<int>(parameters.size()), values.data(),
                                        lengths.data(), formats.data(), 0));
}

void Connection::sync() { impl_->check_sent(PQpipelineSync(impl_->open())); }

Result Connection::receive() {
  ResultHandle result(PQgetResult(impl_->open()));
  if (result == nullptr) impl_->raise(nullptr);
  Result taken = impl_->take(std::move(result));
  // The end of this statement's results.
  const ResultHandle end(PQgetResult(impl_->open()));
  if (end != nullptr) impl_->raise(end.get());
  return taken;
}

void Connection::receive_sync() {
  const ResultHandle result(PQgetResult(impl_->open()));
  if (PQresultStatus(result.get()) != PGRES_PIPELINE_SYNC) impl_->raise(result.get());
}

void Connection::leave_pipeline() { impl_->check_sent(PQexitPipelineMode(impl_->open())); }

void Connection::skip_pipeline() {
  // A null result ends the results of one statement; the answer to the sync ends all.
  for (;;) {
    const ResultHandle result(PQgetResult(impl_->open()));
    if (PQresultStatus(result.get()) == PGRES_PIPELINE_SYNC) break;
    if (PQstatus(impl_->open()) != CONNECTION_OK) impl_->raise(result.get());
  }
  leave_pipeline();
}

void Connection::abandon_pipeline() {
  skip_pipeline();
  roll_back();
}

void Connection::begin_copy(const std::string& sql) { execute(sql); }

void Connection::copy(std::string_view bytes) {
  if (PQputCopyData(impl_->open(), bytes.data(), static_cast<int>(bytes.size())) != 1) {
    impl_->raise(nullptr);
  }
}

void Connection::end_copy() {
  if (PQputCopyEnd(impl_->open(), nullptr) != 1) impl_->raise(nullptr);
  static_cast<void>(impl_->take(ResultHandle(PQgetResult(impl_->open()))));
  const ResultHandle end(PQgetResult(impl_->open()));
  if (end != nullptr) impl_->raise(end.get());
}

void Connection::commit() {
  const ResultHandle result(PQexec(impl_->open(), "COMMIT"));
  if (PQresultStatus(result.get()) != PGRES_COMMAND_OK) impl_->raise(result.get());
  // The server answers a COMMIT of a failed transaction with ROLLBACK, and calls it success.
  if (std::string_view(PQcmdStatus(result.get())) != "COMMIT") {
    throw UnavailableError(name_ + ": the server rolled the transaction back", "try again");
  }
}

void Connection::roll_back() noexcept {
  PGconn* const handle = impl_->handle();
  if (handle == nullptr) return;
  if (!impl_->usable()) return impl_->close();  // The server rolls back when the link ends.
  if (PQtransactionStatus(handle) == PQTRANS_IDLE) return;
  const ResultHandle result(PQexec(handle, "ROLLBACK"));
  if (PQresultStatus(result.get()) != PGRES_COMMAND_OK) impl_->close();
}

bool Connection::usable() const {
  return impl_->usable() && PQtransactionStatus(impl_->handle()) == PQTRANS_IDLE &&
         !has_unread_input(PQsocket(impl_->handle()));
}

}  // namespace tenantry::projections::postgres
