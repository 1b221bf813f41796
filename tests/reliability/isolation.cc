#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>

#include "core/bytes.h"
#include "core/command_runner.h"
#include "core/keys.h"
#include "core/state.h"
#include "events/commands.h"
#include "events/kinds.h"
#include "tests/reliability/colliding_commands.h"
#include "tests/reliability/plain_rows.h"
#include "tests/reliability/stored_bytes.h"
#include "tests/support/counting_ids.h"
#include "tests/support/manual_clock.h"

// The stage `isolation`: isolation --seed S --count N
// A case is a sequence of commands that collide. After each of them every byte that is stored is
// compared with what it was: a command that is refused changes nothing at all, and one that is
// accepted nothing that speaks of a tenant that it neither names nor reaches through a user. Which
// ones that are is taken from its text and from rows that events made, not from the store.
//   isolation --codes    prints the codes that a command can be refused with
namespace tenantry {
namespace {

using events::CommandRequest;
using events::Refusal;
using events::Uuid;

constexpr int kCommandsOfSequence = 400;
constexpr unsigned kWorkers = 2;

// Every code that a line can be answered with. Runs of kJudgedFrom sequences and more must meet
// each kTimes times, and as often make something by every kind of command.
constexpr std::uint64_t kJudgedFrom = 1000;
constexpr std::uint64_t kTimes = 100;
constexpr std::array kCodes = {"already_member",
                               "confirmation_mismatch",
                               "domain_taken",
                               "email_mismatch",
                               "id_reused",
                               "id_taken",
                               "invalid_color",
                               "invalid_domain",
                               "invalid_email",
                               "invalid_json",
                               "invalid_merge",
                               "invalid_password_hash",
                               "invalid_period",
                               "invalid_role",
                               "invalid_slug",
                               "invalid_text",
                               "invalid_theme",
                               "invalid_token",
                               "invalid_type",
                               "invalid_username",
                               "invitation_already_accepted",
                               "invitation_expired",
                               "invitation_not_pending",
                               "last_owner",
                               "missing_field",
                               "not_found",
                               "not_in_trial",
                               "pending_invitation_exists",
                               "protein_taken",
                               "schema_name_taken",
                               "schema_name_too_long",
                               "slug_taken",
                               "tenant_inactive",
                               "token_taken",
                               "too_large",
                               "too_long",
                               "unknown_command",
                               "unknown_field",
                               "username_taken",
                               "version_conflict"};

class Breach : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// What a store does with one command after the other, over a storage in memory.
class Ledger {
 public:
  Ledger() { info_ = {ids_.new_uuid(), std::string(32, 'k'), clock_.now(), "isolation"}; }

  // The code of its refusal; else `repeated`, `unchanged` or `changed`.
  std::string run(const std::string& line) {
    const auto parsed = events::parse_command_line(line, {}, /*historic=*/true);
    if (const auto* refusal = std::get_if<Refusal>(&parsed)) return refusal->code;
    const auto& request = std::get<CommandRequest>(parsed);
    auto decided = runner_.decide_command(request, state_, head_);
    if (decided.answer.status != Answer::Status::kAccepted) return decided.answer.refusal.code;
    if (decided.answer.repeated) return "repeated";
    if (decided.has_effect) commit(decided);
    return decided.answer.count == 0 ? "unchanged" : "changed";
  }

  [[nodiscard]] const Storage& storage() const { return *storage_; }
  [[nodiscard]] const StateView& state() const { return state_; }
  [[nodiscard]] ManualClock& clock() { return clock_; }

 private:
  void commit(CommandRunner::Decided& decided) {
    BatchWriter batch(info_, head_, /*term=*/1, state_);
    runner_.add(decided, batch);
    ChangeSet changes;
    (void)batch.finish(changes);
    if (storage_->write(changes, /*sync=*/false) != WriteResult::kDone)
      throw std::logic_error("memory did not take a batch");
    head_ = batch.head();
    runner_.forget_pending();
  }

  ManualClock clock_;
  CountingIds ids_;
  StoreInfo info_;
  std::unique_ptr<Storage> storage_ = make_memory_storage();
  State state_{*storage_};
  Head head_;
  CommandRunner runner_{info_, *storage_, clock_, ids_};
};

std::string_view bytes_of(const Uuid& uuid) {
  return {reinterpret_cast<const char*>(uuid.bytes.data()), uuid.bytes.size()};
}

// Counts of how lines ended, by command.
using Outcomes = std::map<std::pair<std::string, std::string>, std::uint64_t>;

class Sequence {
 public:
  Sequence(std::uint64_t seed, Outcomes& outcomes) : commands_(seed), outcomes_(outcomes) {}

  // Throws Breach.
  void run() {
    (void)bytes_.follow(ledger_.storage());
    for (number_ = 1; number_ <= kCommandsOfSequence; ++number_) {
      ledger_.clock().advance_seconds(commands_.pause_seconds());
      step(commands_.next_line(ledger_.clock().now()));
    }
    check_rows();
  }

 private:
  void step(const std::string& line) {
    const auto parsed = events::parse_json(line, events::kJsonDepthMax + 2);
    const auto* const json = std::get_if<events::Json>(&parsed);
    std::set<Uuid> untouched;
    for (const auto& [id, row] : rows_.rows(events::EntityKind::TENANT)) untouched.insert(id);
    if (json != nullptr) {
      for (const Uuid& tenant : touched_tenants(*json, rows_, ledger_.clock().now()))
        untouched.erase(tenant);
    }
    const std::string outcome = ledger_.run(line);
    ++outcomes_[{command_name(json), outcome}];
    const auto differences = bytes_.follow(ledger_.storage());
    const bool accepted = outcome == "changed" || outcome == "unchanged";
    if (!accepted && !differences.empty()) {
      breach(line, fmt::format("was answered {}, and changed an entry of family {}: {}", outcome,
                               static_cast<int>(differences.front().family),
                               events::hex(differences.front().key)));
    }
    check_bytes(line, differences, untouched);
    apply_events(line, differences, untouched);
  }

  static std::string command_name(const events::Json* line) {
    const events::Json* const name = line == nullptr ? nullptr : line->find("command");
    const bool known = name != nullptr && name->string() != nullptr &&
                       events::find_command(*name->string()) != nullptr;
    return known ? *name->string() : "-";
  }

  [[noreturn]] void breach(const std::string& line, const std::string& what) const {
    throw Breach(fmt::format("command {}: {}: {}", number_, line.substr(0, 400), what));
  }

  // No entry that differs may speak of an untouched tenant.
  void check_bytes(const std::string& line, const std::vector<Difference>& differences,
                   const std::set<Uuid>& untouched) const {
    for (const Difference& difference : differences) {
      for (const Uuid& tenant : untouched) {
        if (!difference.mentions(bytes_of(tenant)) && !is_stream_of(difference, tenant)) continue;
        breach(line, fmt::format("changed an entry of the tenant {}, family {}: {}",
                                 events::format_uuid(tenant), static_cast<int>(difference.family),
                                 events::hex(difference.key)));
      }
    }
  }

  // The index of streams names no tenant: what its rows' streams are is known from the rows.
  [[nodiscard]] bool is_stream_of(const Difference& difference, const Uuid& tenant) const {
    constexpr std::size_t kStreamAt = 7;  // Behind kind, scope and epoch.
    if (difference.family != Family::kIndex || difference.key.front() != keys::kStreamIndex)
      return false;
    const Uuid stream = read_uuid(difference.key, kStreamAt);
    for (const events::TableInfo& table : events::tables()) {
      for (const auto& [id, row] : rows_.rows(table.entity)) {
        if (rows_.owner(table, id) == tenant && events::stream_id(table, id) == stream) return true;
      }
    }
    return false;
  }

  void apply_events(const std::string& line, const std::vector<Difference>& differences,
                    const std::set<Uuid>& untouched) {
    std::vector<Block> blocks;
    std::vector<StoredEvent> made;
    for (const Difference& difference : differences) {
      if (difference.family != Family::kLog) continue;
      if (difference.before) breach(line, "changed a block of the log");
      blocks.emplace_back(difference.key, *difference.after);
      made.insert(made.end(), blocks.back().records().begin(), blocks.back().records().end());
    }
    std::ranges::sort(made, {}, &StoredEvent::position);
    for (const StoredEvent& event : made) {
      const events::EventView view(event.payload);
      for (const auto& change : row_changes(view, event.recorded_at))
        apply_change(line, change, untouched);
    }
  }

  void apply_change(const std::string& line, const events::RowChange& change,
                    const std::set<Uuid>& untouched) {
    const auto before = rows_.owner(*change.table, change.id);
    rows_.apply(change);
    for (const auto& owner : {before, rows_.owner(*change.table, change.id)}) {
      if (!owner || !untouched.contains(*owner)) continue;
      breach(line, fmt::format("changed {} {} of the tenant {}", change.table->entity_name,
                               events::format_entity_id(*change.table, change.id),
                               events::format_uuid(*owner)));
    }
  }

  // The store's rows are those that the events made, all of them.
  void check_rows() const {
    for (const events::TableInfo& table : events::tables()) {
      std::size_t rows = 0;
      ledger_.state().scan_rows(table, std::nullopt, [&](const StoredRow& stored) {
        const auto* const row = rows_.find(table, stored.key.id);
        if (row == nullptr || *row != events::decode_row(table, stored.bytes))
          throw Breach("a row of " + table.name + " is not as the events made it");
        ++rows;
        return true;
      });
      if (rows != rows_.rows(table.entity).size())
        throw Breach("a row of " + table.name + " that the events made is not there");
    }
  }

  Ledger ledger_;
  CollidingCommands commands_;
  StoredBytes bytes_;
  PlainRows rows_;
  Outcomes& outcomes_;
  int number_ = 0;
};

struct Options {
  std::uint64_t seed = 0;
  std::uint64_t count = 0;
};

class Stage {
 public:
  explicit Stage(const Options& options) : options_(options) {}

  // Whether nothing failed.
  bool run() {
    {
      std::vector<std::jthread> workers;
      for (unsigned worker = 0; worker < kWorkers; ++worker)
        workers.emplace_back([this] { work(); });
    }
    check_coverage();
    fmt::print("{} passed, {} failed\n", options_.count - failed_cases_, failed_);
    return failed_ == 0;
  }

 private:
  void work() {
    Outcomes outcomes;
    for (std::uint64_t at = next_++; at < options_.count; at = next_++) {
      const std::uint64_t seed = options_.seed + at;
      try {
        Sequence(seed, outcomes).run();
      } catch (const std::exception& error) {
        const std::lock_guard lock(mutex_);
        fmt::print("seed {}: {}\n", seed, error.what());
        ++failed_;
        ++failed_cases_;
      }
    }
    const std::lock_guard lock(mutex_);
    for (const auto& [outcome, times] : outcomes) outcomes_[outcome] += times;
  }

  void check_coverage() {
    std::map<std::string, std::uint64_t> made;
    std::map<std::string, std::uint64_t> codes;
    for (const events::CommandInfo& info : events::commands()) made[info.name] = 0;
    for (const char* const code : kCodes) codes[code] = 0;
    for (const auto& [outcome, times] : outcomes_) {
      const auto& [command, ended] = outcome;
      if (ended == "changed") made[command] += times;
      if (ended == "changed" || ended == "unchanged" || ended == "repeated") continue;
      if (std::ranges::find(kCodes, ended) == kCodes.end())
        fail(fmt::format("{}: the code {} is not among those known here", command, ended));
      codes[ended] += times;
    }
    judge("made something", made);
    judge("refused", codes);
  }

  void judge(const char* what, const std::map<std::string, std::uint64_t>& counts) {
    std::string line;
    for (const auto& [name, times] : counts) line += fmt::format(" {}={}", name, times);
    fmt::print("{}:{}\n", what, line);
    if (options_.count < kJudgedFrom) return;
    for (const auto& [name, times] : counts) {
      if (times >= kTimes) continue;
      fail(fmt::format("{} {} times, fewer than {}: {}", what, times, kTimes, name));
    }
  }

  void fail(const std::string& what) {
    fmt::print("seed {}: {}\n", options_.seed, what);
    ++failed_;
  }

  const Options options_;
  std::atomic<std::uint64_t> next_ = 0;
  std::mutex mutex_;
  Outcomes outcomes_;  // Guarded by mutex_ while workers run, as are these.
  std::uint64_t failed_ = 0;
  std::uint64_t failed_cases_ = 0;
};

std::uint64_t number_of(const std::string& text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size())
    throw std::invalid_argument("no number: " + text);
  return number;
}

int run_command_line(const std::vector<std::string>& arguments) {
  if (arguments.size() == 1 && arguments[0] == "--codes") {
    for (const char* const code : kCodes) fmt::print("{}\n", code);
    return 0;
  }
  if (arguments.size() != 4 || arguments[0] != "--seed" || arguments[2] != "--count") {
    fmt::print(stderr, "usage: isolation --seed S --count N | --codes\n");
    return 2;
  }
  return Stage({number_of(arguments[1]), number_of(arguments[3])}).run() ? 0 : 1;
}

}  // namespace
}  // namespace tenantry

int main(int count, char** values) {
  try {
    return tenantry::run_command_line({values + 1, values + count});
  } catch (const std::exception& error) {
    fmt::print(stderr, "isolation: {}\n", error.what());
    return 1;
  }
}
