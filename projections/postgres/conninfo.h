#pragma once

#include <stop_token>
#include <string>

namespace tenantry::projections::postgres {

// Where a database is, as libpq's keywords say it. It may hold a password: never printed.
struct ConnectionInfo {
  std::string keywords;  // What libpq and libpqxx connect with.
  // For people: `postgresql://user@host:5432/database`, or, where a socket is meant,
  // `postgresql://user@/database?host=/directory&port=5432`.
  std::string name;
  std::string database;  // Its name, or the service's.
  bool has_password = false;
  std::stop_token stop{};  // Then a silent server is given up: see CutOff.
};

// `text` is a postgresql:// URL or a keyword string. What it does not say comes from libpq's
// environment (PGHOST, PGPASSWORD, PGSERVICE, ~/.pgpass, …); time-outs and keep-alives have
// defaults of ours that it may override. Throws UsageError `unsupported_read_model` when libpq does
// not understand it; the message does not repeat it.
[[nodiscard]] ConnectionInfo parse_connection(const std::string& text);

}  // namespace tenantry::projections::postgres
