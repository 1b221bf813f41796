#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/ids.h"
#include "events/kinds.h"
#include "events/tables.h"
#include "projections/digest.h"

// What a database must be able to do to hold a read model. One implementation per kind of database;
// the projector, the rebuild and the verification know only this. Everything is told by table
// descriptors.
namespace tenantry::projections {

// Whose events a read model shows, and through which one. Kept in a table of our own, beside the
// rows, and changed only together with them.
struct Mark {
  events::Uuid store_id;
  std::uint64_t incarnation = 0;
  std::uint64_t epoch = 0;  // Raised by every rebuild, which fences whoever read an older one.
  Position position;        // The last event whose effects the rows show.
  std::string log_digest;   // The chain hash of the event at `position`, in bytes; zeros for none.
  bool operator==(const Mark&) const = default;
};

// Whether nobody has made, adopted or rebuilt a read model since its mark was `before`. How far a
// projector got meanwhile does not matter.
[[nodiscard]] bool still_stands(const std::optional<Mark>& before, const std::optional<Mark>& now);

// The mark is not the expected one: somebody else moved it. Nothing was written.
struct Fenced {
  std::optional<Mark> found;
};

enum class Severity { kFatal, kWarning };

// A difference between the tables there are and the tables there should be.
struct ShapeFinding {
  Severity severity = Severity::kFatal;
  std::string table;
  std::string message;
  std::string remedy;       // The SQL that mends it; empty when there is no single statement.
  bool unreadable = false;  // ReadView cannot show the rows for it.
};

enum class Presence {
  kAbsent,    // None of the tables. There may be a mark: then somebody dropped them.
  kMarked,    // Tables and a mark; `mark` tells whose.
  kUnmarked,  // Tables and no mark: somebody else made them.
};

struct Probe {
  Presence presence = Presence::kAbsent;
  std::optional<Mark> mark;
  bool has_rows = false;                    // Any row in any of our tables.
  std::vector<std::string> missing_tables;  // Of a read model that was ever there.
  // Of tables that are there, and of Django's record of migrations.
  std::vector<ShapeFinding> findings;
  [[nodiscard]] bool fits() const;  // No fatal finding.
  // Finds `presence` once the mark and all missing tables are known.
  void conclude();
};

// A Django migration that stands for our tables, and whether the database has it on record.
struct Migration {
  std::string application;
  std::string name;
  bool applied = false;
};

// The effects of some events, in one transaction. Destroyed without commit(): nothing happened.
// Errors: UsageError `read_model_conflict` (exit 4) for an inserted key that is already there and
// for a row to patch or remove that is not, both naming table and key; whether apply() or commit()
// throws it is the target's choice.
class Batch {
 public:
  virtual ~Batch() = default;

  // Changes are applied in this order.
  virtual void apply(const events::RowChange& change) = 0;

  // Rows and mark are durable together, or neither. `mark` is of the same store and epoch, and not
  // before the one that was expected. Throws UsageError `read_model_referenced` (exit 4) when other
  // tables still refer to a row that is gone, saying which.
  virtual void commit(const Mark& mark) = 0;
};
using BeginOutcome = std::variant<std::unique_ptr<Batch>, Fenced>;

// What became of the rows of one table.
struct TableChanges {
  const events::TableInfo* table = nullptr;
  std::uint64_t inserted = 0;
  std::uint64_t updated = 0;
  std::uint64_t deleted = 0;
  std::uint64_t unchanged = 0;
  std::uint64_t unknown = 0;  // Rows that the log does not know, kept.
  bool operator==(const TableChanges&) const = default;
};

enum class LoadMode {
  kFresh,    // The tables are absent: loaded aside, indexed, then put in place.
  kInPlace,  // The tables exist (some may be missing): staged, compared, merged in one transaction.
};

struct LoadOptions {
  LoadMode mode = LoadMode::kFresh;
  bool delete_unknown = false;
  bool restore_application_columns = false;
  bool dry_run = false;  // publish() counts and changes nothing.
  // In place only: leave all rows but this tenant's as they are.
  std::optional<events::Uuid> tenant = {};
  // In place only: whether the log ever had a row of that id. A row that is there and was not added
  // goes if the log had it, and is unknown otherwise. Empty: the log never had any.
  std::function<bool(const events::TableInfo&, const events::Value& id)> was_known = {};
  // With `tenant` only: the row that should have that id, whoever's it is. One that somebody gave
  // to this tenant gets its own values back.
  std::function<std::optional<events::RowValues>(const events::TableInfo&, const events::Value& id)>
      row_of = {};
};

using LoadOutcome = std::variant<std::vector<TableChanges>, Fenced>;

// A whole read model on its way in. Readers see nothing of it before publish() and all of it after.
// Destroyed without publish(): everything is as before.
// Memory does not grow with the number of rows.
class Load {
 public:
  virtual ~Load() = default;

  // Best table by table.
  virtual void add(const events::TableInfo& table, events::RowValues row) = 0;

  // At least this id has been used in `table`: the next one the database draws is larger.
  virtual void set_largest_id(const events::TableInfo& table, std::int64_t id) = 0;

  // Puts the rows and `mark` in place; durable when it returns. What it counts stands in the order
  // of events::tables(). Fenced when the read model's store, incarnation or epoch is no longer what
  // it was when the load began; with `tenant`, also when it is at another position than `mark`: the
  // rows of the others would be ahead of it. Throws UsageError `unknown_row_in_the_way` (exit 4)
  // when a row that the log does not know holds a unique value that one it knows needs, and
  // `read_model_referenced` as Batch does.
  [[nodiscard]] virtual LoadOutcome publish(const Mark& mark) = 0;
};

// The rows and the mark at one moment, whatever is written meanwhile.
// A value that its column's type cannot hold (SQLite allows that) is a text or a number as it was
// found. A column that is missing and could be added shows what it would be filled with.
class ReadView {
 public:
  virtual ~ReadView() = default;
  [[nodiscard]] virtual const std::optional<Mark>& mark() const = 0;
  // Rows in the order of their primary key until `visit` returns false.
  virtual void scan_rows(const events::TableInfo& table,
                         const std::function<bool(const events::RowValues&)>& visit) = 0;
  [[nodiscard]] virtual std::optional<events::RowValues> row(const events::TableInfo& table,
                                                             const events::Uuid& id) = 0;
  // The largest id that the table ever gave out, as far as the database remembers: its rows', or
  // what its sequence came to. The table has integer ids.
  [[nodiscard]] virtual std::int64_t largest_id(const events::TableInfo& table) = 0;
  // What all rows of the table add up to, or those of one tenant (then the table has an
  // owner_column), computed from what the database holds: by itself where it can.
  [[nodiscard]] virtual TableFingerprint fingerprint(const events::TableInfo& table,
                                                     const std::optional<events::Uuid>& tenant) = 0;
};

// One read model in one database.
// Threads: one at a time. At most one Batch, Load or ReadView is alive.
// Errors: UnavailableError (cannot be reached, opened, written, locked, full), CorruptionError (the
// database is damaged); both name the database, never a password.
class ReadModel {
 public:
  virtual ~ReadModel() = default;

  [[nodiscard]] virtual std::string name() const = 0;  // For people; no password in it.

  // How many events a batch should hold when many are due: more make each cheaper, and lock rows,
  // or the file, for longer.
  [[nodiscard]] virtual std::size_t batch_events() const = 0;

  // Looks and changes nothing.
  [[nodiscard]] virtual Probe probe() = 0;
  [[nodiscard]] virtual std::vector<Migration> migrations() = 0;

  // The statements that make the tables, in order, each without a semicolon.
  [[nodiscard]] virtual std::vector<std::string> schema_sql() const = 0;
  // The statements that make roles with no more rights than each needs, likewise; none where a
  // database has no roles.
  [[nodiscard]] virtual std::vector<std::string> role_sql() const = 0;
  // Creates the tables, columns and indexes that are missing, and records the migrations where
  // Django's own stand on record; returns the names of what it made. Throws UsageError
  // `django_migrate_first` when a Django database has no auth_user yet.
  virtual std::vector<std::string> create_missing() = 0;
  // What create_missing() would make; changes nothing, and throws what it would throw.
  [[nodiscard]] virtual std::vector<std::string> missing() = 0;
  // Marks tables that have no mark; Fenced when they have one. The tables exist.
  [[nodiscard]] virtual std::optional<Fenced> adopt(const Mark& mark) = 0;

  // `expected` is compared with the mark without its digest, and stays locked while the batch
  // lives.
  [[nodiscard]] virtual BeginOutcome begin(const Mark& expected) = 0;
  // `before` is the mark that was found, if any.
  [[nodiscard]] virtual std::unique_ptr<Load> begin_load(const LoadOptions& options,
                                                         const std::optional<Mark>& before) = 0;
  [[nodiscard]] virtual std::unique_ptr<ReadView> read() = 0;
};

}  // namespace tenantry::projections
