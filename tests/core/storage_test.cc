#include "core/storage.h"

#include <atomic>
#include <iterator>
#include <map>
#include <random>
#include <thread>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/temp_directory.h"

// What every storage promises, whatever it is made of.
namespace tenantry {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Rows = std::map<std::string, std::string>;

enum class Kind { kMemory, kRocks, kRocksScratch };

class StorageTest : public ::testing::TestWithParam<Kind> {
 protected:
  StorageTest() : storage_(make()) {}

  std::unique_ptr<Storage> make() {
    if (GetParam() == Kind::kMemory) return make_memory_storage();
    RocksOptions options;
    options.directory = directory_ / "db";
    options.create = true;
    options.scratch = GetParam() == Kind::kRocksScratch;
    return open_rocks_storage(options);
  }

  void write(const ChangeSet& changes) {
    ASSERT_EQ(storage_->write(changes, /*sync=*/false), WriteResult::kDone);
  }
  void put(const std::string& key, const std::string& value, Family family = Family::kState) {
    ChangeSet changes;
    changes.put(family, key, value);
    write(changes);
  }
  void put_keys(const std::vector<std::string>& keys) {
    for (const std::string& key : keys) put(key, "value of " + key);
  }
  std::unique_ptr<Cursor> cursor(std::string lower = {}, std::string upper = {}) {
    return storage_->cursor(Family::kState, std::move(lower), std::move(upper), /*scan=*/false);
  }
  static std::vector<std::string> keys_forward(Cursor& cursor) {
    std::vector<std::string> keys;
    for (cursor.seek_first(); cursor.valid(); cursor.next()) keys.emplace_back(cursor.key());
    return keys;
  }
  static std::vector<std::string> keys_backward(Cursor& cursor) {
    std::vector<std::string> keys;
    for (cursor.seek_last(); cursor.valid(); cursor.prev()) keys.emplace_back(cursor.key());
    return keys;
  }
  static std::string key_at(const Cursor& cursor) {
    return cursor.valid() ? std::string(cursor.key()) : "end";
  }

  TempDirectory directory_;
  std::unique_ptr<Storage> storage_;
};

TEST_P(StorageTest, AbsentKeyGivesNothing) {
  EXPECT_EQ(storage_->get(Family::kState, "a"), std::nullopt);
}

TEST_P(StorageTest, WriteChangesSeveralFamilies) {
  ChangeSet changes;
  changes.put(Family::kMeta, "head", "1");
  changes.put(Family::kLog, "block", "2");
  write(changes);
  EXPECT_EQ(storage_->get(Family::kMeta, "head"), "1");
  EXPECT_EQ(storage_->get(Family::kLog, "block"), "2");
}

TEST_P(StorageTest, FamiliesDoNotShareKeys) {
  put("a", "index", Family::kIndex);
  put("a", "idempotency", Family::kIdempotency);
  EXPECT_EQ(storage_->get(Family::kIndex, "a"), "index");
  EXPECT_EQ(storage_->get(Family::kIdempotency, "a"), "idempotency");
  EXPECT_EQ(storage_->get(Family::kState, "a"), std::nullopt);
}

TEST_P(StorageTest, ChangesApplyInOrder) {
  ChangeSet changes;
  changes.put(Family::kState, "kept", "first");
  changes.remove(Family::kState, "kept");
  changes.put(Family::kState, "kept", "second");
  changes.put(Family::kState, "gone", "first");
  changes.remove(Family::kState, "gone");
  write(changes);
  EXPECT_EQ(storage_->get(Family::kState, "kept"), "second");
  EXPECT_EQ(storage_->get(Family::kState, "gone"), std::nullopt);
}

TEST_P(StorageTest, RemovingAnAbsentKeyChangesNothing) {
  ChangeSet changes;
  changes.remove(Family::kState, "a");
  write(changes);
  EXPECT_EQ(storage_->get(Family::kState, "a"), std::nullopt);
}

TEST_P(StorageTest, EmptyChangeSetIsWritten) { write(ChangeSet()); }

TEST_P(StorageTest, EmptyValueIsAValue) {
  put("a", "");
  EXPECT_EQ(storage_->get(Family::kState, "a"), "");
}

TEST_P(StorageTest, KeysSortAsUnsignedBytes) {
  const std::string zero("a\0", 2);
  put_keys({"b", "a\xff", "a", "a\x7f", zero});
  EXPECT_THAT(keys_forward(*cursor()), ElementsAre("a", zero, "a\x7f", "a\xff", "b"));
}

TEST_P(StorageTest, CursorStaysInItsBounds) {
  put_keys({"a", "b", "c", "d", "e"});
  EXPECT_THAT(keys_forward(*cursor("b", "d")), ElementsAre("b", "c"));
  EXPECT_THAT(keys_backward(*cursor("b", "d")), ElementsAre("c", "b"));
}

TEST_P(StorageTest, CursorWithoutUpperBoundReachesTheEnd) {
  put_keys({"a", "b", "\xff\xff"});
  EXPECT_THAT(keys_forward(*cursor("b")), ElementsAre("b", "\xff\xff"));
  EXPECT_THAT(keys_backward(*cursor("b")), ElementsAre("\xff\xff", "b"));
}

TEST_P(StorageTest, CursorOfAnEmptyRangeIsAtItsEnd) {
  put_keys({"a", "c"});
  EXPECT_THAT(keys_forward(*cursor("b", "c")), IsEmpty());
  EXPECT_THAT(keys_backward(*cursor("c", "c")), IsEmpty());
  EXPECT_THAT(keys_forward(*cursor("d", "a")), IsEmpty());
}

TEST_P(StorageTest, SeekFindsTheFirstKeyFromThere) {
  put_keys({"b", "d", "f", "h"});
  const auto at = cursor("c", "g");
  const auto seek = [&](std::string_view key) {
    at->seek(key);
    return key_at(*at);
  };
  EXPECT_EQ(seek("a"), "d");
  EXPECT_EQ(seek("d"), "d");
  EXPECT_EQ(seek("e"), "f");
  EXPECT_EQ(seek("g"), "end");
  EXPECT_EQ(seek("z"), "end");
}

TEST_P(StorageTest, SeekForPrevFindsTheLastKeyUpToThere) {
  put_keys({"b", "d", "f", "h"});
  const auto at = cursor("c", "g");
  const auto seek = [&](std::string_view key) {
    at->seek_for_prev(key);
    return key_at(*at);
  };
  EXPECT_EQ(seek("a"), "end");
  EXPECT_EQ(seek("c"), "end");
  EXPECT_EQ(seek("d"), "d");
  EXPECT_EQ(seek("e"), "d");
  EXPECT_EQ(seek("z"), "f");
}

TEST_P(StorageTest, CursorTurnsRound) {
  put_keys({"a", "b", "c"});
  const auto at = cursor();
  at->seek("b");
  at->next();
  at->prev();
  at->prev();
  EXPECT_EQ(key_at(*at), "a");
  EXPECT_EQ(at->value(), "value of a");
}

TEST_P(StorageTest, CursorSeesTheStorageAsItWas) {
  put_keys({"a", "b"});
  const auto before = cursor();
  const auto view = storage_->read_view();
  ChangeSet changes;
  changes.remove(Family::kState, "a");
  changes.put(Family::kState, "b", "new");
  changes.put(Family::kState, "c", "new");
  write(changes);
  put("d", "newer");

  EXPECT_THAT(keys_forward(*before), ElementsAre("a", "b"));
  before->seek("b");
  EXPECT_EQ(before->value(), "value of b");
  EXPECT_THAT(keys_forward(*cursor()), ElementsAre("b", "c", "d"));
  EXPECT_EQ(view->get(Family::kState, "b"), "value of b");
  EXPECT_EQ(view->get(Family::kState, "d"), std::nullopt);
  EXPECT_THAT(keys_backward(*view->cursor(Family::kState, {}, {}, false)), ElementsAre("b", "a"));
}

TEST_P(StorageTest, ScanSeesWhatACursorSees) {
  put_keys({"a", "b", "c"});
  EXPECT_THAT(keys_forward(*storage_->cursor(Family::kState, "b", "", /*scan=*/true)),
              ElementsAre("b", "c"));
}

// However writes and cursors interleave, the storage equals an ordered map.
TEST_P(StorageTest, BehavesAsAnOrderedMap) {
  const std::uint32_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const auto any_key = [&] {
    std::string key(random() % 3, '\0');
    for (char& c : key)
      c = "\x01"
          "ab\xff"[random() % 4];
    return key;
  };
  Rows model;
  for (int round = 0; round < 300; ++round) {
    ChangeSet changes;
    for (auto left = random() % 4; left > 0; --left) {
      const std::string key = "k" + any_key();
      if (random() % 3 == 0) {
        changes.remove(Family::kState, key);
        model.erase(key);
      } else {
        changes.put(Family::kState, key, std::to_string(round));
        model[key] = std::to_string(round);
      }
    }
    write(changes);

    const std::string lower = "k" + any_key();
    const std::string upper = random() % 2 == 0 ? "" : "k" + any_key();
    Rows expected;
    for (const auto& [key, value] : model) {
      if (key >= lower && (upper.empty() || key < upper)) expected[key] = value;
    }
    const auto at = cursor(lower, upper);
    Rows seen;
    for (at->seek_first(); at->valid(); at->next()) seen.emplace(at->key(), at->value());
    ASSERT_EQ(seen, expected);
    const std::string target = "k" + any_key();
    at->seek(target);
    const auto first = expected.lower_bound(target);
    ASSERT_EQ(key_at(*at), first == expected.end() ? "end" : first->first);
    at->seek_for_prev(target);
    const auto after = expected.upper_bound(target);
    ASSERT_EQ(key_at(*at), after == expected.begin() ? "end" : std::prev(after)->first);
    // To and fro.
    auto place = after == expected.begin() ? expected.end() : std::prev(after);
    for (int step = 0; step < 6 && place != expected.end(); ++step) {
      if (random() % 2 == 0) {
        at->next();
        ++place;
      } else {
        at->prev();
        place = place == expected.begin() ? expected.end() : std::prev(place);
      }
      ASSERT_EQ(key_at(*at), place == expected.end() ? "end" : place->first);
    }
  }
}

// Readers race the writer; both rows of a change set change at once for each of them.
TEST_P(StorageTest, ReadersSeeAllOfAChangeSetOrNothing) {
  constexpr int kWrites = 2000;
  std::atomic<bool> done = false;
  std::atomic<int> torn = 0;
  const auto read = [&] {
    while (!done) {
      const auto at = cursor();
      std::vector<std::string> values;
      for (at->seek_first(); at->valid(); at->next()) values.emplace_back(at->value());
      const bool whole = values.empty() || (values.size() == 2 && values[0] == values[1]);
      if (!whole) ++torn;
    }
  };
  {
    std::jthread first(read);
    std::jthread second(read);
    for (int i = 0; i < kWrites; ++i) {
      ChangeSet changes;
      changes.put(Family::kState, "left", std::to_string(i));
      changes.put(Family::kState, "right", std::to_string(i));
      EXPECT_EQ(storage_->write(changes, false), WriteResult::kDone);
    }
    done = true;
  }
  EXPECT_EQ(torn, 0);
}

std::string name_of(const ::testing::TestParamInfo<Kind>& kind) {
  switch (kind.param) {
    case Kind::kMemory:
      return "Memory";
    case Kind::kRocks:
      return "Rocks";
    case Kind::kRocksScratch:
      return "RocksScratch";
  }
  return {};
}

INSTANTIATE_TEST_SUITE_P(All, StorageTest,
                         ::testing::Values(Kind::kMemory, Kind::kRocks, Kind::kRocksScratch),
                         name_of);

}  // namespace
}  // namespace tenantry
