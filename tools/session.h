#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/tenancy_store.h"
#include "events/values.h"
#include "projections/read_model.h"
#include "tools/interrupt.h"
#include "tools/options.h"
#include "tools/output_stream.h"
#include "tools/printer.h"
#include "tools/progress.h"
#include "tools/read_model_url.h"

namespace tenantry::tools {

// One run of the program: the global options and what a command needs to work, opened when it is
// first asked for.
class Session {
 public:
  Session(const GlobalOptions& options, const Interrupt& interrupt, OutputStream& out);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  [[nodiscard]] const GlobalOptions& options() const { return options_; }
  [[nodiscard]] const Interrupt& interrupt() const { return interrupt_; }
  [[nodiscard]] OutputStream& out() { return out_; }

  // The store, opened here or used through the process that owns it. Throws UsageError
  // `store_not_found` (exit 6) when there is no store, UnavailableError when its owner lets nobody
  // in, and keeps it for two seconds.
  [[nodiscard]] TenancyStore& store();
  // The same, but waits for as long as it takes, and says so once.
  [[nodiscard]] TenancyStore& await_store();
  [[nodiscard]] ReadModelTarget read_model_target() const;
  // `schema`: where the tables are in PostgreSQL; empty for `public`. Throws UsageError `usage` for
  // one in SQLite, and for one that no tables can be in.
  [[nodiscard]] std::unique_ptr<projections::ReadModel> open_read_model(
      bool read_only, const std::string& schema = {}) const;
  // The one of that URL, which is not empty, for reading.
  [[nodiscard]] std::unique_ptr<projections::ReadModel> open_read_model_named(
      const std::string& url) const;
  // A database named by an option or by the environment, for reading. Throws UsageError
  // `source_not_named` when none is, and what find_read_model() throws.
  [[nodiscard]] std::unique_ptr<projections::ReadModel> open_source(const std::string& url) const;
  // Before store(): it is opened for writing, not only for reading.
  void allow_writing() { writing_ = true; }
  // The same where that is possible, so that others can write while this one reads for long.
  void prefer_writing();

  // Format, fields and colours for standard output.
  [[nodiscard]] PrintOptions printing() const;
  [[nodiscard]] bool prints_table() const { return printing().format == Format::kTable; }
  // Whether secrets are printed whole.
  [[nodiscard]] bool reveal() const { return options_.reveal; }

  // `streams`: records are printed meanwhile, into which a bar would run on a terminal.
  [[nodiscard]] ProgressMeter::Mode progress_mode(bool streams) const;
  // A meter as a function that also throws Interrupted when a stop was asked for. Borrows `meter`.
  [[nodiscard]] Progress progress_of(ProgressMeter& meter) const;
  // The rows as of a point that the log has reached (points.h); empty: as they are now. With
  // `tenant` only its rows are wanted; without, a tenant whose rows are not known is remarked.
  [[nodiscard]] RowsAt rows_at(const std::string& point,
                               const std::optional<events::Uuid>& tenant = std::nullopt);
  // The same of a position.
  [[nodiscard]] RowsAt rows_at(Position position,
                               const std::optional<events::Uuid>& tenant = std::nullopt);
  // A line on standard error, unless quiet.
  void remark(const std::string& text) const;
  // What an operator must hear of: the same, quiet or not.
  static void warn(const std::string& text);
  // Says `what` and asks for `expected` on a terminal; elsewhere --yes must have been given
  // (UsageError `confirmation_needed`). Returns whether to go on.
  [[nodiscard]] bool confirm(const std::string& what, const std::string& expected) const;

  [[nodiscard]] events::Timestamp now() const { return clock_->now(); }
  [[nodiscard]] const Clock& clock() const { return *clock_; }
  [[nodiscard]] IdSource& ids() { return *ids_; }
  // Gives the store up for other processes.
  void close() { store_.reset(); }

 private:
  void open(std::function<bool()> wait_for_owner);

  const GlobalOptions& options_;
  const Interrupt& interrupt_;
  OutputStream& out_;
  bool writing_ = false;
  std::unique_ptr<Clock> clock_;
  std::unique_ptr<IdSource> ids_;
  std::unique_ptr<TenancyStore> store_;  // Borrows the two.
};

}  // namespace tenantry::tools
