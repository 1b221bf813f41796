#include "core/segment.h"

#include <algorithm>
#include <random>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/batch.h"
#include "core/error.h"
#include "core/hash.h"
#include "core/state.h"
#include "tests/core/random_history.h"
#include "tests/support/temp_directory.h"

namespace tenantry {
namespace {

namespace fs = std::filesystem;
using events::Scope;
using events::Uuid;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Uuid id_of(std::uint64_t number) {
  Uuid id;
  for (std::size_t n = 0; n < sizeof(number); ++n) {
    id.bytes[8 + n] = static_cast<std::uint8_t>(number >> (8 * n));
  }
  return id;
}

// What no compression makes smaller.
std::string noise(std::size_t bytes, unsigned seed) {
  std::mt19937 random(seed);
  std::string text(bytes, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

// A record, and under which second tenant it is found.
struct Written {
  StoredEvent event;
  std::string record;
  std::optional<Uuid> other_tenant;
};

// Records of one scope that follow each other. Their payloads are no events.
class MadeRecords {
 public:
  MadeRecords() {
    next_.scope = Scope::TENANTS;
    next_.kind = 1;
    next_.recorded_at = {1'770'000'000'000'000};
  }

  StoredEvent& next() { return next_; }  // What is set stays for those after it.
  void add(std::string payload) {
    payloads_.push_back(std::make_unique<std::string>(std::move(payload)));
    ++next_.position.value;
    ++next_.scope_seq;
    next_.recorded_at.micros += 1'000'000;
    next_.payload = *payloads_.back();
    std::string record = encode_record_header(next_, chain_, next_.chain_hash);
    chain_ = next_.chain_hash;
    made_.push_back({next_, record + *payloads_.back(), std::nullopt});
  }
  std::vector<Written>& made() { return made_; }

 private:
  StoredEvent next_;
  Hash chain_{};
  std::vector<std::unique_ptr<std::string>> payloads_;
  std::vector<Written> made_;
};

// The events of one scope of a random history, with the blocks that they come from.
class RealRecords {
 public:
  explicit RealRecords(int batches) {
    RandomHistory commands(7);
    CountingIds ids;
    const StoreInfo info{ids.new_uuid(), std::string(32, 'k'), {}, "test"};
    const auto storage = make_memory_storage();
    State state(*storage);
    Head head;
    for (int batch = 0; batch < batches; ++batch) {
      BatchWriter writer(info, head, 1, state);
      AcceptedCommand command;
      command.events = commands.next(state);
      command.recorded_at = commands.now();
      command.actor = ids.new_uuid();
      (void)writer.add(command);
      ChangeSet changes;
      (void)writer.finish(changes);
      head = writer.head();
      (void)storage->write(changes, /*sync=*/false);
      for (const auto& change : changes.changes()) {
        if (change.family == Family::kLog) add(Block(change.key, change.value));
      }
    }
  }
  [[nodiscard]] const std::vector<Written>& made() const { return made_; }

 private:
  void add(Block block) {
    if (block.header().scope != Scope::TENANTS) return;
    blocks_.push_back(std::make_unique<Block>(std::move(block)));
    for (std::size_t n = 0; n < blocks_.back()->records().size(); ++n) {
      const StoredEvent& event = blocks_.back()->records()[n];
      const auto view = events::EventView::over(event.payload);
      made_.push_back({event, std::string(blocks_.back()->record(n)), view.other_tenant()});
    }
  }
  std::vector<std::unique_ptr<Block>> blocks_;
  std::vector<Written> made_;
};

class SegmentTest : public ::testing::Test {
 protected:
  static SegmentStart start_of(SegmentKind kind) {
    SegmentStart start;
    start.kind = kind;
    start.store = id_of(4711);
    start.scope = Scope::TENANTS;
    start.seq = 1;
    return start;
  }
  // Of the records from `skipped` on.
  SegmentEnd write_events(const std::vector<Written>& records, std::size_t skipped = 0) {
    SegmentStart start = start_of(SegmentKind::kEvents);
    start.seq += skipped;
    if (skipped > 0) start.chain = records[skipped - 1].event.chain_hash;
    SegmentWriter writer(path_, start);
    for (std::size_t n = skipped; n < records.size(); ++n) {
      writer.add_event(records[n].event, records[n].record, records[n].other_tenant);
    }
    return writer.finish();
  }
  using Entries = std::vector<std::pair<std::string, std::string>>;
  SegmentEnd write_state(const Entries& entries) {
    SegmentStart start = start_of(SegmentKind::kState);
    start.chain.fill(5);
    start.position = {17};
    SegmentWriter writer(path_, start);
    for (const auto& [key, value] : entries) writer.add_entry(key, value);
    return writer.finish();
  }

  [[nodiscard]] SegmentReader reader() const { return SegmentReader(path_); }
  [[nodiscard]] std::string bytes() const { return read_file(path_).value(); }
  void put(const std::string& bytes) const {
    const FileDescriptor file = open_file(path_, O_WRONLY | O_CREAT | O_TRUNC);
    ASSERT_EQ(write_fully(file.get(), bytes, 0), 0);
  }
  static std::vector<std::string> records_of(const SegmentReader& segment) {
    std::vector<std::string> records;
    for (std::size_t block = 0; block < segment.blocks().size(); ++block) {
      const Block events = segment.events(block);
      for (std::size_t n = 0; n < events.records().size(); ++n) {
        records.emplace_back(events.record(n));
      }
    }
    return records;
  }
  static Entries entries_of(const SegmentReader& segment) {
    Entries entries;
    for (std::size_t block = 0; block < segment.blocks().size(); ++block) {
      segment.visit_entries(block, [&](std::string_view key, std::string_view value) {
        entries.emplace_back(key, value);
        return true;
      });
    }
    return entries;
  }
  static std::vector<std::string> bytes_of(const std::vector<Written>& records) {
    std::vector<std::string> bytes;
    bytes.reserve(records.size());
    for (const Written& record : records) bytes.push_back(record.record);
    return bytes;
  }
  // What is wrong with the file; empty for a sound one.
  [[nodiscard]] std::string problem() const {
    try {
      static_cast<void>(reader().verify({}));
    } catch (const CorruptionError& error) {
      EXPECT_THAT(error.what(), HasSubstr(path_.string()));
      return error.what();
    }
    return "";
  }

  TempDirectory directory_;
  const fs::path path_ = directory_ / "some.tseg";
};

TEST_F(SegmentTest, EventsAreReadAsTheyWereWritten) {
  const RealRecords real(2000);
  const SegmentEnd end = write_events(real.made(), 3);

  const SegmentReader segment = reader();
  std::vector<std::string> expected = bytes_of(real.made());
  expected.erase(expected.begin(), expected.begin() + 3);
  ASSERT_GT(segment.blocks().size(), 2U);
  EXPECT_EQ(records_of(segment), expected);
  EXPECT_EQ(segment.start().seq, 4U);
  EXPECT_EQ(end.entries, expected.size());
  EXPECT_EQ(end.last_seq, real.made().back().event.scope_seq);
  EXPECT_EQ(end.last_chain, real.made().back().event.chain_hash);
  EXPECT_EQ(end.first, real.made()[3].event.position);
  EXPECT_EQ(end.last, real.made().back().event.position);
  EXPECT_EQ(end.first_time, real.made()[3].event.recorded_at);
  EXPECT_EQ(end.last_time, real.made().back().event.recorded_at);
  EXPECT_EQ(end.file_digest, sha256(bytes()));
  EXPECT_EQ(end.file_bytes, bytes().size());
  EXPECT_EQ(segment.verify({}), end);
  SegmentEnd known = end;
  known.file_digest = {};
  EXPECT_EQ(segment.end(), known);
}

TEST_F(SegmentTest, AStateIsReadAsItWasWritten) {
  Entries entries;
  for (int n = 0; n < 3000; ++n) {
    entries.emplace_back("key" + std::to_string(10'000 + n), std::string(n % 100, 'v'));
  }
  const SegmentEnd end = write_state(entries);

  const SegmentReader segment = reader();
  ASSERT_GT(segment.blocks().size(), 2U);
  EXPECT_EQ(entries_of(segment), entries);
  EXPECT_EQ(end.entries, entries.size());
  EXPECT_EQ(end.last_seq, segment.start().seq);
  EXPECT_EQ(end.last_chain, segment.start().chain);
  EXPECT_EQ(end.last, Position{});
  EXPECT_EQ(segment.start().position, Position{17});
  EXPECT_EQ(segment.verify({}), end);
}

TEST_F(SegmentTest, AnEmptySegmentIsOne) {
  const SegmentEnd of_events = write_events({});
  EXPECT_EQ(reader().verify({}), of_events);
  EXPECT_THAT(reader().blocks(), IsEmpty());
  EXPECT_EQ(reader().end().last_seq, 0U);
  const SegmentEnd of_state = write_state({});
  EXPECT_EQ(reader().verify({}), of_state);
  EXPECT_THAT(reader().blocks(), IsEmpty());
  EXPECT_EQ(reader().end().last_seq, 1U);
}

// Whatever a flipped byte leads to, no reader may take other content for what was written.
TEST_F(SegmentTest, EveryFlippedByteIsFound) {
  MadeRecords made;
  made.add(noise(200, 1));
  made.add(std::string(400, 'x'));
  write_events(made.made());
  const std::string sound = bytes();
  const std::vector<std::string> records = records_of(reader());
  for (std::size_t at = 0; at < sound.size(); ++at) {
    std::string changed = sound;
    changed[at] = static_cast<char>(changed[at] ^ (1 << (at % 8)));
    put(changed);
    EXPECT_NE(problem(), "") << "byte " << at;
    try {
      EXPECT_EQ(records_of(reader()), records) << "byte " << at;
    } catch (const CorruptionError&) {
      continue;
    }
  }
  put(sound);
  EXPECT_EQ(problem(), "");
}

TEST_F(SegmentTest, AMissingFileIsNotDamage) {
  try {
    static_cast<void>(reader());
    ADD_FAILURE() << "it was read";
  } catch (const UnavailableError& error) {
    EXPECT_THAT(error.what(), HasSubstr("some.tseg"));
    EXPECT_THAT(error.hint(), HasSubstr("put the file back"));
  }
}

}  // namespace
}  // namespace tenantry
