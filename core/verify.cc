#include "core/verify.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "core/block_counters.h"
#include "core/bytes.h"
#include "core/error.h"
#include "core/file_damage.h"
#include "core/keys.h"
#include "core/known_events.h"
#include "core/log_history.h"
#include "core/log_reader.h"
#include "core/row_fold.h"
#include "core/state.h"
#include "events/kinds.h"
#include "events/store_events.h"

namespace tenantry {
namespace {

constexpr std::size_t kProblemsMax = 20;
constexpr std::uint64_t kProgressEvery = 4096;

void note(CheckResult& check, std::string problem) {
  check.passed = false;
  if (check.problems.size() < kProblemsMax) check.problems.push_back(std::move(problem));
}

// Runs one check; damage that is met on the way is its problem.
template <class Run>
CheckResult run_check(const char* name, Run&& run) {
  CheckResult check;
  check.name = name;
  try {
    run(check);
  } catch (const CorruptionError& error) {
    note(check, error.what());
  } catch (const events::MalformedError& error) {
    note(check, error.what());
  }
  return check;
}

// Lets whoever waits stop what has no figure of its own, once the log is walked.
class Ticker {
 public:
  Ticker(const Progress& progress, Position tail) : progress_(progress), tail_(tail) {}
  void tick() {
    if (++ticks_ % kProgressEvery == 0 && progress_) progress_(tail_.value, tail_.value);
  }

 private:
  const Progress& progress_;
  const Position tail_;
  std::uint64_t ticks_ = 0;
};

// What walking the log finds out about everything beside it.
struct Derived {
  Counters counters;  // Of index entries (but time marks) and answers.
  std::map<events::Scope, ScopeHead> scopes;
  std::uint64_t events = 0;
};

// Checks one record against its predecessor, its payload and its place; keeps what follows from it.
class LogWalk {
 public:
  LogWalk(const VerifyInput& input, CheckResult& check, const Progress& progress)
      : input_(input), check_(check), progress_(progress) {}

  Derived walk() {
    try {
      if (!catalogue_->empty()) read_redactions();
    } catch (const CorruptionError& error) {
      note_untold(error);
    } catch (const events::MalformedError& error) {
      note_untold(error);
    }
    // What cannot be read is told with the place up to which all was.
    try {
      visit_all();
    } catch (const CorruptionError& error) {
      check_.examined = last_read_.value;
      throw CorruptionError(
          fmt::format("{}; read up to position {}", error.what(), last_read_.value));
    }
    for (const auto& [scope, end] : input_.head.scopes) compare_end(scope, end);
    if (derived_.events != input_.head.tail.value) {
      note(check_, fmt::format("the log has {} events, its head says {}", derived_.events,
                               input_.head.tail.value));
    }
    check_.examined = derived_.events;
    return std::move(derived_);
  }

 private:
  struct Told {
    Position through;  // Of the tenant's events up to here nothing is said any more.
    Position event;    // The last that tells so.
  };
  struct Cursor {
    events::Scope scope;
    std::unique_ptr<BlockStream> blocks;
    std::optional<Block> block;
    std::size_t at = 0;
  };

  void visit_all() {
    std::vector<Cursor> cursors;
    for (const auto& [scope, end] : input_.head.scopes) {
      const ScopeBase& base = catalogue_->of(scope).base;
      derived_.scopes[scope] = {base.discarded.seq, base.discarded.position, base.discarded.chain,
                                base.present_epoch()};
      derived_.events += base.discarded.seq;
      derived_.counters.add(base.removed);
    }
    for (const auto& [scope, end] : input_.head.scopes) {
      cursors.push_back({scope,
                         history_blocks(input_.view, input_.history, scope, std::nullopt, {0},
                                        input_.head.tail, /*reverse=*/false),
                         std::nullopt, 0});
      load(cursors.back());
    }
    while (Cursor* next = lowest(cursors)) {
      visit(*next->block, next->at);
      last_read_ = next->block->records()[next->at].position;
      if (++next->at == next->block->records().size()) load(*next);
    }
  }

  void load(Cursor& cursor) {
    cursor.block = cursor.blocks->next();
    cursor.at = 0;
    if (!cursor.block) return;
    const events::Scope scope = cursor.block->header().scope;
    const ScopeBase& base = catalogue_->of(scope).base;
    // What follows from blocks of the archive was counted when they left the log.
    const Position first = cursor.block->header().first;
    if (first <= base.base.position) return;
    count_block(*cursor.block, epoch_of(base, first, derived_.scopes[scope].epoch),
                derived_.counters);
  }

  static Cursor* lowest(std::vector<Cursor>& cursors) {
    Cursor* found = nullptr;
    for (Cursor& cursor : cursors) {
      if (!cursor.block) continue;
      const Position position = cursor.block->records()[cursor.at].position;
      if (found == nullptr || position < found->block->records()[found->at].position)
        found = &cursor;
    }
    return found;
  }

  void visit(const Block& block, std::size_t at) {
    const StoredEvent& event = block.records()[at];
    ScopeHead& end = derived_.scopes[event.scope];
    ++derived_.events;
    // Before the last event that was discarded there may be gaps.
    const bool joins = event.position <= discarded_ || event.position.value == derived_.events;
    if (!joins) {
      throw CorruptionError(fmt::format("position {} is missing ({} follows)", derived_.events,
                                        event.position.value));
    }
    if (event.scope_seq != end.seq + 1) {
      throw CorruptionError(fmt::format("scope {}: event {} is missing at position {}",
                                        events::scope_name(event.scope), end.seq + 1,
                                        event.position.value));
    }
    if (chain_hash(end.chain, block.hashed_header(at), event.payload) != event.chain_hash) {
      note(check_, fmt::format("the hash chain of scope {} breaks at position {}",
                               events::scope_name(event.scope), event.position.value));
    }
    if (event.recorded_at < last_time_) {
      note(check_,
           fmt::format("position {} is recorded before its predecessor", event.position.value));
    }
    check_payload(event);
    end.seq = event.scope_seq;
    end.last = event.position;
    end.chain = event.chain_hash;
    last_time_ = event.recorded_at;
    if (progress_ && derived_.events % kProgressEvery == 0)
      progress_(derived_.events, input_.head.tail.value);
  }

  // What the log says was redacted, by tenant.
  // That is said once, and not again of each event that was redacted.
  void note_untold(const std::exception& error) {
    is_told_all_ = false;
    note(check_, fmt::format("what was redacted cannot be read: {}", error.what()));
  }

  void read_redactions() {
    LogFilter filter;
    filter.scope = events::Scope::SYSTEM;
    filter.kinds = {events::find_kind("TenantRedacted")->number};
    const LogReader reader(input_.view, input_.info, input_.head, input_.history);
    reader.read(filter, [&](const StoredEvent& event) {
      const events::Redacted told = events::read_redacted(events::EventView::over(event.payload));
      Told& last = told_[told.tenant];
      last.through = std::max(last.through, Position{told.through});
      last.event = event.position;
      return true;
    });
  }

  void check_payload(const StoredEvent& event) {
    if (is_redacted(event)) return check_redacted(event);
    const auto view = events::EventView::over(event.payload);
    check_not_told(event, view);
    const bool agrees = view.kind().number == event.kind &&
                        view.kind().table->scope == event.scope && view.tenant() == event.tenant &&
                        events::stream_id(*view.kind().table, view.entity()) == event.stream;
    if (!agrees)
      note(check_, fmt::format("position {}: header and payload disagree", event.position.value));
  }

  // Whoever took the payload has said so.
  void check_redacted(const StoredEvent& event) {
    const auto view = view_of(event);
    const std::vector<Redaction>& redactions = catalogue_->of(event.scope).redactions;
    const auto redaction = std::ranges::find(redactions, event.tenant, &Redaction::tenant);
    const auto told = told_.find(event.tenant);
    const bool is_told =
        redaction != redactions.end() && event.position <= redaction->through &&
        (!is_told_all_ || (told != told_.end() && event.position <= told->second.through));
    if (is_told && view.kind().table->scope == event.scope) return;
    note(check_,
         fmt::format("position {} has no payload, and no redaction says so", event.position.value));
  }

  // Of what was redacted nothing is left; but for what is another tenant's history, too.
  void check_not_told(const StoredEvent& event, const events::EventView& view) {
    if (told_.empty() || event.scope == events::Scope::SYSTEM) return;
    const auto told = told_.find(event.tenant);
    if (told == told_.end() || event.position > told->second.through || view.other_tenant()) return;
    note(check_,
         fmt::format("position {} still has its payload, and event {} says that it was redacted",
                     event.position.value, told->second.event.value));
  }

  void compare_end(events::Scope scope, const ScopeHead& end) {
    const ScopeHead& found = derived_.scopes[scope];
    if (found == end) return;
    if (found.epoch != end.epoch) {
      note(check_, fmt::format("scope {}: the index goes on in epoch {}, the head says {}",
                               events::scope_name(scope), found.epoch, end.epoch));
      return;
    }
    note(check_,
         fmt::format("scope {}: the log ends at event {} (position {}), the head says {} ({})",
                     events::scope_name(scope), found.seq, found.last.value, end.seq,
                     end.last.value));
  }

  const VerifyInput& input_;
  CheckResult& check_;
  const Progress& progress_;
  const std::shared_ptr<const Catalogue> catalogue_ = input_.history.now();
  const Position discarded_ = catalogue_->discarded();
  Derived derived_;
  std::map<events::Uuid, Told> told_;
  bool is_told_all_ = true;  // All that tells of redactions could be read.
  Position last_read_;
  events::Timestamp last_time_{INT64_MIN};
};

// Answers of batches that have no events lie under keys of their own.
void add_eventless_answers(const StorageReader& storage, Counters& counters) {
  const std::string prefix = "batch/";
  const auto cursor =
      storage.cursor(Family::kMeta, prefix, keys::after_prefix(prefix), /*scan=*/true);
  for (cursor->seek_first(); cursor->valid(); cursor->next()) {
    count_answers(cursor->value(), counters);
  }
}

// Whether an entry is one that a squash is about to remove.
bool is_dead(Family family, const CounterKey& key, const Catalogue& catalogue) {
  if (family != Family::kIndex || key.kind == static_cast<std::uint8_t>(keys::kTimeIndex)) {
    return false;
  }
  return key.epoch < catalogue.of(static_cast<events::Scope>(key.scope)).base.first_epoch;
}

// What a family holds, by kind.
Counters count_family(const VerifyInput& input, Family family, std::uint64_t& examined,
                      Ticker& ticker) {
  Counters counters;
  const std::shared_ptr<const Catalogue> catalogue = input.history.now();
  const auto cursor = input.view.cursor(family, {}, {}, /*scan=*/true);
  for (cursor->seek_first(); cursor->valid(); cursor->next()) {
    if (is_dead(family, counter_key(family, cursor->key()), *catalogue)) continue;
    counters.add(family, cursor->key(), cursor->value());
    ++examined;
    ticker.tick();
  }
  return counters;
}

std::string describe(const CounterKey& key) {
  switch (key.family) {
    case Family::kIndex:
      return fmt::format("index {} of scope {}", static_cast<char>(key.kind),
                         events::scope_name(static_cast<events::Scope>(key.scope)));
    case Family::kIdempotency:
      return "kept answers";
    default:
      return fmt::format("state entries of kind {:#04x} in scope {}", key.kind,
                         events::scope_name(static_cast<events::Scope>(key.scope)));
  }
}

// Both must hold the same entries of `family`; kinds that are empty need not be counted.
void compare_counters(CheckResult& check, Family family, const Counters& expected,
                      const Counters& found, const char* expected_name, const char* found_name) {
  std::map<CounterKey, bool> all;
  for (const auto& [key, sum] : expected.sums()) all[key] = true;
  for (const auto& [key, sum] : found.sums()) all[key] = true;
  for (const auto& [key, present] : all) {
    if (key.family != family) continue;
    const RowSum want = expected.sum(key);
    const RowSum have = found.sum(key);
    if (want == have) continue;
    note(check,
         fmt::format("{}: {} has {}, {} has {}{}", describe(key), expected_name, want.rows,
                     found_name, have.rows, want.rows == have.rows ? " with other content" : ""));
  }
}

// The time marks have no other source than the log's times: each must name an event of its time.
void check_time_marks(const VerifyInput& input, CheckResult& check, Ticker& ticker) {
  const LogReader reader(input.view, input.info, input.head, input.history);
  const Position discarded = input.history.now()->discarded();
  const std::string prefix(1, keys::kTimeIndex);
  const auto cursor =
      input.view.cursor(Family::kIndex, prefix, keys::after_prefix(prefix), /*scan=*/true);
  for (cursor->seek_first(); cursor->valid(); cursor->next()) {
    ticker.tick();
    if (cursor->value().size() != 16) throw CorruptionError("a time mark of the wrong length");
    const Position position{read_le<std::uint64_t>(cursor->value(), 0)};
    const bool found = reader.read_one(position, [&](const StoredEvent& event) {
      if (keys::time_mark(event.recorded_at) != cursor->key()) {
        note(check, fmt::format("the time mark at position {} has another time", position.value));
      }
      return false;
    });
    if (!found && position > discarded)
      note(check, fmt::format("a time mark names position {}, which is not there", position.value));
  }
}

// Names the first entries in which two states differ.
void name_differences(CheckResult& check, const StorageReader& expected,
                      const StorageReader& found) {
  const auto want = expected.cursor(Family::kState, {}, {}, /*scan=*/true);
  const auto have = found.cursor(Family::kState, {}, {}, /*scan=*/true);
  want->seek_first();
  have->seek_first();
  while ((want->valid() || have->valid()) && check.problems.size() < kProblemsMax) {
    const bool missing = want->valid() && (!have->valid() || want->key() < have->key());
    const bool extra = have->valid() && (!want->valid() || have->key() < want->key());
    const std::string key = events::hex(missing ? want->key() : have->key());
    if (missing) {
      note(check, "state entry " + key + " follows from the events but is not there");
    } else if (extra) {
      note(check, "state entry " + key + " follows from no event");
    } else if (want->value() != have->value()) {
      note(check, "state entry " + key + " differs from what the events make of it");
    }
    if (!extra) want->next();
    if (!missing) have->next();
  }
}

void check_fold(const VerifyInput& input, CheckResult& check, const Progress& progress) {
  RowFold fold(input.scratch, input.head.tail.value);
  const LogReader reader(input.view, input.info, input.head, input.history);
  const Beginning beginning =
      reader.read_beginning(input.head.tail, [&](std::string_view key, std::string_view value) {
        fold.take_entry(key, value);
        return true;
      });
  KnownEvents known(beginning);
  reader.read({}, [&](const StoredEvent& event) {
    if (const StoredEvent* const taken = known.take(event)) fold.take(*taken);
    if (progress && event.position.value % kProgressEvery == 0)
      progress(event.position.value, input.head.tail.value);
    return true;
  });
  Counters counters;
  Ticker ticker(progress, input.head.tail);
  fold.emit(std::nullopt, [&](const std::string& key, const std::string& value) {
    counters.add(Family::kState, key, value);
    ticker.tick();
  });
  check.examined = input.head.tail.value;
  compare_counters(check, Family::kState, counters, input.head.counters, "the fold", "the head");
  if (check.passed) return;
  Scratch expected(input.scratch, input.head.tail.value);
  (void)fold.write_entries(std::nullopt, expected);
  name_differences(check, expected.storage(), input.view);
}

// The log of the store's own events, which no squash shortens, tells where each other one begins.
void check_told(const VerifyInput& input, CheckResult& check) {
  LogFilter filter;
  filter.scope = events::Scope::SYSTEM;
  filter.kinds = {events::find_kind("ScopeSquashed")->number};
  std::map<events::Scope, events::Squashed> told;  // The last of each.
  const LogReader reader(input.view, input.info, input.head, input.history);
  reader.read(filter, [&](const StoredEvent& event) {
    events::Squashed squash = events::read_squashed(events::EventView::over(event.payload));
    told[squash.scope] = std::move(squash);
    return true;
  });
  const std::shared_ptr<const Catalogue> catalogue = input.history.now();
  for (const auto& [scope, of_scope] : catalogue->scopes) {
    if (of_scope.base.base.seq > 0) told.try_emplace(scope);
  }
  for (const auto& [scope, squash] : told) {
    const ScopeCatalogue& listed = catalogue->of(scope);
    const ScopePoint& base = listed.base.base;
    if (squash.through != base.position.value || squash.chain_hash != hex(base.chain)) {
      note(check, fmt::format("scope {}: its log begins behind position {}, and the last event "
                              "that tells of a squash says {}, or another hash",
                              events::scope_name(scope), base.position.value, squash.through));
    }
    // A redaction may have put another one in its place.
    const bool is_told = !listed.snapshots.empty() && listed.redactions.empty();
    if (is_told && squash.snapshot_digest != hex(listed.snapshots.back().content_digest)) {
      note(check, fmt::format("scope {}: its snapshot is not the one that was told of",
                              events::scope_name(scope)));
    }
  }
}

// Every sealed file as it was written, and as it is listed; and that it is listed as was told.
void check_archive(const VerifyInput& input, CheckResult& check, Ticker& ticker) {
  const auto tick = [&](std::uint64_t, std::uint64_t) { ticker.tick(); };
  const std::shared_ptr<const Catalogue> catalogue = input.history.now();
  const auto check_file = [&](const auto& listed) {
    try {
      const SegmentEnd end = input.history.open(listed)->verify(tick);
      ++check.examined;
      if (end.file_digest != listed.file_digest || end.file_bytes != listed.file_bytes) {
        note(check, input.history.path_of(listed).string() + " is not the file that was listed");
      }
    } catch (const CorruptionError& error) {
      note(check, error.what());
    } catch (const UnavailableError& error) {
      note(check, error.what());
    }
  };
  for (const auto& [scope, of_scope] : catalogue->scopes) {
    for (const ArchiveSegment& segment : of_scope.segments) check_file(segment);
    for (const Snapshot& snapshot : of_scope.snapshots) check_file(snapshot);
  }
  check_told(input, check);
}

// Each scope's newest snapshot and the events behind it must give the state.
void check_snapshots(const VerifyInput& input, CheckResult& check, Ticker& ticker) {
  const LogReader reader(input.view, input.info, input.head, input.history);
  const std::shared_ptr<const Catalogue> catalogue = input.history.now();
  for (const auto& [scope, of_scope] : catalogue->scopes) {
    if (of_scope.snapshots.empty()) continue;
    const Snapshot& snapshot = of_scope.snapshots.back();
    RowFold fold(input.scratch, input.head.scopes.at(scope).seq);
    const auto file = input.history.open(snapshot);
    for (std::size_t block = 0; block < file->blocks().size(); ++block) {
      (void)file->visit_entries(block, [&](std::string_view key, std::string_view value) {
        fold.take_entry(key, value);
        return true;
      });
    }
    LogFilter behind;
    behind.scope = scope;
    behind.after = snapshot.at.position;
    reader.read(behind, [&](const StoredEvent& event) {
      fold.take(event);
      ticker.tick();
      return true;
    });
    Counters expected;
    for (const auto& [key, sum] : input.head.counters.sums()) {
      if (key.scope == static_cast<std::uint16_t>(scope)) expected.set(key, sum);
    }
    Counters found;
    fold.emit(scope, [&](const std::string& key, const std::string& value) {
      found.add(Family::kState, key, value);
    });
    compare_counters(check, Family::kState, expected, found, "the head", "the snapshot's fold");
    ++check.examined;
  }
}

void check_files(const VerifyInput& input, CheckResult& check, const Progress& progress) {
  for (const FileDamage& damage : input.storage.damaged_files(progress)) {
    note(check, describe(damage));
  }
  check.examined = input.storage.size_bytes();
}

void check_family(const VerifyInput& input, Family family, const Counters* derived,
                  CheckResult& check, Ticker& ticker) {
  const Counters found = count_family(input, family, check.examined, ticker);
  compare_counters(check, family, input.head.counters, found, "the head", "the store");
  if (derived != nullptr) compare_counters(check, family, *derived, found, "the log", "the store");
}

}  // namespace

std::vector<CheckResult> verify_store(const VerifyInput& input, VerifyDepth depth,
                                      const Progress& progress) {
  std::vector<CheckResult> checks;
  if (depth == VerifyDepth::kFull) {
    checks.push_back(run_check("file checksums",
                               [&](CheckResult& check) { check_files(input, check, progress); }));
  }
  Derived derived;
  checks.push_back(run_check("log: positions, hash chain, payloads", [&](CheckResult& check) {
    derived = LogWalk(input, check, progress).walk();
  }));
  if (depth == VerifyDepth::kQuick) return checks;
  Ticker ticker(progress, input.head.tail);
  checks.push_back(run_check("indexes against log", [&](CheckResult& check) {
    for (const auto& [key, sum] : input.head.counters.sums()) {
      const bool mark =
          key.family == Family::kIndex && key.kind == static_cast<std::uint8_t>(keys::kTimeIndex);
      if (mark) derived.counters.set(key, sum);  // Checked one by one below.
    }
    check_family(input, Family::kIndex, &derived.counters, check, ticker);
    check_time_marks(input, check, ticker);
  }));
  checks.push_back(run_check("kept answers against log", [&](CheckResult& check) {
    add_eventless_answers(input.view, derived.counters);
    check_family(input, Family::kIdempotency, &derived.counters, check, ticker);
  }));
  checks.push_back(run_check("state entries counted", [&](CheckResult& check) {
    check_family(input, Family::kState, nullptr, check, ticker);
  }));
  checks.push_back(run_check("state against events",
                             [&](CheckResult& check) { check_fold(input, check, progress); }));
  if (input.history.now()->scopes.empty()) return checks;
  checks.push_back(run_check("archive: files, digests, hash chain",
                             [&](CheckResult& check) { check_archive(input, check, ticker); }));
  checks.push_back(run_check("snapshots and later events against state",
                             [&](CheckResult& check) { check_snapshots(input, check, ticker); }));
  return checks;
}

}  // namespace tenantry
