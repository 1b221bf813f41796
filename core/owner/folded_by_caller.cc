#include "core/owner/folded_by_caller.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "core/command_reader.h"
#include "core/past_state.h"

namespace tenantry::owner {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPositionsMax = 16384;  // Fetched at a time.

fs::path scratch_place() {
  std::error_code error;
  const fs::path place = fs::temp_directory_path(error);
  return error ? fs::path("/tmp") : place;
}

// Whether events pass a filter, asked in the order of the log. The filter is the log's to apply: of
// what passes, the positions are compared.
class PassingEvents {
 public:
  PassingEvents(const TenancyStore& log, LogFilter filter) : log_(log), filter_(std::move(filter)) {
    filter_.reverse = false;
    const Position end = log.tail().tail;
    filter_.through = std::min(filter_.through.value_or(end), end);
    LogFilter all;
    all.after = filter_.after;
    all.through = filter_.through;
    all.whole = filter_.whole;
    all_pass_ = filter_ == all;
  }
  bool holds(Position position) {
    if (all_pass_) return first_ < position && position <= *filter_.through;
    while (!ended_ && filter_.after < position) fetch();
    return std::binary_search(positions_.begin(), positions_.end(), position);
  }

 private:
  void fetch() {
    positions_.clear();
    log_.read_log(filter_, [this](const StoredEvent& event) {
      positions_.push_back(event.position);
      return positions_.size() < kPositionsMax;
    });
    ended_ = positions_.size() < kPositionsMax;
    if (!ended_) filter_.after = positions_.back();
  }

  const TenancyStore& log_;
  LogFilter filter_;  // `after`: so far it was asked.
  const Position first_ = filter_.after;
  bool all_pass_ = false;  // But for those before and behind.
  std::vector<Position> positions_;
  bool ended_ = false;
};

}  // namespace

RowsAt fold_rows_at(const TenancyStore& log, Position position, const Progress& progress) {
  return past_rows(log, scratch_place(), position, progress);
}

void fold_every_row(const TenancyStore& log, Position through,
                    const std::function<bool(const StoredEvent&)>& seen,
                    const std::function<bool(const FoldedRow&)>& visit) {
  fold_log_rows(log, scratch_place(), through, seen, visit);
}

void fold_commands(const TenancyStore& log, const LogFilter& filter, const Progress& progress,
                   const VisitCommand& visit) {
  PassingEvents passing(log, filter);
  read_commands(
      log, scratch_place(), filter,
      [&](const StoredEvent& event) { return passing.holds(event.position); }, progress, visit);
}

}  // namespace tenantry::owner
