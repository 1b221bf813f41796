#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/store.h"
#include "events/commands.h"
#include "events/kinds.h"
#include "tests/support/counting_ids.h"
#include "tests/support/manual_clock.h"
#include "tests/support/temp_directory.h"

namespace tenantry {

// A store in a temporary directory. Commands are lines of NDJSON with single quotes for double
// ones.
class StoreTestBase : public ::testing::Test {
 protected:
  StoreTestBase() {
    init_store(directory(), clock_, ids_);
    open();
  }

  [[nodiscard]] std::filesystem::path directory() const { return temp_ / "store"; }
  void open() { store_ = open_store({.directory = directory()}, clock_, ids_); }
  void close() { store_.reset(); }
  void reopen() {
    close();
    open();
  }
  [[nodiscard]] TenancyStore& store() { return *store_; }

  [[nodiscard]] static events::CommandRequest request(std::string line) {
    for (char& c : line) c = c == '\'' ? '"' : c;
    auto parsed = events::parse_command_line(line, {}, /*historic=*/true);
    if (const auto* refusal = std::get_if<events::Refusal>(&parsed)) {
      ADD_FAILURE() << line << ": " << refusal->code << " " << refusal->message;
      return {};
    }
    return std::get<events::CommandRequest>(std::move(parsed));
  }

  // `1`, `2-3` for the positions, `-` for none, or the code of the refusal.
  static std::string brief(const Answer& answer) {
    if (answer.status != Answer::Status::kAccepted) return answer.refusal.code;
    if (answer.count == 0) return "-";
    const std::string first = std::to_string(answer.first.value);
    return answer.count == 1 ? first
                             : first + "-" + std::to_string(answer.first.value + answer.count - 1);
  }
  std::string run(const std::string& line) {
    const auto command = request(line);
    return brief(store_->submit({&command, 1}, {}).at(0));
  }
  std::vector<std::string> run_all(const std::vector<std::string>& lines,
                                   SubmitOptions options = {}) {
    std::vector<events::CommandRequest> commands;
    commands.reserve(lines.size());
    for (const std::string& line : lines) commands.push_back(request(line));
    std::vector<std::string> answers;
    answers.reserve(commands.size());
    for (const Answer& answer : store_->submit(commands, options)) answers.push_back(brief(answer));
    return answers;
  }
  std::string user(const std::string& name) {
    return run("{'command':'register_user','data':{'username':'" + name + "'}}");
  }
  static std::string protein(const std::string& name, const std::string& beside = "") {
    return "{'command':'add_protein','data':{'name':'" + name + "'}" + beside + "}";
  }

  // `1 UserRegistered`, … of what a filter lets through.
  std::vector<std::string> log(const LogFilter& filter = {}) {
    std::vector<std::string> lines;
    store_->read_log(filter, [&](const StoredEvent& event) {
      lines.push_back(std::to_string(event.position.value) + " " +
                      events::find_kind(event.kind)->name);
      return true;
    });
    return lines;
  }
  // The names of the checks that fail; empty for a sound store.
  std::vector<std::string> failed_checks(VerifyDepth depth = VerifyDepth::kFull) {
    std::vector<std::string> failed;
    for (const CheckResult& check : store_->verify(depth, {})) {
      if (check.passed) continue;
      failed.push_back(check.name + ": " + (check.problems.empty() ? "" : check.problems.front()));
    }
    return failed;
  }

  // The code of the UsageError that the call ends with; empty for none.
  template <class Call>
  static std::string usage_code(Call&& call) {
    try {
      call();
    } catch (const UsageError& error) {
      return error.code();
    }
    return "";
  }

  TempDirectory temp_;
  ManualClock clock_;
  CountingIds ids_;
  std::unique_ptr<TenancyStore> store_;
};

}  // namespace tenantry
