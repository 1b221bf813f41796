#include "tests/sim/life.h"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "core/backup.h"
#include "core/error.h"
#include "core/store_import.h"
#include "projections/import.h"
#include "projections/projector.h"
#include "projections/rebuild.h"
#include "projections/sqlite/sqlite_read_model.h"
#include "tests/core/random_history.h"
#include "tests/sim/random.h"
#include "tests/sim/redaction_watch.h"
#include "tests/sim/squash_watch.h"

namespace tenantry::sim {
namespace {

namespace fs = std::filesystem;

// What is wrong with a life; ends it.
struct Wrong {
  std::vector<std::string> what;
};

std::string brief(const Answer& answer) {
  if (answer.status != Answer::Status::kAccepted) return answer.refusal.code;
  return fmt::format("{}+{}", answer.first.value, answer.count);
}

class Life {
 public:
  Life(const fs::path& directory, std::uint64_t seed, const std::optional<Mishap>& mishap)
      : directory_(directory / "disk"),
        disk_(directory_, seed),
        env_(make_sim_env(disk_)),
        one_mishap_(mishap.has_value()),
        chance_(seed),
        last_chance_(~seed) {
    begin(mishap);
  }
  Life(const Life&) = delete;
  Life& operator=(const Life&) = delete;
  ~Life() { close(); }

  void take(const Step& step);
  void finish() {
    counts_.changes = disk_.changes();
    disk_.kill(Crash::kPowerLoss);
    recover();
    if (squashes_.any() && (!one_mishap_ || chance_.one_in(4))) squash_all();
    verify();
    check_read_model();
    redact();
  }
  void describe(Outcome& outcome) const;

 private:
  struct Sent {
    events::CommandRequest command;
    std::string answer;  // Empty while it is in doubt.
  };

  [[nodiscard]] fs::path store_path() const { return directory_ / "store"; }
  // A place of its own for each import: names that were removed may come back.
  [[nodiscard]] fs::path heir_path() const { return directory_ / fmt::format("heir-{}", heirs_); }
  // Likewise.
  [[nodiscard]] fs::path backup_path() const {
    return directory_ / fmt::format("backup-{}", copies_);
  }
  [[nodiscard]] fs::path restored_path() const {
    return directory_ / fmt::format("restored-{}", copies_);
  }
  // Where some squashes put their archive.
  [[nodiscard]] fs::path elsewhere() const { return directory_ / "elsewhere"; }
  [[nodiscard]] fs::path read_model_path() const { return directory_ / "app.sqlite"; }
  // Something will go wrong, or has.
  [[nodiscard]] bool doomed() const { return armed_ || disk_.dead(); }

  void begin(const std::optional<Mishap>& mishap);
  void arm(const Mishap& mishap);
  [[nodiscard]] Disk disk_options();
  void people();
  void send(Random& random);
  // What the line asks, with an id of its own.
  [[nodiscard]] events::CommandRequest command_of(const std::string& line);
  void submit(std::vector<events::CommandRequest> commands);
  void note(const events::CommandRequest& command, const Answer* answer);
  void retry(Random& random);
  void project(Random& random);
  void rebuild(Random& random);
  void import(Random& random);
  void back_up(Random& random);
  void squash(Random& random);
  void squash_once(const SquashOptions& options);
  void squash_all();
  void redact();
  void verify();
  void try_second_owner();

  void open();
  [[nodiscard]] std::unique_ptr<TenancyStore> open_once();
  void close();
  // Ends what was armed: whatever it did, the store opens again with all that was answered.
  void recover();
  void leave_ruined_read_model();
  void check_store();
  void check_read_model();
  void check_heir();
  void check_backup();
  void check_squashes();
  [[nodiscard]] PlainModel::Tables rows_of(const TenancyStore& store) const;
  [[nodiscard]] RestoreReport restore_backup();
  [[nodiscard]] std::unique_ptr<projections::ReadModel> read_model() const {
    return projections::open_sqlite_read_model({.path = read_model_path()});
  }
  static void require(std::vector<std::string> wrong) {
    if (!wrong.empty()) throw Wrong{std::move(wrong)};
  }
  // Does `work`, which may fail because the disk does, and only then.
  template <class Work>
  void on_a_doubtful_disk(Work&& work);

  const fs::path directory_;
  SimDisk disk_;
  const std::unique_ptr<SimEnv> env_;
  const bool one_mishap_;
  Random chance_;       // When `ack` is written.
  Random last_chance_;  // Beside it, so that what older seeds decide stays what it was.
  ManualClock clock_;
  CountingIds ids_;
  std::unique_ptr<TenancyStore> store_;
  Storage* storage_ = nullptr;  // Of the open store, for flushes.
  PlainModel model_;
  std::map<events::Uuid, Sent> sent_;  // By the command's id.
  std::uint64_t commands_ = 0;
  std::uint64_t heirs_ = 0;
  std::optional<Position> heir_at_;  // Where the log was whose rows the last import takes.
  bool heir_published_ = false;
  enum class Copied : std::uint8_t { kNothing, kBegun, kBackedUp, kRestored };
  Copied copied_ = Copied::kNothing;  // How far the last copy got.
  std::uint64_t copies_ = 0;
  SquashWatch squashes_;
  bool armed_ = false;
  Outcome counts_;
};

// A store is made on a disk that fails or dies, again and again until it is there; then the power
// goes.
void Life::begin(const std::optional<Mishap>& mishap) {
  if (mishap) {
    arm(*mishap);
  } else if (chance_.one_in(2)) {
    arm({1 + chance_.below(90), chance_.one_in(2) ? EIO : 0, chance_.one_in(2)});
  }
  while (true) {
    try {
      init_store(store_path(), clock_, ids_, disk_options());
      break;
    } catch (const UnavailableError& error) {
      if (!doomed()) throw Wrong{{std::string("no store can be made: ") + error.what()}};
    }
    disk_.restart();
    disk_.forgive();
    armed_ = false;
    std::error_code ignored;
    fs::remove_all(store_path(), ignored);
  }
  if (mishap) return open();
  if (chance_.one_in(2)) disk_.kill(Crash::kPowerLoss);
  disk_.restart();
  disk_.forgive();
  armed_ = false;
  open();
}

void Life::arm(const Mishap& mishap) {
  armed_ = true;
  if (mishap.error == 0) return disk_.crash_at(mishap.change, mishap.crash);
  disk_.fail_at(mishap.change, mishap.error, mishap.once);
}

void Life::take(const Step& step) {
  Random random(step.seed);
  switch (step.action) {
    case Action::kCommands:
      return send(random);
    case Action::kPeople:
      return people();
    case Action::kRetry:
      return retry(random);
    case Action::kFlush:
      return on_a_doubtful_disk([this] { storage_->flush(); });
    case Action::kReopen:
      close();
      return open();
    case Action::kProject:
      return project(random);
    case Action::kRebuild:
      return rebuild(random);
    case Action::kImport:
      return import(random);
    case Action::kBackup:
      return back_up(random);
    case Action::kSquash:
      return squash(random);
    case Action::kVerify:
      return verify();
    case Action::kClock:
      return clock_.advance_seconds(static_cast<std::int64_t>(random.below(400'000)) - 1800);
    case Action::kSecondOwner:
      return try_second_owner();
    case Action::kFullDisk:
      armed_ = true;
      return disk_.limit_space(random.below(300'000));
    case Action::kFault:
      armed_ = true;
      return disk_.fail_at(1 + random.below(60), random.one_in(4) ? ENOSPC : EIO, random.one_in(2));
    case Action::kKill:
    case Action::kPowerLoss: {
      const Crash crash = step.action == Action::kKill ? Crash::kKill : Crash::kPowerLoss;
      ++counts_.crashes;
      armed_ = true;
      if (random.one_in(4)) {
        disk_.kill(crash);
        return recover();
      }
      return disk_.crash_at(1 + random.below(random.one_in(2) ? 12 : 120), crash);
    }
  }
}

template <class Work>
void Life::on_a_doubtful_disk(Work&& work) {
  try {
    work();
  } catch (const UnavailableError& error) {
    if (!doomed()) throw Wrong{{std::string("unavailable for no reason: ") + error.what()}};
  } catch (const CorruptionError& error) {
    // What is read through a file that could not be written may be cut short; on a disk that works
    // it must not be.
    if (!doomed()) throw Wrong{{std::string("damage on a disk that works: ") + error.what()}};
  }
  if (disk_.dead()) recover();
}

// --- Commands.

void Life::people() {
  std::vector<events::CommandRequest> commands;
  for (const std::string& line : RandomHistory::opening_lines()) {
    commands.push_back(command_of(line));
  }
  submit(std::move(commands));
}

void Life::send(Random& random) {
  std::vector<events::CommandRequest> commands;
  for (std::uint64_t n = 1 + random.below(6); n > 0; --n) {
    RandomHistory history(static_cast<unsigned>(random.below(1U << 31U)), clock_.now());
    commands.push_back(command_of(history.next_line()));
    auto& at = commands.back().circumstances.at;
    at.reset();
    if (random.one_in(4)) at = clock_.now();
  }
  submit(std::move(commands));
}

events::CommandRequest Life::command_of(const std::string& line) {
  auto parsed = events::parse_command_line(line, {}, /*historic=*/true);
  if (const auto* refusal = std::get_if<events::Refusal>(&parsed)) {
    throw Wrong{{"the generator wrote what is no command: " + refusal->message}};
  }
  auto& command = std::get<events::CommandRequest>(parsed);
  events::Uuid id;
  id.bytes[0] = 0xc0;
  id.bytes[6] = 0x40;
  id.bytes[8] = 0x80;
  const std::uint64_t number = ++commands_;
  for (std::size_t i = 0; i < 6; ++i) {
    id.bytes[15 - i] = static_cast<std::uint8_t>(number >> (8 * i));
  }
  command.circumstances.id = id;
  return std::move(command);
}

void Life::submit(std::vector<events::CommandRequest> commands) {
  std::vector<Answer> answers;
  SubmitOptions options;
  options.answered = &answers;
  try {
    answers = store_->submit(commands, options);
  } catch (const UnavailableError& error) {
    if (!doomed()) throw Wrong{{std::string("refused for no reason: ") + error.what()}};
  } catch (const CorruptionError& error) {
    if (!doomed()) throw Wrong{{std::string("damage on a disk that works: ") + error.what()}};
  }
  for (std::size_t n = 0; n < commands.size(); ++n) {
    note(commands[n], n < answers.size() ? &answers[n] : nullptr);
  }
  const bool all_answered = answers.size() == commands.size();
  if (disk_.dead() || (!all_answered && chance_.one_in(2))) return recover();
  if (all_answered && !doomed()) require(model_.compare_log(*store_));
}

void Life::note(const events::CommandRequest& command, const Answer* answer) {
  Sent& sent = sent_[*command.circumstances.id];
  sent.command = command;
  if (answer == nullptr) {
    ++counts_.in_doubt;
    return;
  }
  ++counts_.answers;
  const std::string words = brief(*answer);
  // What was refused was not kept: its retry is decided anew.
  const bool accepted = answer->status == Answer::Status::kAccepted;
  if (!sent.answer.empty() && sent.answer != words) {
    throw Wrong{{fmt::format("command {} was answered {}, and then {}",
                             events::format_uuid(*command.circumstances.id), sent.answer, words)}};
  }
  if (accepted) sent.answer = words;
}

void Life::retry(Random& random) {
  if (sent_.empty()) return;
  auto at = sent_.begin();
  std::advance(at, static_cast<std::ptrdiff_t>(random.below(sent_.size())));
  submit({at->second.command});
}

// --- Read models.

void Life::project(Random& random) {
  on_a_doubtful_disk([&] {
    projections::ProjectOptions options;
    options.batch_events = 1 + random.below(20);
    if (random.one_in(3)) options.load_above = 5;
    options.one_thread = true;
    const auto target = read_model();
    const auto outcome = projections::project(*store_, *target, options);
    if (std::holds_alternative<projections::Fenced>(outcome)) {
      throw Wrong{{"the only projector was fenced off"}};
    }
  });
  if (!doomed()) check_read_model();
}

void Life::rebuild(Random& random) {
  on_a_doubtful_disk([&] {
    projections::RebuildOptions options;
    options.from_events = random.one_in(2);
    options.one_thread = true;
    const auto target = read_model();
    const auto outcome = projections::rebuild(*store_, *target, options);
    const auto* certificate = std::get_if<projections::Certificate>(&outcome);
    if (certificate == nullptr || !certificate->correct()) {
      throw Wrong{{"a rebuild does not prove itself"}};
    }
  });
  if (!doomed()) check_read_model();
}

void Life::import(Random& random) {
  on_a_doubtful_disk([&] {
    const auto source = read_model();
    const projections::Probe probe = source->probe();
    if (!probe.mark || heir_at_) return;  // One that waits to be looked at is enough.
    ++heirs_;
    heir_at_ = probe.mark->position;
    StoreImport import(heir_path(), {}, clock_, ids_, disk_options());
    if (!projections::import_rows(*source, import, {}).equal()) {
      throw Wrong{{"an import does not have the rows that it read"}};
    }
    if (!armed_ && random.one_in(2)) {  // Few changes, all of which matter.
      ++counts_.crashes;
      armed_ = true;
      disk_.crash_at(1 + random.below(20), random.one_in(2) ? Crash::kKill : Crash::kPowerLoss);
    }
    import.publish();
    heir_published_ = true;
    ++counts_.imports;
  });
  if (!doomed()) check_heir();
}

// It is there wholly or not at all; what was put in place stays.
void Life::check_heir() {
  if (!heir_at_) return;
  const bool is_there = fs::exists(heir_path() / "FORMAT");
  if (heir_published_ && !is_there) throw Wrong{{"an import that was put in place is gone"}};
  if (is_there) {
    clock_.advance_seconds(7200);  // It may have gone back since, by more than a store takes.
    StoreOptions options;
    options.directory = heir_path();
    options.disk = disk_options();
    const auto heir = open_store(options, clock_, ids_);
    require(model_.compare_rows(*heir_at_, rows_of(*heir), /*all_columns=*/false));
    for (const CheckResult& check : heir->verify(VerifyDepth::kFull, {})) {
      if (!check.passed) throw Wrong{{"the imported store: " + check.name}};
    }
  }
  heir_at_.reset();
  heir_published_ = false;
  std::error_code ignored;
  fs::remove_all(heir_path(), ignored);
}

PlainModel::Tables Life::rows_of(const TenancyStore& store) const {
  PlainModel::Tables found;
  const RowsAt at = store.rows_now();
  for (const events::TableInfo& table : events::tables()) {
    PlainModel::Rows& rows = found[&table];
    at.rows->scan_rows(table, std::nullopt, [&](const StoredRow& stored) {
      rows[stored.key.id] = events::decode_row(table, stored.bytes);
      return true;
    });
  }
  return found;
}

// --- Backups.

RestoreReport Life::restore_backup() {
  clock_.advance_seconds(7200);  // As for an heir.
  RestoreOptions options;
  options.backup = backup_path();
  options.directory = restored_path();
  options.disk = disk_options();
  RestoreReport report = restore_store(options, clock_, ids_, {});
  ++counts_.restores;
  return report;
}

void Life::back_up(Random& random) {
  on_a_doubtful_disk([&] {
    if (copied_ != Copied::kNothing) return;  // One that waits to be looked at is enough.
    ++copies_;
    copied_ = Copied::kBegun;
    const Position tail = store_->back_up(backup_path(), {}).tail;
    copied_ = Copied::kBackedUp;
    ++counts_.backups;
    if (tail != store_->tail().tail) throw Wrong{{"a backup ends before the log"}};
    if (!armed_ && random.one_in(3)) {
      ++counts_.crashes;
      armed_ = true;
      disk_.crash_at(1 + random.below(80), random.one_in(2) ? Crash::kKill : Crash::kPowerLoss);
    }
    static_cast<void>(restore_backup());
    copied_ = Copied::kRestored;
  });
  if (!doomed()) check_backup();
}

// Each is there wholly or not at all; what was put in place stays.
void Life::check_backup() {
  if (copied_ == Copied::kNothing) return;
  const bool is_there = fs::exists(backup_path() / "BACKUP");
  if (!is_there && copied_ != Copied::kBegun) throw Wrong{{"a backup that was made is gone"}};
  if (copied_ == Copied::kRestored && !fs::exists(restored_path() / "FORMAT")) {
    throw Wrong{{"a restored store that was put in place is gone"}};
  }
  if (is_there) {
    if (!fs::exists(restored_path() / "FORMAT")) {
      std::error_code ignored;
      fs::remove_all(restored_path(), ignored);  // What an interrupted restore left.
      static_cast<void>(restore_backup());
    }
    clock_.advance_seconds(7200);
    StoreOptions options;
    options.directory = restored_path();
    options.disk = disk_options();
    const auto restored = open_store(options, clock_, ids_);
    const Position tail{restored->tail().tail.value - 1};  // Behind it: that it was restored.
    require(model_.compare_rows(tail, rows_of(*restored), /*all_columns=*/true));
    if (restored->chain_hash_at(tail) != store_->chain_hash_at(tail)) {
      throw Wrong{{"a restored store has another history"}};
    }
    for (const CheckResult& check : restored->verify(VerifyDepth::kFull, {})) {
      if (!check.passed) throw Wrong{{"the restored store: " + check.name}};
    }
  }
  copied_ = Copied::kNothing;
  std::error_code ignored;
  fs::remove_all(backup_path(), ignored);
  fs::remove_all(restored_path(), ignored);
}

// --- Squashes.

void Life::squash(Random& random) {
  SquashOptions options;
  if (random.one_in(3)) {
    for (const events::ScopeInfo& info : events::scopes()) {
      if (random.one_in(2)) options.scopes.insert(info.scope);
    }
  }
  if (random.one_in(3)) options.through = Position{random.below(store_->tail().tail.value + 1)};
  if (random.one_in(4)) options.archive = elsewhere();
  const bool twice = random.one_in(4) && !one_mishap_;
  if (!armed_ && random.one_in(3)) {
    ++counts_.crashes;
    armed_ = true;
    disk_.crash_at(1 + random.below(120), random.one_in(2) ? Crash::kKill : Crash::kPowerLoss);
  }
  on_a_doubtful_disk([&] {
    squash_once(options);
    options.through.reset();  // What it left goes on, with what it says of itself.
    if (twice) squash_once(options);
  });
  if (!doomed()) check_squashes();
}

void Life::squash_once(const SquashOptions& options) {
  squashes_.begun(store_->plan_squash(options, {}));
  squashes_.done(store_->squash(options, {}));
  ++counts_.squashes;
}

// Whatever became of those before it.
void Life::squash_all() {
  on_a_doubtful_disk([this] { squash_once({}); });
  check_squashes();
}

// The end of some lives: what it takes is not known to the model any more.
void Life::redact() {
  if (one_mishap_ || !last_chance_.one_in(4)) return;
  const std::optional<events::Uuid> tenant = first_tenant(*store_);
  if (!tenant) return;
  const RedactionWatch watch(*store_, *tenant);
  SquashOptions options;
  options.redact = *tenant;
  disk_.crash_at(1 + last_chance_.below(400),
                 last_chance_.one_in(2) ? Crash::kKill : Crash::kPowerLoss);
  armed_ = true;
  std::vector<std::string> wrong;
  try {
    (void)store_->squash(options, {});
    ++counts_.redactions;
  } catch (const UnavailableError&) {
    if (!disk_.dead()) wrong.emplace_back("a redaction fails for no reason");
  } catch (const CorruptionError&) {
    if (!disk_.dead()) wrong.emplace_back("a redaction meets damage on a disk that works");
  }
  for (const bool again : {false, true}) {
    close();
    disk_.restart();
    disk_.forgive();
    armed_ = false;
    open();
    const bool is_done = watch.check(*store_, wrong);
    if (again && !is_done) wrong.emplace_back("a redaction does not succeed");
    require(std::move(wrong));
    verify();
    if (is_done) return;
    (void)store_->squash(options, {});
    ++counts_.redactions;
  }
}

void Life::check_squashes() {
  if (!squashes_.any()) return;
  require(model_.compare_log(*store_));
  require(squashes_.check(*store_, *storage_, store_path() / "archive", elsewhere()));
  require(compare_filters(*store_));
  require(model_.compare_state(*store_->rows_now().rows));
}

void Life::check_read_model() {
  const auto target = read_model();
  const projections::Probe probe = target->probe();
  if (!probe.mark) {
    if (probe.has_rows) throw Wrong{{"the read model has rows and no mark"}};
    return;
  }
  if (!probe.missing_tables.empty() || !probe.fits()) throw Wrong{{"the read model is no whole"}};
  const Position position = probe.mark->position;
  if (position > model_.tail()) {
    throw Wrong{{fmt::format("the read model is at {}, the log ends at {}", position.value,
                             model_.tail().value)}};
  }
  PlainModel::Tables found;
  const auto view = target->read();
  for (const events::TableInfo& table : events::tables()) {
    PlainModel::Rows& rows = found[&table];
    view->scan_rows(table, [&](const events::RowValues& row) {
      rows[events::entity_key(row[table.id_column])] = row;
      return true;
    });
  }
  std::vector<std::string> wrong = model_.compare_rows(position, found, /*all_columns=*/false);
  for (std::string& words : wrong) {
    words = fmt::format("read model at {}: {}", position.value, words);
  }
  require(std::move(wrong));
}

// --- The store.

void Life::verify() {
  if (doomed()) return;
  std::vector<std::string> wrong;
  for (const CheckResult& check : store_->verify(VerifyDepth::kFull, {})) {
    for (const std::string& problem : check.problems) {
      wrong.push_back("verify: " + check.name + ": " + problem);
    }
    if (!check.passed && check.problems.empty()) wrong.push_back("verify: " + check.name);
  }
  require(std::move(wrong));
}

void Life::try_second_owner() {
  try {
    const auto second = open_once();
    throw Wrong{{"a second owner opened the store"}};
  } catch (const UnavailableError&) {
    return;
  }
}

Disk Life::disk_options() {
  Disk options;
  options.open_storage = [this](const RocksOptions& rocks) {
    auto storage = open_sim_storage(*env_, rocks);
    if (rocks.directory == store_path() / "db" && !rocks.read_only) storage_ = storage.get();
    return storage;
  };
  options.free_space = [this](const fs::path& /*path*/) { return disk_.free_space(); };
  options.write_ack_now = [this] { return chance_.one_in(3); };
  return options;
}

std::unique_ptr<TenancyStore> Life::open_once() {
  StoreOptions options;
  options.directory = store_path();
  options.disk = disk_options();
  options.warn = [this](const std::string& text) {
    if (text.find("garbled") != std::string::npos) ++counts_.repairs;
  };
  return open_store(options, clock_, ids_);
}

void Life::open() {
  try {
    store_ = open_once();
  } catch (const UnavailableError& error) {
    if (doomed()) return recover();
    // The only reason that is left is the clock, which went back by more than an hour.
    const auto last = std::string(error.what()).find("the clock says");
    if (last == std::string::npos) {
      throw Wrong{{std::string("the store does not open: ") + error.what()}};
    }
    clock_.advance_seconds(3600);
    return open();
  } catch (const CorruptionError& error) {
    if (doomed()) return recover();
    throw Wrong{{std::string("the store is damaged: ") + error.what()}};
  }
  if (disk_.dead()) recover();
}

void Life::close() {
  store_.reset();
  storage_ = nullptr;
}

void Life::recover() {
  close();
  disk_.restart();
  disk_.forgive();
  armed_ = false;
  leave_ruined_read_model();
  open();
  const bool squashed_in_doubt = squashes_.in_doubt();
  check_squashes();
  check_store();
  if (squashed_in_doubt && chance_.one_in(2)) squash_all();
  check_read_model();
  check_heir();
  check_backup();
}

// SQLite goes on after a sync that failed, and its file may be anything after the power loss that
// shows it. Who operates it makes a new one.
void Life::leave_ruined_read_model() {
  const auto is_of_read_model = [this](const std::string& path) {
    return path.starts_with(read_model_path().string());
  };
  if (std::ranges::none_of(disk_.ruined(), is_of_read_model)) return;
  ++counts_.ruined;
  for (const char* suffix : {"", "-wal", "-shm", "-journal"}) {
    std::error_code ignored;
    fs::remove(read_model_path().string() + suffix, ignored);
  }
}

void Life::check_store() {
  require(model_.compare_log(*store_));
  require(model_.compare_state(*store_->rows_now().rows));
  require(model_.broken_rules());
  // What was in doubt is asked again; what was answered is answered alike.
  std::vector<events::CommandRequest> again;
  for (const auto& [id, sent] : sent_) {
    if (sent.answer.empty() || chance_.one_in(8)) again.push_back(sent.command);
  }
  if (!again.empty()) submit(std::move(again));
}

void Life::describe(Outcome& outcome) const {
  outcome.trace_hash = disk_.trace_hash();
  outcome.changes = counts_.changes;
  outcome.crashes = counts_.crashes;
  outcome.answers = counts_.answers;
  outcome.in_doubt = counts_.in_doubt;
  outcome.repairs = counts_.repairs;
  outcome.imports = counts_.imports;
  outcome.backups = counts_.backups;
  outcome.restores = counts_.restores;
  outcome.squashes = counts_.squashes;
  outcome.redactions = counts_.redactions;
  outcome.ruined = counts_.ruined;
  outcome.events = model_.tail().value;
  outcome.losses = disk_.losses();
}

}  // namespace

Outcome live(const fs::path& directory, std::uint64_t seed, const std::vector<Step>& steps,
             const std::optional<Mishap>& mishap) {
  Outcome outcome;
  std::size_t at = 0;
  try {
    Life life(directory, seed, mishap);
    try {
      for (; at < steps.size(); ++at) life.take(steps[at]);
      life.finish();
    } catch (...) {
      life.describe(outcome);
      throw;
    }
    life.describe(outcome);
  } catch (const Wrong& wrong) {
    outcome.wrong = wrong.what;
  } catch (const std::exception& error) {
    outcome.wrong = {std::string("an error that nobody expects: ") + error.what()};
  }
  if (!outcome.wrong.empty()) {
    outcome.during = at < steps.size()
                         ? fmt::format("step {} ({})", at + 1, action_name(steps[at].action))
                         : "the end";
  }
  return outcome;
}

}  // namespace tenantry::sim
