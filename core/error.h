#pragma once

#include <stdexcept>
#include <string>

// Faults are exceptions of three types, named by what the caller should do. Rejections are values;
// bugs abort through TENANTRY_ASSERT.
namespace tenantry {

// What was stored cannot be what was written. Stop, never retry; the message names the place.
// Exit 7.
class CorruptionError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// The store or a database cannot be reached or used now: locked, full, gone. Trying later may help.
// Exit 6.
class UnavailableError : public std::runtime_error {
 public:
  explicit UnavailableError(const std::string& what, std::string hint = {},
                            std::string code = "unavailable")
      : std::runtime_error(what), hint_(std::move(hint)), code_(std::move(code)) {}
  // `unavailable`, or what is known better: `disk_full`, `disk_low`.
  [[nodiscard]] const std::string& code() const { return code_; }
  // The next command or step to try; empty when there is none to name.
  [[nodiscard]] const std::string& hint() const { return hint_; }

 private:
  std::string hint_;
  std::string code_;
};

// The operator asked for something that cannot be done as asked; nothing was changed. `exit_code`
// is the one of the command line's contract: 2 usage, 4 conflict, 5 not found.
class UsageError : public std::runtime_error {
 public:
  UsageError(std::string code, const std::string& what, std::string hint = {}, int exit_code = 2)
      : std::runtime_error(what),
        code_(std::move(code)),
        hint_(std::move(hint)),
        exit_code_(exit_code) {}
  [[nodiscard]] const std::string& code() const { return code_; }
  [[nodiscard]] const std::string& hint() const { return hint_; }
  [[nodiscard]] int exit_code() const { return exit_code_; }

 private:
  std::string code_;
  std::string hint_;
  int exit_code_;
};

// Prints the condition and its place to standard error and aborts.
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line);

}  // namespace tenantry

// Stays on in release builds: a wrong append is permanent, a crash is not.
#define TENANTRY_ASSERT(condition)    \
  ((condition) ? static_cast<void>(0) \
               : ::tenantry::assertion_failed(#condition, __FILE__, __LINE__))
