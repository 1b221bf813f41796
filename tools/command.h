#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "tools/exit_code.h"
#include "tools/session.h"

namespace CLI {  // NOLINT(readability-identifier-naming): the library's own.
class App;
}

namespace tenantry::tools {

// One command of the program: what it takes and what it does.
class Command {
 public:
  Command() = default;
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;
  virtual ~Command() = default;

  [[nodiscard]] virtual std::string_view name() const = 0;
  [[nodiscard]] virtual std::string_view help() const = 0;
  [[nodiscard]] virtual std::string_view examples() const = 0;  // A line each.
  // Adds its options, bound to members of this object.
  virtual void declare(CLI::App& app) = 0;
  // Errors: the faults of core/error.h, Interrupted, ClosedPipe.
  [[nodiscard]] virtual ExitCode run(Session& session) = 0;
  // How it opens the store. Reading leaves every file of the store as it is, unless somebody else
  // wants to write; who reads for long opens it for writing where it may.
  enum class Opens { kToRead, kToReadForLong, kToWrite };
  [[nodiscard]] virtual Opens opens() const { return Opens::kToRead; }
};

[[nodiscard]] std::unique_ptr<Command> make_init_command();
[[nodiscard]] std::unique_ptr<Command> make_apply_command();
[[nodiscard]] std::unique_ptr<Command> make_do_command();
[[nodiscard]] std::unique_ptr<Command> make_resolve_command();
[[nodiscard]] std::unique_ptr<Command> make_log_command();
[[nodiscard]] std::unique_ptr<Command> make_show_command();
[[nodiscard]] std::unique_ptr<Command> make_history_command();
[[nodiscard]] std::unique_ptr<Command> make_blame_command();
[[nodiscard]] std::unique_ptr<Command> make_rows_command();
[[nodiscard]] std::unique_ptr<Command> make_members_command();
[[nodiscard]] std::unique_ptr<Command> make_diff_command();
[[nodiscard]] std::unique_ptr<Command> make_status_command();
[[nodiscard]] std::unique_ptr<Command> make_project_command();
[[nodiscard]] std::unique_ptr<Command> make_rebuild_command();
[[nodiscard]] std::unique_ptr<Command> make_verify_command();
[[nodiscard]] std::unique_ptr<Command> make_schema_command();
[[nodiscard]] std::unique_ptr<Command> make_generate_command();
[[nodiscard]] std::unique_ptr<Command> make_export_command();
[[nodiscard]] std::unique_ptr<Command> make_import_command();
[[nodiscard]] std::unique_ptr<Command> make_backup_command();
[[nodiscard]] std::unique_ptr<Command> make_squash_command();
[[nodiscard]] std::unique_ptr<Command> make_squashes_command();
[[nodiscard]] std::unique_ptr<Command> make_restore_command();
[[nodiscard]] std::unique_ptr<Command> make_completion_command();

}  // namespace tenantry::tools
