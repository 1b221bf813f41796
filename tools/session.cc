#include "tools/session.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include "core/error.h"
#include "core/owner/shared_store.h"
#include "core/store_lock.h"
#include "events/text.h"
#include "projections/postgres/postgres_read_model.h"
#include "projections/sqlite/sqlite_read_model.h"
#include "tools/points.h"
#include "tools/terminal.h"

namespace tenantry::tools {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::milliseconds kOwnerWait{2000};
constexpr std::chrono::milliseconds kUnsaid{1000};  // Who owns it for less is not worth a word.
constexpr std::chrono::milliseconds kOwnerPoll{20};

void say(std::string_view text) {
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
}

// A line from standard input without its end; what there is at the end of input.
std::string read_answer(const Interrupt& interrupt) {
  std::string answer;
  for (;;) {
    std::array<pollfd, 2> watched{{{STDIN_FILENO, POLLIN, 0}, {interrupt.descriptor(), POLLIN, 0}}};
    if (::poll(watched.data(), watched.size(), -1) < 0 && errno != EINTR) return answer;
    interrupt.check();
    char c = 0;
    if (::read(STDIN_FILENO, &c, 1) != 1 || c == '\n') return answer;
    answer += c;
  }
}

}  // namespace

Session::Session(const GlobalOptions& options, const Interrupt& interrupt, OutputStream& out)
    : options_(options),
      interrupt_(interrupt),
      out_(out),
      clock_(make_system_clock()),
      ids_(make_random_ids()) {}

Session::~Session() = default;

void Session::prefer_writing() { writing_ = writing_ || StoreLock::may_write(options_.store); }

void Session::open(std::function<bool()> wait_for_owner) {
  StoreOptions options;
  options.directory = options_.store;
  options.read_only = !writing_;
  // Who reads once and goes away gains nothing from a full cache.
  if (!writing_) options.memory.block_cache_bytes = std::size_t{8} << 20;
  options.wait_for_owner = std::move(wait_for_owner);
  options.warn = [](const std::string& trouble) { warn(trouble); };
  store_ = owner::open_shared_store(std::move(options), *clock_, *ids_);
}

TenancyStore& Session::store() {
  if (!store_) {
    open([this, deadline = std::optional<steady_clock::time_point>()]() mutable {
      if (!deadline) deadline = steady_clock::now() + kOwnerWait;
      interrupt_.wait(kOwnerPoll);
      interrupt_.check();
      return steady_clock::now() < *deadline;
    });
  }
  return *store_;
}

TenancyStore& Session::await_store() {
  if (!store_) {
    open([this, since = std::optional<steady_clock::time_point>(), said = false]() mutable {
      if (!since) since = steady_clock::now();
      if (!said && steady_clock::now() - *since >= kUnsaid) {
        said = true;
        remark("another process owns the store and lets nobody in; waiting for it");
      }
      interrupt_.wait(kOwnerPoll);
      interrupt_.check();
      return true;
    });
  }
  return *store_;
}

ReadModelTarget Session::read_model_target() const {
  return find_read_model(options_.read_model, options_.store);
}

namespace {

void check_schema(const std::string& schema) {
  constexpr std::size_t kNameBytesMax = 63;
  if (schema.size() <= kNameBytesMax && schema != "tenantry" && !schema.starts_with("pg_")) return;
  throw UsageError("usage", "the tables cannot be in a schema \"" + schema + "\"",
                   "another name, such as --schema audit");
}

std::unique_ptr<projections::ReadModel> open_target(const ReadModelTarget& target, bool read_only,
                                                    const std::string& schema,
                                                    std::stop_token stop) {
  if (const auto* file = std::get_if<SqliteLocation>(&target.location)) {
    if (!schema.empty()) {
      throw UsageError("usage", "a SQLite file has no schemas",
                       "name another file with --read-model sqlite:PATH");
    }
    return projections::open_sqlite_read_model({.path = file->path, .read_only = read_only});
  }
  projections::PostgresOptions options;
  options.connection = std::get<PostgresLocation>(target.location).connection;
  options.read_only = read_only;
  options.stop = std::move(stop);
  if (!schema.empty()) {
    check_schema(schema);
    options.schema = schema;
  }
  return projections::open_postgres_read_model(std::move(options));
}

}  // namespace

std::unique_ptr<projections::ReadModel> Session::open_read_model(bool read_only,
                                                                 const std::string& schema) const {
  return open_target(read_model_target(), read_only, schema, interrupt_.token());
}

std::unique_ptr<projections::ReadModel> Session::open_read_model_named(
    const std::string& url) const {
  return open_target(find_read_model(url, options_.store), /*read_only=*/true, {},
                     interrupt_.token());
}

std::unique_ptr<projections::ReadModel> Session::open_source(const std::string& url) const {
  const ReadModelTarget source =
      find_read_model(url.empty() ? options_.read_model : url, options_.store);
  if (!source.named) {
    throw UsageError("source_not_named", "no database is named",
                     "--from postgresql://USER@HOST/DATABASE, or --from sqlite:PATH");
  }
  return open_target(source, /*read_only=*/true, {}, interrupt_.token());
}

PrintOptions Session::printing() const {
  const bool terminal = out_.is_terminal();
  PrintOptions printing;
  printing.format =
      requested_format(options_).value_or(terminal ? Format::kTable : Format::kNdjson);
  printing.fields = split_list(options_.fields);
  if (printing.fields.empty() && !options_.fields.empty()) {
    throw UsageError("usage", "--fields names no field", "--fields position,kind");
  }
  printing.color = wants_color(options_.color, terminal);
  printing.width = terminal ? terminal_width(STDOUT_FILENO) : 0;
  return printing;
}

ProgressMeter::Mode Session::progress_mode(bool streams) const {
  if (options_.quiet) return ProgressMeter::Mode::kOff;
  if (::isatty(STDERR_FILENO) != 1) return ProgressMeter::Mode::kLines;
  return streams && out_.is_terminal() ? ProgressMeter::Mode::kOff : ProgressMeter::Mode::kBar;
}

Progress Session::progress_of(ProgressMeter& meter) const {
  return [this, &meter](std::uint64_t done, std::uint64_t total) {
    interrupt_.check();
    meter.update(done, total);
  };
}

RowsAt Session::rows_at(const std::string& point, const std::optional<events::Uuid>& tenant) {
  if (point.empty()) return store().rows_now();
  return rows_at(parse_reached_point(store(), point, now()), tenant);
}

RowsAt Session::rows_at(Position position, const std::optional<events::Uuid>& tenant) {
  ProgressMeter meter(progress_mode(false), "fold", "events");
  RowsAt rows = store().rows_at(position, progress_of(meter));
  if (tenant) require_all_known(rows, tenant);
  if (tenant) return rows;
  for (const auto& [unknown, known] : rows.unknown) {
    remark(
        fmt::format("there are no rows of tenant {}: its events were redacted, and nobody knows "
                    "them before position {}",
                    events::format_uuid(unknown), known.value));
  }
  if (!rows.missing.empty()) {
    remark(fmt::format("{} rows that others had from such a tenant are not there either",
                       rows.missing.size()));
  }
  return rows;
}

void Session::remark(const std::string& text) const {
  if (!options_.quiet) say(events::printable(text) + "\n");
}

void Session::warn(const std::string& text) { say("warning: " + events::printable(text) + "\n"); }

bool Session::confirm(const std::string& what, const std::string& expected) const {
  if (options_.yes) return true;
  if (::isatty(STDIN_FILENO) != 1 || ::isatty(STDERR_FILENO) != 1) {
    throw UsageError("confirmation_needed", what + ", and nobody has confirmed it",
                     "add --yes where nobody can be asked");
  }
  say(events::printable(what + ". Type " + expected + " to go on: "));
  return read_answer(interrupt_) == expected;
}

}  // namespace tenantry::tools
