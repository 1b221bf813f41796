#include "core/command_reader.h"

#include <algorithm>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/command_recovery.h"
#include "core/error.h"
#include "core/fold.h"
#include "core/past_state.h"
#include "events/kinds.h"

namespace tenantry {
namespace {

constexpr std::uint64_t kEventsPerProgress = 4096;

// The events of one command, gathered as a log is read in order. Owns their payloads.
class CommandEvents {
 public:
  // Returns whether `event` is the last one of its command.
  bool take(const StoredEvent& event) {
    if (event.index_in_command == 0) {
      payloads_.clear();
      events_.clear();
    }
    if (event.index_in_command != events_.size() ||
        event.index_in_command >= event.count_in_command) {
      throw CorruptionError(fmt::format("event {} is the event {} of {} of its command, after {}",
                                        event.position.value, event.index_in_command + 1,
                                        event.count_in_command, events_.size()));
    }
    events_.push_back(event);
    events_.back().payload = payloads_.emplace_back(event.payload);
    return events_.size() == event.count_in_command;
  }
  [[nodiscard]] const std::vector<StoredEvent>& all() const { return events_; }

 private:
  std::deque<std::string> payloads_;
  std::vector<StoredEvent> events_;
};

// What was done with the store is no part of what is in it.
bool is_about_rows(const StoredEvent& event) {
  const events::KindInfo* const kind = events::find_kind(event.kind);
  return kind == nullptr || kind->effect != events::Effect::NOTE;
}

[[noreturn]] void refuse(const std::vector<StoredEvent>& made) {
  std::set<std::string> kinds;
  bool imported = false;
  for (const StoredEvent& event : made) {
    const events::KindInfo& kind = *events::find_kind(event.kind);
    kinds.insert(kind.name);
    imported = imported || kind.imported;
  }
  throw UsageError(
      "not_expressible",
      fmt::format("no command makes the events {} to {} ({})", made.front().position.value,
                  made.back().position.value, fmt::join(kinds, ", ")),
      imported ? std::string("the log begins with an import; `--after` leaves out what it brought")
               : fmt::format("tenantry show {}", made.front().position.value));
}

// What was left out of the commands so far, which therefore take earlier positions.
class LeftOut {
 public:
  void add(Position position) { positions_.push_back(position.value); }
  // Names the cause by the position that it will have; a cause that was left out is none.
  void adapt(std::optional<std::uint64_t>& cause) const {
    if (!cause) return;
    const auto at = std::ranges::lower_bound(positions_, *cause);
    if (at != positions_.end() && *at == *cause) return cause.reset();
    *cause -= static_cast<std::uint64_t>(at - positions_.begin());
  }

 private:
  std::vector<std::uint64_t> positions_;  // Ascending.
};

events::CommandRequest recovered(const std::vector<StoredEvent>& made, const StateView& before,
                                 const LeftOut& left_out) {
  auto request = recover_command(made, before);
  if (!request) refuse(made);
  left_out.adapt(request->circumstances.causation_position);
  return *std::move(request);
}

// Where the commands begin to be read: at the beginning of the log or, where some of it was
// discarded or redacted, with the command that has the first event behind `after`. What lies before
// is folded.
Position fold_beginning(const TenancyStore& log, Position after, Fold& fold, LeftOut& left_out,
                        const Progress& progress) {
  const Position complete = log.complete_after();
  if (complete.value == 0 || after < complete) return {};
  Position begin = after;
  Position behind;  // The end of that command.
  log.read_after(after, {after.value + 1}, [&](const StoredEvent& event) {
    begin.value -= event.index_in_command;
    behind.value = begin.value + event.count_in_command;
    return false;
  });
  if (begin < complete) {
    const std::string what = fmt::format(
        "the command that made event {} has events up to position "
        "{}, which are not all left as they were",
        after.value + 1, complete.value);
    const std::string hint = fmt::format("`--after {}`", behind.value);
    if (begin < log.discarded()) throw_history_discarded(what, hint);
    throw_history_redacted(what, hint);
  }
  const PastFold begun = fold_until(log, fold, begin, [&](const StoredEvent& event) {
    if (!is_about_rows(event)) left_out.add(event.position);
    if (progress && event.position.value % kEventsPerProgress == 0) {
      progress(event.position.value, log.tail().tail.value);
    }
  });
  require_all_known({{}, nullptr, begun.beginning.unknown, begun.missing});
  return begin;
}

}  // namespace

void read_commands(const TenancyStore& log, const std::filesystem::path& scratch,
                   const LogFilter& filter, const std::function<bool(const StoredEvent&)>& passes,
                   const Progress& progress, const VisitCommand& visit) {
  const Position tail = log.tail().tail;
  if (filter.after >= tail) return;
  Fold fold(scratch, tail.value);
  CommandEvents command;
  LeftOut left_out;
  const Position begin = fold_beginning(log, filter.after, fold, left_out, progress);
  bool wanted = false;
  log.read_after(begin, tail, [&](const StoredEvent& event) {
    const bool starts = event.index_in_command == 0;
    if (starts && filter.through && event.position > *filter.through) return false;
    wanted = (wanted && !starts) || passes(event);
    if (!command.take(event)) return true;
    if (!is_about_rows(event)) {
      for (const StoredEvent& made : command.all()) left_out.add(made.position);
    } else if (wanted && !visit(recovered(command.all(), fold.state(), left_out))) {
      return false;
    }
    for (const StoredEvent& made : command.all()) fold.apply(made);
    if (progress && event.position.value % kEventsPerProgress < command.all().size()) {
      progress(event.position.value, tail.value);
    }
    return true;
  });
}

}  // namespace tenantry
