#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "tools/session.h"

namespace CLI {  // NOLINT(readability-identifier-naming): the library's own.
class App;
class Option;
}  // namespace CLI

namespace tenantry::tools {

inline constexpr std::uint64_t kWaitSeconds = 30;

// The option --wait, whose value Visibility takes, and --wait-max. Not with `dry_run`.
void declare_wait(CLI::App& app, std::string& read_model, std::uint64_t& seconds,
                  CLI::Option* dry_run);
// The option --wait-max, for how long at most is waited.
void declare_wait_max(CLI::App& app, std::uint64_t& seconds);

// Waits until a read model shows what the log has: for whoever reads there what they have just
// written. Somebody else projects meanwhile.
class Visibility {
 public:
  // `read_model` is a URL as --read-model takes it, or `default` for the session's own. Opens the
  // store. Throws what find_read_model() throws, and UsageError `read_model_foreign` (exit 4) when
  // it shows the events of another store, or another history of this one.
  Visibility(Session& session, const std::string& read_model, std::uint64_t seconds_max);

  // Returns once the read model shows the event at `position`, or when a stop was requested. One
  // that is absent or cannot be reached may come back. Throws UnavailableError `not_visible` when
  // the time is over, and `read_model_foreign` as above.
  void await(Position position);

 private:
  // How far it is, as far as can be told now.
  Position look();

  const Session& session_;
  const TenancyStore& store_;
  const StoreIdentity identity_;
  std::uint64_t checked_epoch_ = 0;  // Of the mark that the log was found to continue; 0: of none.
  const std::uint64_t seconds_max_;
  std::unique_ptr<projections::ReadModel> read_model_;
  Position seen_;
  std::string trouble_;  // What the last look met; empty for none.
};

}  // namespace tenantry::tools
