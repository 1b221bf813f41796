#include "core/index_move.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "core/counters.h"
#include "core/keys.h"
#include "core/log_history.h"
#include "tests/core/reading_test_base.h"

namespace tenantry {
namespace {

namespace fs = std::filesystem;
using events::Scope;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class IndexMoveTest : public ReadingTestBase {
 protected:
  using Questions = std::vector<LogFilter>;

  // Some commands at a time.
  void live(unsigned seed, int commands) {
    std::vector<std::string> lines = history_of(seed, commands);
    for (std::size_t at = 0; at < lines.size(); at += 5) {
      const std::size_t end = std::min(at + 5, lines.size());
      run_all({lines.begin() + static_cast<std::ptrdiff_t>(at),
               lines.begin() + static_cast<std::ptrdiff_t>(end)});
    }
  }
  // Many blocks of many entries each.
  void proteins(int first, int last) {
    std::vector<std::string> lines;
    for (int n = first; n < last; ++n) lines.push_back(protein("p" + std::to_string(n)));
    run_all(lines);
  }
  SquashReport squash(Position through, const Progress& progress = {}) {
    SquashOptions options;
    options.through = through;
    return store().squash(options, progress);
  }

  // Everything that an index is asked for, of the log up to its end.
  Questions questions() {
    std::set<events::Uuid> streams;
    std::set<events::Uuid> tenants;
    store().read_log({}, [&](const StoredEvent& event) {
      streams.insert(event.stream);
      if (event.tenant != events::Uuid{}) tenants.insert(event.tenant);
      return true;
    });
    Questions questions;
    for (const events::Uuid& stream : streams) questions.emplace_back().stream = stream;
    for (const events::Uuid& tenant : tenants) questions.emplace_back().tenant = tenant;
    for (const std::string& actor : actors_) questions.emplace_back().actor = actor;
    for (LogFilter& question : questions) question.through = store().tail().tail;
    return questions;
  }
  // Of each question the positions, in both directions, behind some points.
  std::vector<std::vector<std::uint64_t>> answers(const TenancyStore& store,
                                                  const Questions& questions) {
    std::vector<std::vector<std::uint64_t>> answers;
    for (LogFilter question : questions) {
      const std::uint64_t tail = question.through.value().value;
      for (const std::uint64_t after : {std::uint64_t{0}, tail / 2, tail * 9 / 10}) {
        for (const bool reverse : {false, true}) {
          question.after = {after};
          question.reverse = reverse;
          auto& found = answers.emplace_back();
          store.read_log(question, [&](const StoredEvent& event) {
            found.push_back(event.position.value);
            return true;
          });
        }
      }
    }
    return answers;
  }
  // Under which epochs each index of a scope has entries.
  std::set<std::uint32_t> epochs(Scope scope) {
    close();
    std::set<std::uint32_t> found;
    {
      RocksOptions options;
      options.directory = directory() / "db";
      options.read_only = true;
      const auto storage = open_rocks_storage(options);
      for (const char kind : {keys::kStreamIndex, keys::kTenantIndex, keys::kActorIndex}) {
        const auto cursor =
            storage->cursor(Family::kIndex, keys::index_prefix(kind, scope, 0, {}),
                            keys::index_prefix(kind, scope, UINT32_MAX, {}), /*scan=*/true);
        for (cursor->seek_first(); cursor->valid(); cursor->next()) {
          found.insert(counter_key(Family::kIndex, cursor->key()).epoch);
        }
      }
    }
    open();
    return found;
  }
  // As the store is now: one that is never squashed.
  std::unique_ptr<TenancyStore> twin() {
    close();
    fs::copy(directory(), temp_ / "twin", fs::copy_options::recursive);
    open();
    return open_store({.directory = temp_ / "twin"}, clock_, ids_);
  }

  const std::vector<std::string> actors_{"user:0", "user:1", "user:2"};
};

TEST_F(IndexMoveTest, WhatStaysIsIndexedUnderThePresentEpochAlone) {
  live(1, 240);
  const Position tail = store().tail().tail;
  const auto unsquashed = twin();
  const Questions asked = questions();
  (void)squash({tail.value * 4 / 5});
  for (const bool again : {false, true}) {
    EXPECT_EQ(answers(store(), asked), answers(*unsquashed, asked));
    EXPECT_THAT(failed_checks(), IsEmpty());
    if (!again) reopen();
  }
  for (const Scope scope : {Scope::AUTH, Scope::CORE, Scope::TENANTS}) {
    EXPECT_THAT(epochs(scope), ElementsAre(2));
  }
  live(2, 100);
  EXPECT_EQ(answers(store(), asked), answers(*unsquashed, asked));
  EXPECT_THAT(failed_checks(), IsEmpty());
  (void)store().squash({}, {});
  EXPECT_EQ(answers(store(), asked), answers(*unsquashed, asked));
  EXPECT_THAT(failed_checks(), IsEmpty());
  EXPECT_THAT(epochs(Scope::TENANTS), IsEmpty());
}

TEST_F(IndexMoveTest, WhereMoreStaysThanLeavesItsEntriesStayToo) {
  live(3, 240);
  const Position tail = store().tail().tail;
  const Questions asked = questions();
  const auto before = answers(store(), asked);
  (void)squash({tail.value / 5});
  EXPECT_EQ(answers(store(), asked), before);
  EXPECT_THAT(failed_checks(), IsEmpty());
  EXPECT_THAT(epochs(Scope::TENANTS), ElementsAre(1));
  live(4, 20);
  EXPECT_THAT(epochs(Scope::TENANTS), ElementsAre(1, 2));
  const Questions later = questions();
  const auto before_later = answers(store(), later);
  // What stays is indexed under both of them.
  (void)squash({tail.value * 9 / 10});
  EXPECT_THAT(epochs(Scope::TENANTS), ElementsAre(3));
  EXPECT_EQ(answers(store(), later), before_later);
  EXPECT_EQ(answers(store(), asked), before);
  EXPECT_THAT(failed_checks(), IsEmpty());
}

// It is stopped after each of its batches.
TEST_F(IndexMoveTest, StoppedOnTheWayTheIndexIsAsRightAsBefore) {
  proteins(0, 5000);
  const Position leaves = store().tail().tail;
  for (int n = 5000; n < 7000; n += 500) proteins(n, n + 500);
  const Position tail = store().tail().tail;
  Questions asked = questions();
  asked.erase(asked.begin() + 4, asked.begin() + static_cast<std::ptrdiff_t>(asked.size()) - 40);
  LogFilter around;
  around.after = {leaves.value - 2};
  store().read_log(around, [&](const StoredEvent& event) {
    if (event.position.value % 97 > 1) return true;
    LogFilter& question = asked.emplace_back();
    question.stream = event.stream;
    question.through = tail;
    return true;
  });
  const auto before = answers(store(), asked);
  close();
  fs::copy(directory(), temp_ / "pristine", fs::copy_options::recursive);
  const auto restore = [&] {
    close();
    fs::remove_all(directory());
    fs::copy(temp_ / "pristine", directory(), fs::copy_options::recursive);
    open();
  };
  restore();
  int ticks = 0;
  (void)squash(leaves, [&](std::uint64_t, std::uint64_t) { ++ticks; });
  EXPECT_THAT(epochs(Scope::CORE), ElementsAre(2));
  EXPECT_EQ(answers(store(), asked), before);
  int parted = 0;
  for (int last = ticks; last > std::max(ticks - 6, 0); --last) {
    restore();
    int ticked = 0;
    const auto stop = [&](std::uint64_t, std::uint64_t) {
      if (++ticked == last) throw UnavailableError("stopped");
    };
    EXPECT_THROW((void)squash(leaves, stop), UnavailableError);
    EXPECT_EQ(store().tail().tail, tail);
    EXPECT_EQ(answers(store(), asked), before);
    EXPECT_THAT(failed_checks(), IsEmpty());
    if (epochs(Scope::CORE).size() == 2) ++parted;
    EXPECT_EQ(answers(store(), asked), before);
    proteins(7000, 7010);
    (void)squash(leaves);
    EXPECT_THAT(epochs(Scope::CORE), ElementsAre(3));
    EXPECT_EQ(answers(store(), asked), before);
    EXPECT_THAT(failed_checks(), IsEmpty());
  }
  EXPECT_GT(parted, 1);
}

// Made-up entries of an actor, of the blocks at 1, 3, 5 and 7 of scope core.
class IndexReadersTest : public StoreTestBase {
 protected:
  IndexReadersTest() {
    for (int n = 1; n <= 7; ++n) {
      const std::string name = "n" + std::to_string(n);
      (void)(n % 2 == 1 ? run(protein(name)) : user(name));
    }
    close();
    storage_ = open_rocks_storage({.directory = directory() / "db"});
    actor_.bytes.fill(7);
    for (const std::uint64_t first : {1, 3, 5, 7}) put(1, first);
  }

  void put(std::uint32_t epoch, std::uint64_t first) {
    ChangeSet changes;
    changes.put(Family::kIndex, keys::index(keys::kActorIndex, Scope::CORE, epoch, actor_, first),
                {'\1', '\0'});
    ASSERT_EQ(storage_->write(changes, /*sync=*/true), WriteResult::kDone);
  }
  void remove(std::uint32_t epoch, std::uint64_t first) {
    ChangeSet changes;
    changes.remove(Family::kIndex,
                   keys::index(keys::kActorIndex, Scope::CORE, epoch, actor_, first));
    ASSERT_EQ(storage_->write(changes, /*sync=*/true), WriteResult::kDone);
  }
  static Catalogue catalogue_of(std::uint32_t first_epoch) {
    Catalogue catalogue;
    catalogue.scopes[Scope::CORE].base.first_epoch = first_epoch;
    return catalogue;
  }
  [[nodiscard]] IndexedBy by() const { return {keys::kActorIndex, actor_}; }
  static std::vector<std::uint64_t> firsts(BlockStream& blocks) {
    std::vector<std::uint64_t> found;
    while (const auto block = blocks.next()) found.push_back(block->header().first.value);
    return found;
  }

  std::unique_ptr<Storage> storage_;
  events::Uuid actor_{};
};

// As a reader sees them whose cursors were made before and after two went over.
TEST_F(IndexReadersTest, GiveABlockOnceThatTwoEpochsName) {
  put(2, 5);
  put(2, 7);
  const auto walk = [&](std::uint64_t after, std::uint64_t through, bool reverse) {
    return firsts(
        *indexed_blocks(*storage_, Scope::CORE, {}, {1, 2}, by(), {after}, {through}, reverse));
  };
  EXPECT_THAT(walk(0, 7, false), ElementsAre(1, 3, 5, 7));
  EXPECT_THAT(walk(0, 7, true), ElementsAre(7, 5, 3, 1));
  EXPECT_THAT(walk(3, 6, false), ElementsAre(5));
  EXPECT_THAT(walk(2, 6, true), ElementsAre(5, 3));
}

TEST_F(IndexReadersTest, FindInAnOlderViewWhatALaterCatalogueHasUnderAnotherEpoch) {
  const auto view = storage_->read_view();
  for (const std::uint64_t first : {1, 3, 5, 7}) {
    put(2, first);
    remove(1, first);
  }
  const LogHistory history(directory() / "archive", catalogue_of(2));
  for (const bool reverse : {false, true}) {
    const auto blocks = history_blocks(*view, history, Scope::CORE, by(), {}, {7}, reverse);
    std::vector<std::uint64_t> found = firsts(*blocks);
    if (reverse) std::ranges::reverse(found);
    EXPECT_THAT(found, ElementsAre(1, 3, 5, 7));
  }
}

// Until it is published a catalogue is older than what is read.
TEST_F(IndexReadersTest, FindWhatAnOlderCatalogueKnowsUnderAnotherEpoch) {
  ChangeSet changes;
  ScopeBase base;
  base.closed.push_back({1, {4}});
  put_base(changes, Scope::CORE, base);
  ASSERT_EQ(storage_->write(changes, /*sync=*/true), WriteResult::kDone);
  for (const std::uint64_t first : {5, 7}) {
    put(2, first);
    remove(1, first);
  }
  const LogHistory history(directory() / "archive", catalogue_of(1));
  const auto blocks = history_blocks(*storage_, history, Scope::CORE, by(), {}, {7}, false);
  EXPECT_THAT(firsts(*blocks), ElementsAre(1, 3, 5, 7));
}

}  // namespace
}  // namespace tenantry
