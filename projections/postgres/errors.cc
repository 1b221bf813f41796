#include "projections/postgres/errors.h"

#include <string_view>

#include "core/error.h"
#include "projections/postgres/schema.h"

namespace tenantry::projections::postgres {
namespace {

// Faults that pass, or that an operator of the database mends: exit 6. The longest code that the
// error's begins with counts.
struct Trouble {
  std::string_view sqlstate;
  std::string_view hint;
};
constexpr std::string_view kDenied = "42501";
constexpr Trouble kTroubles[] = {
    {"08", "is the server running, and may this machine reach it? try again"},
    {"28",
     "give the password in PGPASSWORD, in ~/.pgpass or in a URL in TENANTRY_READ_MODEL; is "
     "the user the right one?"},
    {"3D000", "create it (`createdb NAME`), or name another one"},
    {kDenied,
     "let the owner of the tables run this, or GRANT what is missing; where row security hides "
     "rows, ALTER ROLE … BYPASSRLS"},
    {"25006", "this is a standby, or it is set to read only: name the primary"},
    {"25P03", "the server ended a transaction that was idle too long; try again"},
    {"40", "another transaction was in the way; try again"},
    {"53100", "free space on the server's disk, then try again; nothing was changed"},
    {"53300", "the server has no connection left; try again later"},
    {"53", "the server lacks a resource; try again later"},
    {"55P03", "another projector, a rebuild or a migration is at work; try again"},
    {"57014",
     "the server's statement_timeout ended it, or somebody cancelled it: raise the time-out for "
     "this role (ALTER ROLE … SET statement_timeout = 0)"},
    {"57P05", "the server ended a session that was idle too long; try again"},
    {"57P", "the server is stopping or starting; try again"},
    {"58", "look at the server's log and disk"},
};

const Trouble* find_trouble(const std::string& sqlstate) {
  const Trouble* best = nullptr;
  for (const Trouble& trouble : kTroubles) {
    if (!sqlstate.starts_with(trouble.sqlstate)) continue;
    if (best == nullptr || best->sqlstate.size() < trouble.sqlstate.size()) best = &trouble;
  }
  return best;
}

// `permission denied for table auth_user`: what to GRANT. Servers that speak another language than
// English say it in words of theirs; then nothing.
std::string missing_grant(const std::string& message) {
  struct Right {
    std::string_view refused;
    std::string_view granted;
  };
  constexpr Right kRights[] = {
      {"permission denied for table ", "SELECT, INSERT, UPDATE, DELETE ON TABLE "},
      {"permission denied for sequence ", "SELECT, UPDATE ON SEQUENCE "},
      {"permission denied for schema ", "USAGE, CREATE ON SCHEMA "},
      {"permission denied for database ", "CREATE ON DATABASE "},
      {"permission denied to create temporary tables in database ", "TEMPORARY ON DATABASE "},
  };
  for (const Right& right : kRights) {
    if (!message.starts_with(right.refused)) continue;
    std::string name = message.substr(right.refused.size());
    if (name == "mark") name = kMarkTable;
    return std::string(right.granted) + name;
  }
  return {};
}

std::string hint_of(const Trouble& trouble, const std::string& message) {
  const std::string grant = trouble.sqlstate == kDenied ? missing_grant(message) : std::string();
  if (grant.empty()) return std::string(trouble.hint);
  return "let the owner run this, or let the owner GRANT " + grant + " TO this user";
}

}  // namespace

void raise_server_error(const std::string& database, ServerError error) {
  const std::string& state = error.sqlstate;
  // A name in the catalogue, taken by somebody who committed while this statement waited.
  if (state == "23505" && error.schema == "pg_catalog") throw AlreadyThere(error.message);
  if (state.starts_with("23")) throw ConstraintViolation(std::move(error));
  if (state == "42P07" || state == "42P06") throw AlreadyThere(error.message);
  const std::string what = database + ": " + error.message;
  if (state.empty()) {
    throw UnavailableError(what, std::string(find_trouble("08")->hint));
  }
  if (state == "XX001" || state == "XX002") throw CorruptionError(what);
  if (const Trouble* trouble = find_trouble(state)) {
    throw UnavailableError(what, hint_of(*trouble, error.message));
  }
  if (state.starts_with("42")) {
    throw UsageError("read_model_shape", what, "`tenantry schema check` lists what differs", 4);
  }
  // A value that does not fit, or a limit of the server: no second try is better.
  if (state.starts_with("22") || state.starts_with("54")) {
    throw UsageError("read_model_conflict", what, "`tenantry schema check` lists what differs", 4);
  }
  throw UnavailableError(what + " (SQLSTATE " + state + ")", "look at the server's log");
}

}  // namespace tenantry::projections::postgres
