#include "core/segment.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <thread>

#include <sys/resource.h>
#include <sys/stat.h>

#include "tests/core/segment_test_base.h"

namespace tenantry {
namespace {

using events::Uuid;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class SegmentTest : public SegmentTestBase {
 protected:
  static std::vector<std::string> bytes_of(const std::vector<SegmentEvent>& events) {
    std::vector<std::string> records;
    records.reserve(events.size());
    for (const SegmentEvent& event : events) records.push_back(event.record);
    return records;
  }
  static Entries many_entries() {
    Entries entries;
    for (std::size_t n = 0; n < 3000; ++n) {
      entries.emplace_back("key" + std::to_string(10'000 + n), std::string(n % 100, 'v'));
    }
    return entries;
  }
  static std::string joined(const std::vector<std::string>& pieces) {
    std::string all;
    for (const std::string& piece : pieces) all += piece;
    return all;
  }
};

TEST(SealedNameTest, SaysWhatTheFileHolds) {
  Hash digest{};
  digest[0] = 0xab;
  EXPECT_EQ(segment_name(events::Scope::AUTH, 1, 20, digest), "auth-1-20-ab00000000000000.tseg");
  EXPECT_EQ(snapshot_name(events::Scope::TENANTS, 20, digest),
            "tenants-snapshot-20-ab00000000000000.tseg");
}

TEST(SealedNameTest, OthersAreTold) {
  for (const char* const name :
       {"auth-1-20-ab00000000000000.tseg", "tenants-snapshot-20-ab00000000000000.tseg"}) {
    EXPECT_TRUE(is_sealed_name(name)) << name;
  }
  for (const char* const name :
       {"", ".tseg", "auth-1-20-ab00000000000000", "auth-1-20-ab00000000000000.tseg.gz",
        "auth-1-20-ab0000000000000.tseg", "auth-1-20-ab00000000000000a.tseg",
        "auth-1-20-AB00000000000000.tseg", "auth-1-x-ab00000000000000.tseg",
        "auth-1--ab00000000000000.tseg", "auth--20-ab00000000000000.tseg",
        "mine-1-20-ab00000000000000.tseg", "auth-20-ab00000000000000.tseg",
        "auth-snapshot-1-20-ab00000000000000.tseg", "../auth-1-20-ab00000000000000.tseg"}) {
    EXPECT_FALSE(is_sealed_name(name)) << name;
  }
}

TEST_F(SegmentTest, EventsAreReadAsTheyWereWritten) {
  const RealEvents real(2000);
  const SegmentEnd end = write_events(real.made(), 3);

  const SegmentReader segment = reader();
  std::vector<std::string> expected = bytes_of(real.made());
  expected.erase(expected.begin(), expected.begin() + 3);
  ASSERT_GT(segment.blocks().size(), 2U);
  EXPECT_EQ(records_of(segment), expected);
  EXPECT_EQ(segment.start().seq, 4U);
  EXPECT_EQ(segment.start().chain, real.made()[2].event.chain_hash);
  EXPECT_EQ(end.entries, expected.size());
  EXPECT_EQ(end.raw_bytes, joined(expected).size());
  EXPECT_EQ(end.last_seq, real.made().back().event.scope_seq);
  EXPECT_EQ(end.last_chain, real.made().back().event.chain_hash);
  EXPECT_EQ(end.first, real.made()[3].event.position);
  EXPECT_EQ(end.last, real.made().back().event.position);
  EXPECT_EQ(end.first_time, real.made()[3].event.recorded_at);
  EXPECT_EQ(end.last_time, real.made().back().event.recorded_at);
  EXPECT_EQ(segment.verify({}), end);
  SegmentEnd known = end;
  known.file_digest = {};
  EXPECT_EQ(segment.end(), known);
}

TEST_F(SegmentTest, AStateIsReadAsItWasWritten) {
  const SegmentEnd end = write_state(many_entries());

  const SegmentReader segment = reader();
  ASSERT_GT(segment.blocks().size(), 2U);
  EXPECT_EQ(entries_of(segment), many_entries());
  EXPECT_EQ(segment.blocks()[1].first_seq, segment.blocks()[0].entries);
  EXPECT_EQ(segment.start().position, Position{17});
  EXPECT_EQ(end.entries, many_entries().size());
  EXPECT_EQ(end.last_seq, segment.start().seq);
  EXPECT_EQ(end.last_chain, segment.start().chain);
  EXPECT_EQ(end.last, Position{});
  EXPECT_EQ(segment.verify({}), end);
}

TEST_F(SegmentTest, AVisitorMayStop) {
  write_state({{"a", "1"}, {"b", "2"}, {"c", "3"}});
  std::vector<std::string> seen;
  const bool finished = reader().visit_entries(0, [&](std::string_view key, std::string_view) {
    seen.emplace_back(key);
    return seen.size() < 2;
  });
  EXPECT_FALSE(finished);
  EXPECT_THAT(seen, ElementsAre("a", "b"));
}

TEST_F(SegmentTest, KeysAndValuesAreAnyBytes) {
  const Entries entries = {{"", ""}, {std::string(1, '\0'), "x"}, {"\xff", std::string(9, '\0')}};
  write_state(entries);
  EXPECT_EQ(entries_of(reader()), entries);
  EXPECT_EQ(problem(), "");
}

TEST_F(SegmentTest, TheSameContentGivesTheSameBytes) {
  const RealEvents real(1200);
  write_events(real.made());
  const std::string first = bytes();
  write_state(many_entries());  // Over it, and longer or shorter.
  write_events(real.made());
  EXPECT_EQ(bytes(), first);
}

// However blocks are cut and compressed, the digest of what they hold stays the same.
TEST_F(SegmentTest, DigestsAreOfTheEntriesAndOfTheFile) {
  const RealEvents real(1200);
  const SegmentEnd end = write_events(real.made());
  EXPECT_EQ(end.content_digest, sha256(joined(bytes_of(real.made()))));
  EXPECT_EQ(end.file_digest, sha256(bytes()));
  EXPECT_EQ(end.file_bytes, bytes().size());
}

// The layout is for ever.
TEST_F(SegmentTest, AFileIsWrittenByteForByte) {
  write_state({{"a", "12"}, {"bc", ""}});
  const std::string file = bytes();
  const std::string block = file.substr(segment::kStartBytes, 64);
  EXPECT_EQ(file.substr(0, 8), std::string("TSEG\1\0\0\0", 8));
  EXPECT_EQ(block.substr(0, 28), std::string("TSB1\0\0\0\0"
                                             "\x20\0\0\0\x20\0\0\0"
                                             "\0\0\0\0\0\0\0\0"
                                             "\2\0\0\0",
                                             28));
  EXPECT_EQ(block.substr(32), std::string("\1\0\0\0\2\0\0\0a12\0\0\0\0\0"
                                          "\2\0\0\0\0\0\0\0bc\0\0\0\0\0\0",
                                          32));
  EXPECT_EQ(file.substr(file.size() - 16), std::string("\1\0\0\0\0\0\0\0TSEGEND1", 16));
  EXPECT_EQ(hex(sha256(file)), "b1e6371d20d046f6a2c4edc877c2331b4c07c9ebf1e7ed22e9799cf2ad17d7a3");
}

TEST_F(SegmentTest, ALargeEntryStandsAlone) {
  MadeEvents made;
  made.add(noise(80, 1));
  made.add(noise(events::kPayloadBytesMax, 2));
  made.add(noise(80, 3));
  made.add(noise(80, 4));
  made.add(noise(kSegmentBlockBytes - 2 * (kRecordHeaderBytes + 80) - kRecordHeaderBytes, 5));
  made.add(noise(80, 6));
  const SegmentEnd end = write_events(made.made());
  const SegmentReader segment = reader();
  std::vector<std::uint32_t> entries;
  for (const SegmentBlock& block : segment.blocks()) entries.push_back(block.entries);
  EXPECT_THAT(entries, ElementsAre(1, 1, 3, 1));
  EXPECT_EQ(segment.blocks()[2].raw_bytes, kSegmentBlockBytes);
  EXPECT_EQ(segment.verify({}), end);
}

// Such as the holders of a value that many imported rows share.
TEST_F(SegmentTest, ALargeEntryOfAStateStandsAlone) {
  const Entries entries = {{"a", "1"}, {"b", std::string(3'000'000, 'x')}, {"c", "3"}};
  const SegmentEnd end = write_state(entries);
  const SegmentReader segment = reader();
  EXPECT_EQ(segment.blocks().size(), 3U);
  EXPECT_EQ(entries_of(segment), entries);
  EXPECT_EQ(segment.verify({}), end);
}

TEST_F(SegmentTest, AnEmptySegmentIsOne) {
  const SegmentEnd of_events = write_events({});
  EXPECT_EQ(reader().verify({}), of_events);
  EXPECT_THAT(reader().blocks(), IsEmpty());
  EXPECT_EQ(of_events.last_seq, 0U);
  const SegmentEnd of_state = write_state({});
  EXPECT_EQ(reader().verify({}), of_state);
  EXPECT_THAT(reader().blocks(), IsEmpty());
  EXPECT_EQ(of_state.last_seq, 1U);
}

TEST_F(SegmentTest, TheIndexMissesNoId) {
  const RealEvents real(2000);
  write_events(real.made());
  const SegmentReader segment = reader();
  std::size_t second_tenants = 0;
  std::size_t n = 0;
  for (std::size_t block = 0; block < segment.blocks().size(); ++block) {
    const std::size_t end = n + segment.blocks()[block].entries;
    for (; n < end; ++n) {
      const SegmentEvent& made = real.made()[n];
      for (const Uuid& id : {made.event.tenant, made.event.stream, made.event.actor,
                             made.other_tenant.value_or(made.event.stream)}) {
        EXPECT_TRUE(segment.may_hold(block, id)) << "event " << n;
      }
      second_tenants += made.other_tenant ? 1 : 0;
    }
  }
  EXPECT_GT(second_tenants, 0U);
}

TEST_F(SegmentTest, TheIndexNamesFewBlocksInVain) {
  write_events(RealEvents(2000).made());
  const SegmentReader segment = reader();
  std::size_t asked = 0;
  std::size_t named = 0;
  for (std::size_t block = 0; block < segment.blocks().size(); ++block) {
    for (std::uint64_t n = 0; n < 4000; ++n) {
      ++asked;
      named += segment.may_hold(block, numbered_id(1'000'000'000 + n)) ? 1 : 0;
    }
  }
  EXPECT_LT(named * 50, asked);
}

TEST_F(SegmentTest, ManyMayReadAtOnce) {
  const RealEvents real(1200);
  const SegmentEnd end = write_events(real.made());
  const SegmentReader segment = reader();
  const std::vector<std::string> expected = bytes_of(real.made());
  std::array<std::thread, 3> threads;
  for (std::thread& thread : threads) {
    thread = std::thread([&] {
      EXPECT_EQ(records_of(segment), expected);
      EXPECT_EQ(segment.verify({}), end);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(SegmentTest, VerifyingTellsHowFarItIs) {
  write_state(many_entries());
  std::vector<std::uint64_t> told;
  const SegmentReader segment = reader();
  static_cast<void>(segment.verify([&](std::uint64_t done, std::uint64_t total) {
    EXPECT_EQ(total, segment.end().file_bytes);
    told.push_back(done);
  }));
  EXPECT_TRUE(std::ranges::is_sorted(told));
  EXPECT_EQ(told.size(), segment.blocks().size() + 1);
  EXPECT_EQ(told.back(), segment.end().file_bytes);
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

// Runs in a process of its own, which may write files of at most a page.
[[noreturn]] void write_too_much(const std::filesystem::path& file, const SegmentStart& start) {
  std::signal(SIGXFSZ, SIG_IGN);
  const struct rlimit limit { 4096, 4096 };
  if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) std::_Exit(2);
  try {
    SegmentWriter writer(file, start);
    writer.add_entry("a", "1");
    static_cast<void>(writer.finish());
  } catch (const UnavailableError& error) {
    std::_Exit(std::string(error.what()).find(file.string()) == std::string::npos ? 3 : 0);
  }
  std::_Exit(1);
}

TEST_F(SegmentTest, AWriteThatFailsIsAnError) {
  EXPECT_EXIT(write_too_much(path_, start_of(SegmentKind::kState)), ::testing::ExitedWithCode(0),
              "");
}

TEST_F(SegmentTest, OnlyItsOwnerMayReadIt) {
  write_state({});
  struct stat status {};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

}  // namespace
}  // namespace tenantry
