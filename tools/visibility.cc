#include "tools/visibility.h"

#include <algorithm>
#include <chrono>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "core/error.h"
#include "projections/target_check.h"
#include "tools/exit_code.h"

namespace tenantry::tools {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Between two looks: what follows the log shows it within milliseconds, or takes long anyway.
constexpr milliseconds kFirstPause{2};
constexpr milliseconds kLongestPause{50};

}  // namespace

void declare_wait(CLI::App& app, std::string& read_model, std::uint64_t& seconds,
                  CLI::Option* dry_run) {
  app.add_option("--wait", read_model,
                 "answer when the rows are visible in that read model; default: the one of "
                 "--read-model")
      ->check([](const std::string& text) {
        return text.empty() ? std::string("must not be empty") : std::string();
      })
      ->type_name("READ_MODEL")
      ->excludes(dry_run);
  declare_wait_max(app, seconds);
}

void declare_wait_max(CLI::App& app, std::uint64_t& seconds) {
  add_count(app, "--wait-max", seconds,
            fmt::format("seconds to wait at most (default {})", kWaitSeconds));
}

Visibility::Visibility(Session& session, const std::string& read_model, std::uint64_t seconds_max)
    : session_(session),
      store_(session.store()),
      identity_(store_.identity()),
      seconds_max_(seconds_max),
      read_model_(read_model == "default" ? session.open_read_model(/*read_only=*/true)
                                          : session.open_read_model_named(read_model)) {
  seen_ = look();
}

void Visibility::await(Position position) {
  const auto deadline = steady_clock::now() + std::chrono::seconds(seconds_max_);
  for (milliseconds pause = kFirstPause; seen_ < position;
       pause = std::min(pause * 2, kLongestPause)) {
    seen_ = std::max(seen_, look());
    if (seen_ >= position || session_.interrupt().requested()) return;
    if (steady_clock::now() >= deadline) {
      throw UnavailableError(
          fmt::format(
              "{} does not show position {} after {} s: {}", read_model_->name(), position.value,
              seconds_max_,
              trouble_.empty() ? fmt::format("it is at position {}", seen_.value) : trouble_),
          "is `tenantry project --follow` running for it? What was answered is in the log",
          "not_visible");
    }
    session_.interrupt().wait(pause);
  }
}

Position Visibility::look() {
  trouble_.clear();
  std::optional<projections::Mark> mark;
  try {
    mark = read_model_->read()->mark();
  } catch (const UnavailableError& error) {
    trouble_ = error.what();
    return {};
  } catch (const UsageError& error) {  // There is no file, or no database yet.
    trouble_ = error.what();
    return {};
  }
  if (!mark) {
    trouble_ = "it has no checkpoint yet";
    return {};
  }
  // Stores that were restored from one backup are of one incarnation, too.
  if (mark->epoch != checked_epoch_ && !projections::continues(store_, *mark)) {
    throw UsageError(
        "read_model_foreign",
        fmt::format("{} shows the events of the store {}, incarnation {}, not those "
                    "of {}, incarnation {}, or another history of it",
                    read_model_->name(), events::format_uuid(mark->store_id), mark->incarnation,
                    events::format_uuid(identity_.store), identity_.incarnation),
        "wait for another read model", static_cast<int>(ExitCode::kConflict));
  }
  checked_epoch_ = mark->epoch;
  return mark->position;
}

}  // namespace tenantry::tools
