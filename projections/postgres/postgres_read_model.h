#pragma once

#include <chrono>
#include <memory>
#include <stop_token>
#include <string>

#include "projections/read_model.h"

namespace tenantry::projections {

struct PostgresOptions {
  std::string connection;         // A postgresql:// URL or a keyword string of libpq.
  std::string schema = "public";  // Where the tables are.
  bool read_only = false;         // Verification and schema checks need no more.
  std::chrono::milliseconds lock_timeout{10'000};  // How long to wait for another writer.
  // Once a stop is asked for, a server that does not answer is waited for 2.5 s more, then given
  // up: UnavailableError.
  std::stop_token stop{};
};

// A read model in a PostgreSQL database, laid out as Django lays the tables out there. Connects
// when it is first used. Throws UsageError `unsupported_read_model` for a connection that libpq
// does not understand.
[[nodiscard]] std::unique_ptr<ReadModel> open_postgres_read_model(PostgresOptions options);

// Whether the text holds a password, which has no place on a command line. Throws as above.
[[nodiscard]] bool holds_password(const std::string& connection);
// The name of the database that it leads to, as far as it can be known before connecting.
[[nodiscard]] std::string database_name(const std::string& connection);

}  // namespace tenantry::projections
