#include "projections/projector.h"

#include <algorithm>

#include "core/error.h"
#include "core/planted.h"
#include "events/kinds.h"
#include "projections/target_check.h"

namespace tenantry::projections {
namespace {

bool ends_command(const StoredEvent& event) {
  return event.index_in_command + 1 >= event.count_in_command;
}

std::vector<events::RowChange> changes_of(const StoredEvent& event) {
  try {
    const auto view = events::EventView::over(event.payload, events::Origin::kStored);
    return events::row_changes(view, event.recorded_at);
  } catch (const events::MalformedError& error) {
    throw CorruptionError("event " + std::to_string(event.position.value) + ": " + error.what());
  }
}

// One run: the mark moves as batches are committed.
class Run {
 public:
  Run(const EventSource& source, ReadModel& target, const ProjectOptions& options)
      : source_(source),
        target_(target),
        options_(options),
        batch_events_max_(options.batch_events.value_or(target.batch_events())),
        tail_(source.tail().tail) {}

  ProjectOutcome project() {
    if (auto fenced = start()) return *std::move(fenced);
    if (done_.stopped) return done_;
    const Position through = std::min(options_.through.value_or(tail_), tail_);
    if (through > done_.mark.position) {
      source_.read_after(done_.mark.position, through,
                         [&](const StoredEvent& event) { return take(event, through); });
    }
    if (fenced_) return *std::move(fenced_);
    return done_;
  }

 private:
  // Finds the mark, or makes one.
  std::optional<Fenced> start() {
    const Probe probe = target_.probe();
    check_target(source_, probe, target_.name());
    if (probe.mark) {
      done_.mark = *probe.mark;
      return std::nullopt;
    }
    if (is_loaded(probe)) return load(probe);
    const StoreIdentity identity = source_.identity();
    done_.mark =
        Mark{identity.store, identity.incarnation, 1, Position{}, digest_at(source_, Position{})};
    if (options_.dry_run) return std::nullopt;
    target_.create_missing();
    return target_.adopt(done_.mark);
  }

  [[nodiscard]] bool is_loaded(const Probe& probe) const {
    if (options_.dry_run || options_.through || probe.has_rows) return false;
    // What was discarded or redacted cannot be replayed.
    return source_.complete_after().value > 0 ||
           (options_.load_above && tail_.value > *options_.load_above);
  }

  std::optional<Fenced> load(const Probe& probe) {
    const bool absent = probe.presence == Presence::kAbsent;
    const RebuildOutcome outcome = rebuild(source_, target_,
                                           {.mode = absent ? LoadMode::kFresh : LoadMode::kInPlace,
                                            .one_thread = options_.one_thread,
                                            .stop = options_.stop,
                                            .progress = options_.load_progress});
    if (const auto* fenced = std::get_if<Fenced>(&outcome)) return *fenced;
    const auto* certificate = std::get_if<Certificate>(&outcome);
    if (certificate == nullptr) {
      done_.stopped = true;
      return std::nullopt;
    }
    if (!certificate->correct()) {
      throw CorruptionError("the rows that were loaded into " + target_.name() +
                            " are not those that came back: run `tenantry rebuild`");
    }
    done_.mark = certificate->mark;
    done_.loaded = true;
    done_.events = certificate->mark.position.value;
    for (const TableCertificate& table : certificate->tables) {
      done_.row_changes += table.changes.inserted;
    }
    return std::nullopt;
  }

  bool take(const StoredEvent& event, Position through) {
    const auto changes = changes_of(event);
    if (!options_.dry_run) {
      if (batch_ == nullptr && !begin()) return false;
      for (const events::RowChange& change : changes) apply(change);
    }
    ++events_;
    row_changes_ += changes.size();
    bytes_ += event.payload.size();
    // Readers never see half of a command.
    const bool stop = options_.stop.stop_requested();
    const bool full = events_ >= batch_events_max_ || bytes_ >= options_.batch_bytes_max;
    const bool last = event.position == through;
    if (last || (ends_command(event) && (full || stop))) commit(event);
    done_.stopped = stop && !last && events_ == 0;
    return !done_.stopped;
  }

  void apply(const events::RowChange& change) {
    try {
      batch_->apply(change);
    } catch (const UsageError&) {
      if (!planted(Plant::kSkipRefusedEvents)) throw;
    }
  }

  bool begin() {
    BeginOutcome outcome = target_.begin(done_.mark);
    if (auto* fenced = std::get_if<Fenced>(&outcome)) {
      fenced_ = std::move(*fenced);
      return false;
    }
    batch_ = std::get<std::unique_ptr<Batch>>(std::move(outcome));
    return true;
  }

  // `last` is the batch's last event.
  void commit(const StoredEvent& last) {
    done_.mark.incarnation = source_.identity().incarnation;
    done_.mark.position = last.position;
    done_.mark.log_digest = digest_of(last.chain_hash);
    if (batch_ != nullptr) batch_->commit(done_.mark);
    batch_.reset();
    done_.events += std::exchange(events_, 0);
    done_.row_changes += std::exchange(row_changes_, 0);
    bytes_ = 0;
    if (options_.progress) options_.progress({last.position, tail_, done_.events});
  }

  const EventSource& source_;
  ReadModel& target_;
  const ProjectOptions& options_;
  const std::size_t batch_events_max_;
  Position tail_;
  Projected done_;
  std::unique_ptr<Batch> batch_;
  std::optional<Fenced> fenced_;
  std::size_t events_ = 0;  // In the present batch, as are the next two.
  std::size_t row_changes_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace

ProjectOutcome project(const EventSource& source, ReadModel& target,
                       const ProjectOptions& options) {
  return Run(source, target, options).project();
}

}  // namespace tenantry::projections
