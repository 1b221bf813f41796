#include "tests/support/postgres_database.h"

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <stdexcept>

#include <libpq-fe.h>

namespace tenantry {
namespace {

constexpr const char* kVariable = "TENANTRY_TEST_POSTGRES";

struct Finish {
  void operator()(PGconn* connection) const { PQfinish(connection); }
  void operator()(PGresult* result) const { PQclear(result); }
};
using Connection = std::unique_ptr<PGconn, Finish>;
using Result = std::unique_ptr<PGresult, Finish>;

std::string server_url() {
  const char* url = std::getenv(kVariable);
  if (url == nullptr || *url == '\0') {
    throw std::runtime_error(
        std::string("this test needs a PostgreSQL server: run it by ctest, which starts one, or as "
                    "`tools/postgres.sh run PROGRAM`, which sets ") +
        kVariable);
  }
  return url;
}

// `server` with another database: `postgresql://AUTHORITY/DATABASE?OPTIONS`.
std::string url_of(const std::string& server, const std::string& database) {
  const std::size_t authority = server.find("://");
  const std::size_t path =
      authority == std::string::npos ? authority : server.find('/', authority + 3);
  if (path == std::string::npos) {
    throw std::runtime_error(std::string(kVariable) + " is no URL with a database: " + server);
  }
  const std::size_t options = server.find('?', path);
  return server.substr(0, path + 1) + database +
         (options == std::string::npos ? "" : server.substr(options));
}

Result run(const std::string& url, const std::string& sql) {
  const Connection connection(PQconnectdb(url.c_str()));
  if (PQstatus(connection.get()) != CONNECTION_OK) {
    throw std::runtime_error("no connection to " + url + ": " + PQerrorMessage(connection.get()));
  }
  Result result(PQexec(connection.get(), sql.c_str()));
  const ExecStatusType status = PQresultStatus(result.get());
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
    throw std::runtime_error(PQerrorMessage(connection.get()) + ("in: " + sql));
  }
  return result;
}

std::string random_name() {
  std::random_device random;
  std::string name = "tenantry_test_";
  for (int i = 0; i < 16; ++i) name += "0123456789abcdef"[random() % 16];
  return name;
}

}  // namespace

PostgresDatabase::PostgresDatabase(const Options& options)
    : name_(random_name()), url_(url_of(server_url(), name_)) {
  std::string sql =
      "CREATE DATABASE " + name_ + " TEMPLATE template0 ENCODING '" + options.encoding + "'";
  if (!options.locale.empty()) sql += " LOCALE '" + options.locale + "'";
  if (!options.icu_locale.empty()) {
    sql += " LOCALE_PROVIDER icu ICU_LOCALE '" + options.icu_locale + "'";
  }
  run(server_url(), sql);
}

PostgresDatabase::~PostgresDatabase() {
  try {
    run(server_url(), "DROP DATABASE IF EXISTS " + name_ + " WITH (FORCE)");
  } catch (const std::exception& error) {
    // The server goes with its databases at the end of the run; the test has its verdict already.
    std::fprintf(stderr, "warning: %s was not dropped: %s\n", name_.c_str(), error.what());
  }
}

void PostgresDatabase::execute(const std::string& sql) const { run(url_, sql); }

std::string PostgresDatabase::query(const std::string& sql) const {
  const Result result = run(url_, sql);
  if (PQntuples(result.get()) == 0) throw std::runtime_error("no row from: " + sql);
  return PQgetisnull(result.get(), 0, 0) == 1 ? "NULL" : PQgetvalue(result.get(), 0, 0);
}

}  // namespace tenantry
