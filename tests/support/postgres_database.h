#pragma once

#include <string>

namespace tenantry {

// A fresh database on the server that the tests have (`ctest` starts it; by hand:
// `tools/postgres.sh run PROGRAM`), dropped at the end with whoever is still connected.
//
// Threads: any; each call has a connection of its own.
// Errors: std::runtime_error with the server's words, which fails the test; so does a server that
// is missing.
class PostgresDatabase {
 public:
  struct Options {
    std::string encoding = "UTF8";
    std::string locale = {};      // LC_COLLATE and LC_CTYPE; empty: as the server has it, C.UTF-8.
    std::string icu_locale = {};  // Where given, text sorts by this language's rules ("de", "tr").
  };

  PostgresDatabase() : PostgresDatabase(Options{}) {}
  explicit PostgresDatabase(const Options& options);
  PostgresDatabase(const PostgresDatabase&) = delete;
  PostgresDatabase& operator=(const PostgresDatabase&) = delete;
  ~PostgresDatabase();

  // What a client connects with: `postgresql:///tenantry_test_…?host=…`, as a superuser.
  [[nodiscard]] const std::string& url() const { return url_; }
  [[nodiscard]] const std::string& name() const { return name_; }

  // What somebody does in the database behind our back: one statement or several, in one
  // transaction unless they say otherwise.
  void execute(const std::string& sql) const;
  // The first column of the first row; "NULL" for NULL. No row is an error.
  [[nodiscard]] std::string query(const std::string& sql) const;

 private:
  std::string name_;
  std::string url_;
};

}  // namespace tenantry
