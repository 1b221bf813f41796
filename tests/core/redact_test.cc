#include "core/redact.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>

#include <fmt/format.h>

#include "core/backup.h"
#include "core/catalogue.h"
#include "core/error.h"
#include "core/file_ops.h"
#include "core/keys.h"
#include "core/record.h"
#include "core/storage.h"
#include "tests/core/reading_test_base.h"

namespace tenantry {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

class RedactTest : public ReadingTestBase {
 protected:
  void live(unsigned seed, int commands) {
    for (const std::string& line : history_of(seed, commands)) run(line);
  }
  static SquashOptions of(const events::Uuid& tenant) {
    SquashOptions options;
    options.redact = tenant;
    return options;
  }
  RedactionReport redact(const SquashOptions& options) {
    return store().squash(options, {}).redaction.value();
  }
  // The one that most is told of comes first.
  std::vector<events::Uuid> tenants() {
    std::map<events::Uuid, int> events;
    store().read_log({}, [&](const StoredEvent& event) {
      if (event.tenant != events::Uuid{} && !is_redacted(event)) ++events[event.tenant];
      return true;
    });
    std::vector<events::Uuid> found;
    for (const auto& [tenant, count] : events) found.push_back(tenant);
    std::ranges::sort(found, std::greater(), [&](const auto& tenant) { return events[tenant]; });
    return found;
  }

  struct Kept {
    std::string words;
    std::string redacted;  // As it must be once it is.
    events::Uuid tenant;
    std::optional<events::Uuid> other;
    events::Uuid stream;
    bool is_note = false;
  };
  // The events of tables, by position.
  std::map<Position, Kept> events_by_position(Position through) {
    std::map<Position, Kept> found;
    store().read_log({}, [&](const StoredEvent& event) {
      if (event.position > through) return false;
      const events::EventView view = view_of(event);
      StoredEvent redacted = event;
      redacted.flags |= kFlagRedacted;
      const Hash hash = sha256(event.payload);
      redacted.payload = {reinterpret_cast<const char*>(hash.data()), hash.size()};
      if (is_redacted(event)) redacted = event;
      found[event.position] = {words_of(event), words_of(redacted),
                               event.tenant,    view.other_tenant(),
                               event.stream,    view.kind().effect == events::Effect::NOTE};
      return true;
    });
    return found;
  }
  // The rows at a position: words by table and id, with whose they are.
  using Rows = std::map<std::pair<std::string, events::Uuid>, std::pair<events::Uuid, std::string>>;
  static Rows rows_in(const StateView& state) {
    Rows rows;
    for (const events::TableInfo& table : events::tables()) {
      state.scan_rows(table, std::nullopt, [&](const StoredRow& row) {
        rows[{table.name, row.key.id}] = {row.key.tenant, words_of(row)};
        return true;
      });
    }
    return rows;
  }
};

TEST_F(RedactTest, NothingChangesButWhatTheTenantsEventsSay) {
  int unknown = 0;
  for (const unsigned seed : {1U, 2U, 3U, 4U}) {
    live(seed, 150);
    if (seed % 2 == 0) (void)store().squash({}, {});
    live(seed + 10, 60);
    const Position tail = store().tail().tail;
    const events::Uuid tenant = tenants().at(seed % 2);
    const auto before = events_by_position(tail);
    const auto rows = rows_of(*store().rows_now().rows);
    std::map<Position, Rows> past;
    for (std::uint64_t at = 1; at <= tail.value; at += 1 + tail.value / 12) {
      const RowsAt then = store().rows_at({at}, {});
      if (then.unknown.empty()) past[{at}] = rows_in(*then.rows);
    }
    const RedactionReport report = redact(of(tenant));
    ASSERT_GT(report.events, 0U) << seed;
    EXPECT_THAT(failed_checks(), IsEmpty()) << seed;
    EXPECT_TRUE(rows_of(*store().rows_now().rows) == rows) << seed;

    std::uint64_t redacted = 0;
    const auto after = events_by_position(tail);
    ASSERT_EQ(after.size(), before.size());
    for (const auto& [position, event] : before) {
      const bool is_taken = event.tenant == tenant && !event.other && !event.is_note;
      redacted += is_taken && event.words != event.redacted ? 1 : 0;
      EXPECT_EQ(after.at(position).words, is_taken ? event.redacted : event.words)
          << seed << " at " << position.value;
    }
    EXPECT_GE(redacted, report.events) << seed;

    for (const auto& [position, then] : past) {
      const RowsAt now = store().rows_at(position, {});
      const Rows found = rows_in(*now.rows);
      if (!now.unknown.contains(tenant)) {  // Behind the last event that there is about tenants.
        EXPECT_EQ(found, then) << seed << " at " << position.value;
        continue;
      }
      ++unknown;
      for (const auto& [row, was] : then) {
        const events::Uuid stream = events::stream_id(*events::find_table(row.first), row.second);
        if (now.unknown.contains(was.first) || now.missing.contains(stream)) {
          EXPECT_FALSE(found.contains(row)) << seed << " at " << position.value;
          EXPECT_TRUE(now.unknown.contains(was.first) || now.missing.at(stream) == was.first);
        } else {
          ASSERT_TRUE(found.contains(row)) << seed << " at " << position.value;
          EXPECT_EQ(found.at(row).second, was.second) << seed << " at " << position.value;
        }
      }
      for (const auto& [row, words] : found) EXPECT_TRUE(then.contains(row)) << seed;
    }
    const Position known = store().tail().tail;
    EXPECT_TRUE(store().rows_at(known, {}).unknown.empty());
    EXPECT_TRUE(rows_of(*store().rows_at(known, {}).rows) == rows) << seed;
    reopen();
    EXPECT_THAT(failed_checks(), IsEmpty()) << seed;
  }
  EXPECT_GT(unknown, 10);
  (void)store().squash({}, {});
  live(30, 60);
  (void)store().squash({}, {});
  live(31, 20);
  (void)store().squash({}, {});
  EXPECT_THAT(failed_checks(), IsEmpty());
  EXPECT_TRUE(rows_of(*store().rows_at(store().tail().tail, {}).rows) ==
              rows_of(*store().rows_now().rows));
}

TEST_F(RedactTest, TheEventSaysWhoseAndWhoAndWhy) {
  live(1, 120);
  const events::Uuid tenant = tenants().at(0);
  SquashOptions options = of(tenant);
  options.circumstances.actor = "ann";
  options.circumstances.reason = "asked";
  const RedactionReport report = redact(options);
  LogFilter filter;
  filter.tenant = tenant;
  filter.kinds = {events::find_kind("TenantRedacted")->number};
  std::size_t seen = 0;
  store().read_log(filter, [&](const StoredEvent& event) {
    const events::EventView view = view_of(event);
    EXPECT_EQ(event.position, report.event);
    EXPECT_EQ(view.tenant(), tenant);
    const auto fact = view.event().getTenantRedacted();
    EXPECT_EQ(static_cast<std::uint64_t>(fact.getRedactedThrough()), report.last.value);
    EXPECT_EQ(static_cast<std::uint64_t>(fact.getRedactedEvents()), report.events);
    EXPECT_STREQ(view.event().getActor().cStr(), "ann");
    EXPECT_STREQ(view.event().getReason().cStr(), "asked");
    ++seen;
    return true;
  });
  EXPECT_EQ(seen, 1U);
  // A second time there is nothing left.
  const RedactionReport again = redact(of(tenant));
  EXPECT_EQ(again.events, 0U);
  EXPECT_EQ(again.earlier, report.events);
  EXPECT_EQ(again.event, Position{});
}

TEST_F(RedactTest, GoesAsFarAsItIsToldTo) {
  live(2, 200);
  const events::Uuid tenant = tenants().at(0);
  const Position tail = store().tail().tail;
  const Position middle{tail.value / 2};
  SquashOptions options = of(tenant);
  options.through = middle;
  const SquashReport plan = store().plan_squash(options, {});
  const RedactionReport report = redact(options);
  EXPECT_EQ(plan.redaction->events, report.events);
  EXPECT_EQ(plan.redaction->last, report.last);
  EXPECT_LE(report.last, middle);
  store().read_log({}, [&](const StoredEvent& event) {
    EXPECT_TRUE(!is_redacted(event) || (event.position <= middle && event.tenant == tenant));
    return true;
  });
  EXPECT_THAT(failed_checks(), IsEmpty());
  EXPECT_EQ(redact(of(tenant)).earlier, report.events);
  EXPECT_THAT(failed_checks(), IsEmpty());
}

TEST_F(RedactTest, WhoeverNeedsWhatIsGoneIsTold) {
  live(3, 150);
  const events::Uuid tenant = tenants().at(0);
  const RedactionReport report = redact(of(tenant));
  const auto read_after = [&](Position after) {
    store().read_after(after, store().tail().tail, [](const StoredEvent&) { return true; });
  };
  EXPECT_EQ(store().complete_after(), report.last);
  EXPECT_EQ(usage_code([&] { read_after({report.last.value - 1}); }), "history_redacted");
  read_after(report.last);
  const auto fold = [&](Position through) {
    store().fold_rows(
        through, [](const StoredEvent&) { return true; }, [](const FoldedRow&) { return true; });
  };
  EXPECT_EQ(usage_code([&] { fold({report.last.value - 1}); }), "history_redacted");
  fold(store().tail().tail);
  EXPECT_EQ(usage_code([&] {
              store().read_commands({}, {}, [](const events::CommandRequest&) { return true; });
            }),
            "history_redacted");
  EXPECT_EQ(usage_code([&] { redact(of(events::Uuid{{7}})); }), "not_found");
}

TEST_F(RedactTest, WhatIsKnownSinceStaysKnown) {
  live(11, 0);
  const events::Uuid tenant = tenants().at(0);
  (void)redact(of(tenant));
  std::map<Position, Rows> past;
  for (const char* name : {"One", "Two", "Three", "Four"}) {
    for (const char* slug : {"acme", "bolt", "crux"}) {
      run(std::string("{'command':'change_tenant','data':{'tenant':'") + slug + "','name':'" +
          name + slug + "'}}");
      const Position at = store().tail().tail;
      past[at] = rows_in(*store().rows_at(at, {}).rows);
    }
    (void)store().squash({}, {});
  }
  for (const auto& [position, rows] : past) {
    const RowsAt then = store().rows_at(position, {});
    EXPECT_TRUE(then.unknown.empty());
    EXPECT_EQ(rows_in(*then.rows), rows);
  }
  EXPECT_THAT(failed_checks(), IsEmpty());
}

TEST_F(RedactTest, WhatWasSaidIsNowhereInTheStore) {
  live(12, 40);
  const auto change = [&](const std::string& email) {
    run("{'command':'change_tenant','data':{'tenant':'secretive','contact_email':'" + email +
        "@gone.example'}}");
  };
  run("{'command':'create_tenant','data':{'name':'T','slug':'secretive',"
      "'contact_email':'first.one@gone.example'}}");
  change("zzyzxqq.second");
  (void)store().squash({}, {});
  change("zzyzxqq.third");
  change("other");
  const auto holds = [&] {
    std::vector<std::string> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory())) {
      if (!entry.is_regular_file()) continue;
      if (read_file(entry.path())->find("zzyzxqq") != std::string::npos) {
        files.push_back(entry.path().string());
      }
    }
    return files;
  };
  EXPECT_THAT(holds(), Not(IsEmpty()));
  LogFilter filter;
  filter.reverse = true;
  SquashOptions options;
  store().read_log(filter, [&](const StoredEvent& event) {
    options.redact = event.tenant;
    return false;
  });
  EXPECT_EQ(redact(options).events, 4U);
  EXPECT_THAT(failed_checks(), IsEmpty());
  close();
  EXPECT_THAT(holds(), IsEmpty());
}

TEST_F(RedactTest, WaitsForReadersThatAreNoted) {
  live(4, 100);
  const events::Uuid tenant = tenants().at(0);
  store().note_consumer("app", Position{1}, false);
  const auto before = events_by_position(store().tail().tail);
  EXPECT_EQ(usage_code([&] { redact(of(tenant)); }), "consumer_behind");
  for (const auto& [position, event] : events_by_position(store().tail().tail)) {
    EXPECT_EQ(event.words, before.at(position).words);
  }
  // One that has seen all, but would have to be filled anew.
  store().note_consumer("app", store().tail().tail, true);
  close();
  store_ = open_store({.directory = directory(), .schema_version = events::kSchemaVersion + 1},
                      clock_, ids_);
  EXPECT_EQ(usage_code([&] { redact(of(tenant)); }), "consumer_outdated");
  SquashOptions options = of(tenant);
  options.rebase = {"app"};
  EXPECT_GT(redact(options).events, 0U);
  EXPECT_THAT(store().status().consumers, IsEmpty());
  // Who is forgotten is so also where nothing is left to be done.
  store().note_consumer("app", Position{1}, false);
  EXPECT_EQ(redact(options).events, 0U);
  EXPECT_THAT(store().status().consumers, IsEmpty());
}

TEST_F(RedactTest, AfterHistoryWasDiscardedThatOfOthersGoesOn) {
  live(5, 0);
  SquashOptions discard;
  discard.discard_history = true;
  (void)store().squash(discard, {});
  const Position first = store().tail().tail;
  for (const char* name : {"One", "Two", "Three"}) {
    for (const char* slug : {"acme", "bolt", "acme"}) {
      run(std::string("{'command':'change_tenant','data':{'tenant':'") + slug + "','name':'" +
          name + slug + "'}}");
    }
  }
  const events::Uuid tenant = tenants().at(0);
  const Position last = store().plan_squash(of(tenant), {}).redaction->last;
  const Position middle{last.value - 1};
  const Rows then = rows_in(*store().rows_at(middle, {}).rows);
  ASSERT_GT(redact(of(tenant)).events, 0U);
  EXPECT_THAT(failed_checks(), IsEmpty());
  const RowsAt now = store().rows_at(middle, {});
  EXPECT_TRUE(now.unknown.contains(tenant));
  std::size_t others = 0;
  for (const auto& [row, words] : rows_in(*now.rows)) {
    EXPECT_NE(words.first, tenant);
    EXPECT_EQ(then.at(row).second, words.second);
    others += words.first == events::Uuid{} ? 0 : 1;
  }
  EXPECT_GT(others, 0U);
  EXPECT_TRUE(store().rows_at(first, {}).unknown.contains(tenant));
  // And once more nothing of it is left that had to be told.
  (void)store().squash(discard, {});
  EXPECT_TRUE(store().rows_at(store().tail().tail, {}).unknown.empty());
  EXPECT_THAT(failed_checks(), IsEmpty());
}

TEST_F(RedactTest, ABackupOfItIsRestored) {
  live(8, 100);
  const events::Uuid tenant = tenants().at(0);
  const RedactionReport report = redact(of(tenant));
  (void)store().back_up(temp_ / "backup", {});
  close();
  RestoreOptions options;
  options.backup = temp_ / "backup";
  options.directory = temp_ / "restored";
  const RestoreReport restored = restore_store(options, clock_, ids_, {});
  store_ = open_store({.directory = options.directory}, clock_, ids_);
  EXPECT_THAT(failed_checks(), IsEmpty());
  EXPECT_EQ(store().complete_after(), report.last);
}

// Somebody who takes the payload and keeps the chain is found out.
TEST_F(RedactTest, APayloadThatIsMissingWithoutARedactionIsDamage) {
  live(9, 100);
  (void)redact(of(tenants().at(0)));
  close();
  {
    const auto storage = open_rocks_storage({.directory = directory() / "db"});
    ChangeSet changes;
    for (const auto& [scope, catalogue] : read_catalogue(*storage).scopes) {
      for (const Redaction& redaction : catalogue.redactions) {
        remove_redaction(changes, scope, redaction);
      }
    }
    ASSERT_EQ(storage->write(changes, /*sync=*/true), WriteResult::kDone);
  }
  open();
  EXPECT_THAT(failed_checks(), Contains(HasSubstr("no redaction says so")));
}

// Where the event that tells of it cannot be read, that is the damage; what it took is none.
TEST_F(RedactTest, DamageToWhatTellsOfARedactionAccusesNoOtherEvent) {
  live(11, 100);
  const RedactionReport report = redact(of(tenants().at(0)));
  ASSERT_GT(report.events, 0U);
  // Whoever opens the store reads what a scope has of the last thousand events, and one before.
  ASSERT_GT(redact(of(tenants().at(0))).events, 0U);
  for (int number = 0; number < 1100; ++number) run(protein(fmt::format("Protein {}", number)));
  ASSERT_GT(redact(of(tenants().at(0))).events, 0U);
  close();
  {
    const auto storage = open_rocks_storage({.directory = directory() / "db"});
    const std::string key = keys::block(events::Scope::SYSTEM, report.event);
    std::string block = storage->get(Family::kLog, key).value();
    block.back() ^= 1;
    ChangeSet changes;
    changes.put(Family::kLog, key, std::move(block));
    ASSERT_EQ(storage->write(changes, /*sync=*/true), WriteResult::kDone);
  }
  open();
  std::vector<std::string> problems;
  for (const CheckResult& check : store().verify(VerifyDepth::kFull, {})) {
    std::ranges::copy(check.problems, std::back_inserter(problems));
  }
  EXPECT_THAT(problems, Contains(HasSubstr("what was redacted cannot be read")));
  const auto where = fmt::format("scope system at position {}", report.event.value);
  EXPECT_THAT(problems, Contains(HasSubstr(where)));
  EXPECT_THAT(problems, Not(Contains(HasSubstr("no redaction says so"))));
}

// Files of the archive from before a redaction, listed as they were, would pass for sound.
TEST_F(RedactTest, WhatWasRedactedAndIsThereAgainIsDamage) {
  live(10, 100);
  (void)store().squash({}, {});
  const events::Uuid tenant = tenants().at(0);
  close();
  std::filesystem::copy(directory() / "archive", temp_ / "archive");
  const auto list = [&](const std::function<void(Storage&, const Catalogue&)>& work) {
    const auto storage = open_rocks_storage({.directory = directory() / "db"});
    work(*storage, read_catalogue(*storage));
  };
  Catalogue before;
  list([&](Storage& /*storage*/, const Catalogue& catalogue) { before = catalogue; });
  open();
  const RedactionReport report = redact(of(tenant));
  EXPECT_THAT(failed_checks(), IsEmpty());
  close();
  list([&](Storage& storage, const Catalogue& catalogue) {
    ChangeSet changes;
    for (const auto& [scope, of_scope] : catalogue.scopes) {
      for (const Redaction& redaction : of_scope.redactions) {
        remove_redaction(changes, scope, redaction);
      }
      for (const ArchiveSegment& segment : of_scope.segments) {
        remove_segment(changes, scope, segment);
      }
      for (const ArchiveSegment& segment : before.of(scope).segments) {
        put_segment(changes, scope, segment);
      }
    }
    ASSERT_EQ(storage.write(changes, /*sync=*/true), WriteResult::kDone);
  });
  std::filesystem::copy(
      temp_ / "archive", directory() / "archive",
      std::filesystem::copy_options::recursive | std::filesystem::copy_options::skip_existing);
  open();
  const auto told = fmt::format("still has its payload, and event {} says", report.event.value);
  EXPECT_THAT(failed_checks(), Contains(HasSubstr(told)));
  std::size_t named = 0;
  for (const CheckResult& check : store().verify(VerifyDepth::kFull, {})) {
    for (const std::string& problem : check.problems)
      named += problem.find(told) == std::string::npos ? 0 : 1;
  }
  EXPECT_EQ(named, std::min<std::uint64_t>(report.events, 20));
}

TEST_F(RedactTest, OneThatFailsBehindItsSquashSaysWhatStands) {
  live(6, 100);
  const events::Uuid tenant = tenants().at(0);
  const Position tail = store().tail().tail;
  close();
  bool full = true;
  bool full_for_squash = true;
  Disk disk;
  disk.free_space = [&](const std::filesystem::path& place) {
    const bool archive = place == directory() / "archive";
    return full && (archive || full_for_squash) ? 0 : free_space(place);
  };
  store_ = open_store({.directory = directory(), .disk = disk}, clock_, ids_);
  try {
    (void)redact(of(tenant));
    ADD_FAILURE() << "there was no room for its squash";
  } catch (const UnavailableError& error) {
    EXPECT_THAT(error.what(), HasSubstr("a squash needs some"));
    EXPECT_THAT(error.what(), EndsWith("; nothing is redacted"));
    EXPECT_THAT(error.hint(), EndsWith("; the same command goes on from there"));
  }
  EXPECT_EQ(store().tail().tail, tail);
  full_for_squash = false;
  try {
    (void)redact(of(tenant));
    ADD_FAILURE() << "there was no room for it";
  } catch (const UnavailableError& error) {
    EXPECT_EQ(error.code(), "disk_low");
    EXPECT_THAT(error.what(), HasSubstr("a redaction needs some"));
    EXPECT_THAT(error.what(), HasSubstr("nothing is redacted, but the"));
    EXPECT_EQ(error.hint(), "free disk space; the same command goes on from there");
  }
  EXPECT_GT(store().tail().tail, tail);  // That the scopes were squashed.
  EXPECT_EQ(store().complete_after(), Position{});
  EXPECT_THAT(failed_checks(), IsEmpty());
  // Where nothing is left to be squashed the error is its own.
  try {
    (void)redact(of(tenant));
    ADD_FAILURE() << "there was no room for it";
  } catch (const UnavailableError& error) {
    EXPECT_THAT(error.what(), Not(HasSubstr("squashed before")));
    EXPECT_EQ(error.hint(), "free disk space");
  }
  full = false;
  EXPECT_GT(redact(of(tenant)).events, 0U);
  EXPECT_THAT(failed_checks(), IsEmpty());
}

}  // namespace
}  // namespace tenantry
