#pragma once

#include <functional>
#include <memory>
#include <optional>

#include <pqxx/pqxx>

#include "projections/postgres/conninfo.h"
#include "projections/postgres/cut_off.h"
#include "projections/postgres/errors.h"

// Reading through libpqxx. Its errors are translated here and nowhere else.
namespace tenantry::projections::postgres {

// One connection that reads. Threads: one at a time.
// libpqxx 6.4 silently connects anew at the third use after a connection was lost, without the
// session's settings; here it must not: a Session whose connection broke throws for ever.
class Session {
 public:
  explicit Session(const ConnectionInfo& info);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  [[nodiscard]] pqxx::connection_base& connection() { return *connection_; }
  // False when the connection has ended, also since it was last used.
  [[nodiscard]] bool usable() const;

  // Calls `body`; what libpqxx throws comes out as the faults of raise_server_error().
  void translated(const std::function<void()>& body) const;

 private:
  std::string name_;
  std::unique_ptr<pqxx::connection> connection_;
  std::optional<CutOff> cut_off_;  // Of its socket. Goes first.
};

// A transaction that sees one moment and cannot write.
using ReadTransaction = pqxx::transaction<pqxx::repeatable_read, pqxx::read_only>;

}  // namespace tenantry::projections::postgres
