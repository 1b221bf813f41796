#include <algorithm>
#include <string>
#include <variant>
#include <vector>

#include "core/command_recovery.h"
#include "core/counters.h"
#include "core/decide.h"
#include "core/error.h"
#include "core/state.h"
#include "core/storage.h"
#include "events/commands.h"
#include "events/text.h"
#include "tests/core/random_history.h"
#include "tests/fuzz/targets.h"
#include "tests/support/counting_ids.h"
#include "tools/command_output.h"

namespace tenantry::fuzz {
namespace {

using events::CommandRequest;
using events::EncodedEvent;
using events::Refusal;

bool same(const events::Circumstances& left, const events::Circumstances& right) {
  return left.id == right.id && left.actor == right.actor && left.channel == right.channel &&
         left.reason == right.reason && left.correlation_id == right.correlation_id &&
         left.causation_position == right.causation_position &&
         left.expected_version == right.expected_version && left.at == right.at;
}

std::string printed(const CommandRequest& request) {
  tools::JsonBuilder json;
  tools::build_command(json, request, {.reveal = true});
  return std::string(json.text());
}

void check_refusal(const Refusal& refusal) {
  require(!refusal.code.empty() && !refusal.message.empty(), "a refusal has a code and words");
  require(events::printable(refusal.message) == refusal.message,
          "a terminal can show what a refusal says");
}

void check_printed(const CommandRequest& request) {
  const std::string line = printed(request);
  const auto again = events::parse_command_line(line, {}, /*historic=*/true);
  const auto* const read = std::get_if<CommandRequest>(&again);
  require(read != nullptr, "a printed command can be read");
  require(read->command == request.command && same(read->circumstances, request.circumstances),
          "a printed command is the same command");
  require(printed(*read) == line, "a command is printed the same again");
}

// Rows of all tables, made by a history; what a command does to them is forgotten again.
class Rows {
 public:
  Rows() {
    constexpr unsigned kSeed = 3;
    constexpr int kCommands = 60;
    RandomHistory history(kSeed);
    for (int command = 0; command < kCommands; ++command)
      apply(history.next(state_), history.now());
    ChangeSet changes;
    Counters counters;
    state_.take_changes(changes, counters);
    require(storage_->write(changes, /*sync=*/false) == WriteResult::kDone, "memory takes rows");
  }

  [[nodiscard]] const State& state() const { return state_; }

  // As a store would: no event of a decision may meet a row that it does not fit.
  void check_fits(const std::vector<EncodedEvent>& made, events::Timestamp now) {
    apply(made, now);
    state_.forget_changes();
    position_ = {};
  }

 private:
  void apply(const std::vector<EncodedEvent>& made, events::Timestamp now) {
    for (const EncodedEvent& event : made) {
      ++position_.value;
      (void)state_.apply(events::EventView(event), now, position_);
    }
  }

  std::unique_ptr<Storage> storage_ = make_memory_storage();
  State state_{*storage_};
  Position position_;
};

// Some command makes the events again, or an export would stop at them.
void check_recovered(const CommandRequest& request, const std::vector<EncodedEvent>& made,
                     const State& state, events::Timestamp now) {
  std::vector<StoredEvent> stored(made.size());
  for (std::size_t at = 0; at < made.size(); ++at) {
    stored[at].position = {at + 1};
    stored[at].recorded_at = now;
    stored[at].command = request.circumstances.id.value_or(events::Uuid{});
    stored[at].causation = request.circumstances.causation_position.value_or(0);
    stored[at].tenant = events::EventView(made[at]).tenant();
    stored[at].payload = made[at];
  }
  const auto recovered = recover_command(stored, state);
  require(recovered.has_value(), "some command makes what a command made");
  check_printed(*recovered);
}

void check_decision(const CommandRequest& request, Rows& rows) {
  CountingIds ids;
  const events::Timestamp now = request.circumstances.at.value_or(kNow);
  const auto outcome = decide(request.command, rows.state(), {request.circumstances, now, ids});
  if (const auto* refusal = std::get_if<Refusal>(&outcome)) {
    check_refusal(*refusal);
    return;
  }
  const auto& made = std::get<Decision>(outcome).events;
  rows.check_fits(made, now);
  if (!made.empty()) check_recovered(request, made, rows.state(), now);
}

}  // namespace

void run_command(std::string_view input) {
  static Rows rows;
  const auto parsed = events::parse_command_line(input, {}, /*historic=*/true);
  if (const auto* refusal = std::get_if<Refusal>(&parsed)) {
    check_refusal(*refusal);
    const auto elsewhere = events::parse_command_line(input, {}, /*historic=*/false);
    require(std::holds_alternative<Refusal>(elsewhere),
            "what is no command of a history is none at all");
    return;
  }
  const auto& request = std::get<CommandRequest>(parsed);
  check_printed(request);
  check_decision(request, rows);
}

}  // namespace tenantry::fuzz
