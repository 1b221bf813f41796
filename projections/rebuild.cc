#include "projections/rebuild.h"

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "events/encoding.h"
#include "events/kinds.h"
#include "projections/digest.h"
#include "projections/row_pipe.h"
#include "projections/target_check.h"

namespace tenantry::projections {
namespace {

using events::TableInfo;

constexpr std::uint64_t kProgressEvery = 8192;

class Rebuild {
 public:
  Rebuild(const EventSource& source, ReadModel& target, const RebuildOptions& options)
      : source_(source), target_(target), options_(options) {}

  RebuildOutcome run() {
    const Probe probe = target_.probe();
    check(probe);
    choose_mode(probe);
    certificate_.dry_run = options_.dry_run;
    LoadOptions load_options{
        certificate_.mode,
        options_.delete_unknown || options_.take_over,
        options_.restore_application_columns,
        options_.dry_run,
        options_.tenant,
        [this](const auto& table, const auto& id) { return was_known(table, id); },
        {}};
    if (options_.tenant) {
      load_options.row_of = [this](const auto& table, const auto& id) { return row_of(table, id); };
    }
    std::optional<RowsAt> source = read_source();
    if (!source) return RebuildStopped{};
    // Not before: a fold takes long, and the database would have a transaction idling.
    load_ = target_.begin_load(load_options, probe.mark);
    pipe_.emplace([this](const TableInfo& table,
                         events::RowValues row) { load_->add(table, std::move(row)); },
                  options_.one_thread);
    certificate_.mark = new_mark(probe, source->tail);
    certificate_.log_digest = source->tail.digest;
    if (options_.from_events) add_folded_rows(source->tail);
    read_rows(*source->rows);
    if (options_.tenant) state_ = source->rows;
    source.reset();
    if (stopped()) return RebuildStopped{};
    pipe_->finish();
    for (const auto& [table, id] : largest_ids_) load_->set_largest_id(*table, id);
    LoadOutcome outcome = load_->publish(certificate_.mark);
    load_.reset();
    if (auto* fenced = std::get_if<Fenced>(&outcome)) return *fenced;
    take_changes(std::get<std::vector<TableChanges>>(outcome));
    if (!options_.dry_run) read_back();
    return std::move(certificate_);
  }

 private:
  void check(const Probe& probe) const {
    if (!options_.take_over) return check_owner(source_, probe, target_.name());
    Probe shape;
    shape.findings = probe.findings;
    check_owner(source_, shape, target_.name());
  }

  // None if it is stopped.
  [[nodiscard]] std::optional<RowsAt> read_source() const {
    if (!options_.as_of) return source_.rows_now();
    struct StoppedFolding {};
    const auto folding = [&](std::uint64_t done, std::uint64_t /*all*/) {
      if (stopped()) throw StoppedFolding{};
      if (options_.progress) options_.progress({nullptr, done});
    };
    try {
      RowsAt rows = source_.rows_at(*options_.as_of, folding);
      require_all_known(rows, options_.tenant);
      return rows;
    } catch (const StoppedFolding&) {
      return std::nullopt;
    }
  }

  static bool may_be_id(const TableInfo& table, const events::Value& id) {
    return table.integer_ids ? std::holds_alternative<std::int64_t>(id)
                             : std::holds_alternative<events::Uuid>(id);
  }

  // As of the position that is loaded.
  [[nodiscard]] std::optional<events::RowValues> row_of(const TableInfo& table,
                                                        const events::Value& id) const {
    if (!may_be_id(table, id)) return std::nullopt;
    const auto stored = state_->row_by_id(table, events::entity_key(id));
    if (!stored) return std::nullopt;
    return decode(table, *stored);
  }

  // Asked of the log as it is by then: a projector may have been ahead of this rebuild, and what it
  // wrote comes again.
  [[nodiscard]] bool was_known(const TableInfo& table, const events::Value& id) const {
    if (!may_be_id(table, id)) return false;
    // A row that is gone had two events at least; an id that was only reserved had one.
    const RowsAt now = source_.rows_now();
    const events::Uuid key = events::entity_key(id);
    return now.rows->stream_version(table, key).value > 1 ||
           now.rows->row_by_id(table, key).has_value();
  }

  void choose_mode(const Probe& probe) {
    const bool absent = probe.presence == Presence::kAbsent;
    certificate_.mode = options_.mode.value_or(absent ? LoadMode::kFresh : LoadMode::kInPlace);
    if (certificate_.mode == LoadMode::kFresh && !absent) {
      throw UsageError("read_model_present", target_.name() + " has the tables already",
                       "leave out `--fresh` to change them in place");
    }
    if (certificate_.mode == LoadMode::kInPlace && absent) {
      throw UsageError("read_model_absent", target_.name() + " does not have the tables",
                       "leave out `--in-place` to make them", 5);
    }
    if (options_.tenant && (absent || !probe.mark || options_.from_events)) {
      throw UsageError("tenant_needs_read_model",
                       "one tenant's rows can be rebuilt from the state, in a read model that has "
                       "its tables and a mark, and in no other way",
                       "leave out the tenant");
    }
  }

  [[nodiscard]] Mark new_mark(const Probe& probe, const LogTail& tail) const {
    if (options_.tenant && probe.mark->position != tail.tail) {
      throw UsageError("read_model_behind",
                       target_.name() + " stands at position " +
                           std::to_string(probe.mark->position.value) + ", the rows at " +
                           std::to_string(tail.tail.value),
                       "`tenantry project` first, or rebuild all tenants", kConflict);
    }
    const StoreIdentity identity = source_.identity();
    const std::uint64_t epoch = probe.mark ? probe.mark->epoch + 1 : 1;
    return {identity.store, identity.incarnation, epoch, tail.tail, digest_at(source_, tail.tail)};
  }

  [[nodiscard]] bool stopped() const { return options_.stop.stop_requested(); }

  void tell(const TableInfo* table, std::uint64_t done) const {
    if (options_.progress && done % kProgressEvery == 0) options_.progress({table, done});
  }

  void add_folded_rows(const LogTail& tail) {
    std::uint64_t events = 0;
    std::uint64_t rows = 0;
    const TableInfo* table = nullptr;
    source_.fold_rows(
        tail.tail,
        [&](const StoredEvent&) {
          tell(nullptr, ++events);
          return !stopped();
        },
        [&](const FoldedRow& row) {
          if (!row.values) return !stopped();
          if (std::exchange(table, row.table) != row.table) rows = 0;
          pipe_->add(*row.table, *row.values);
          tell(row.table, ++rows);
          return !stopped();
        });
  }

  // Streams the state past the digests, and into the read model unless events have filled it.
  void read_rows(const StateView& state) {
    for (const TableInfo& table : events::tables()) {
      TableDigest digest(table);
      if (!left_alone(table)) {
        state.scan_rows(table, options_.tenant, [&](const StoredRow& stored) {
          auto row = decode(table, stored);
          digest.add(row);
          if (!options_.from_events) pipe_->add(table, std::move(row));
          tell(&table, digest.rows());
          return !stopped();
        });
        if (table.integer_ids) largest_ids_.emplace_back(&table, state.largest_id(table));
      }
      TableCertificate proof;
      proof.expected_rows = digest.rows();
      proof.expected_digest = digest.hex();
      certificate_.tables.push_back(std::move(proof));
    }
  }

  static events::RowValues decode(const TableInfo& table, const StoredRow& stored) {
    try {
      return events::decode_row(table, stored.bytes);
    } catch (const events::MalformedError& error) {
      throw CorruptionError("the state's row " + events::format_entity_id(table, stored.key.id) +
                            " of " + table.name + ": " + error.what());
    }
  }

  // One tenant's rebuild does not touch the tables that belong to no tenant.
  [[nodiscard]] bool left_alone(const TableInfo& table) const {
    return options_.tenant && !table.owner_column;
  }

  void take_changes(const std::vector<TableChanges>& changes) {
    TENANTRY_ASSERT(changes.size() == certificate_.tables.size());
    for (std::size_t place = 0; place < changes.size(); ++place) {
      certificate_.tables[place].changes = changes[place];
    }
  }

  // What the database gives back now, through a view of its own.
  void read_back() {
    const auto view = target_.read();
    for (TableCertificate& proof : certificate_.tables) {
      const TableInfo& table = *proof.changes.table;
      TableFingerprint found;
      if (!left_alone(table)) found = view->fingerprint(table, options_.tenant);
      proof.found_rows = found.rows;
      proof.found_digest = found.hex();
    }
  }

  const EventSource& source_;
  ReadModel& target_;
  const RebuildOptions& options_;
  Certificate certificate_;
  std::shared_ptr<const StateView> state_;  // Kept for row_of().
  std::vector<std::pair<const TableInfo*, std::int64_t>> largest_ids_;
  std::unique_ptr<Load> load_;
  std::optional<RowPipe> pipe_;  // Writes into load_.
};

}  // namespace

bool Certificate::correct() const {
  return std::ranges::all_of(tables, [&](const TableCertificate& table) {
    const TableChanges& changes = table.changes;
    if (!dry_run) return table.equal() && changes.unknown == 0;
    return changes.inserted + changes.updated + changes.deleted + changes.unknown == 0;
  });
}

RebuildOutcome rebuild(const EventSource& source, ReadModel& target,
                       const RebuildOptions& options) {
  return Rebuild(source, target, options).run();
}

}  // namespace tenantry::projections
