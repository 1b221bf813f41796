#pragma once

#include <stdexcept>
#include <string>

// What a server refuses, as the faults of core/error.h. Every error of libpq and of libpqxx passes
// through here.
namespace tenantry::projections::postgres {

struct ServerError {
  std::string sqlstate;  // Empty when the connection failed before the server could say one.
  std::string message;   // The server's first line; details may hold secrets and stay out.
  std::string schema;    // Of the table, where the error names one.
  std::string table;
  std::string constraint;
};

// A constraint of the database refused a statement (class 23). Never leaves this folder.
class ConstraintViolation : public std::runtime_error {
 public:
  explicit ConstraintViolation(ServerError error)
      : std::runtime_error(error.message), error_(std::move(error)) {}
  [[nodiscard]] const ServerError& error() const { return error_; }
  [[nodiscard]] bool foreign_key() const { return error_.sqlstate == "23503"; }

 private:
  ServerError error_;
};

// Another session made the same thing first (42P07, 42P06, or 23505 in the catalogue). Never leaves
// this folder.
class AlreadyThere : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Throws ConstraintViolation, AlreadyThere, or a fault that names `database` and says what to do.
[[noreturn]] void raise_server_error(const std::string& database, ServerError error);

}  // namespace tenantry::projections::postgres
