#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "core/bytes.h"
#include "tests/core/segment_test_base.h"

namespace tenantry {
namespace {

using ::testing::HasSubstr;

class SegmentDamageTest : public SegmentTestBase {
 protected:
  // Two events, and what compresses well beside what does not.
  void write_small_events() {
    MadeEvents made;
    made.next().tenant = numbered_id(1);
    made.next().stream = numbered_id(2);
    made.add(noise(200, 1));
    made.add(std::string(400, 'x'));
    write_events(made.made());
  }
  void write_small_state() { write_state({{"a", "1"}, {"b", "2"}}); }

  // What can be read of a damaged file is what was written.
  template <class Read>
  void expect_no_other(const Read& read, const decltype(read(std::declval<SegmentReader>()))& sound,
                       std::size_t at) {
    try {
      EXPECT_EQ(read(reader()), sound) << "byte " << at;
    } catch (const CorruptionError&) {
      return;
    }
  }
  template <class Read>
  void flip_each_byte(const Read& read) {
    const std::string sound = bytes();
    const auto content = read(reader());
    const FileDescriptor file = open_file(path_, O_WRONLY);
    for (std::size_t at = 0; at < sound.size(); ++at) {
      const char changed = static_cast<char>(sound[at] ^ (1 << (at % 8)));
      ASSERT_EQ(write_fully(file.get(), {&changed, 1}, at), 0);
      EXPECT_NE(problem(), "") << "byte " << at;
      expect_no_other(read, content, at);
      ASSERT_EQ(write_fully(file.get(), {&sound[at], 1}, at), 0);
    }
    EXPECT_EQ(problem(), "");
  }
};

TEST_F(SegmentDamageTest, EveryFlippedByteOfEventsIsFound) {
  write_small_events();
  flip_each_byte(records_of);
}

TEST_F(SegmentDamageTest, EveryFlippedByteOfAStateIsFound) {
  write_small_state();
  flip_each_byte(entries_of);
}

TEST_F(SegmentDamageTest, EveryOtherLengthIsFound) {
  write_small_events();
  const std::string sound = bytes();
  for (std::size_t length = sound.size(); length-- > 0;) {
    std::filesystem::resize_file(path_, length);
    EXPECT_NE(problem(), "") << length << " bytes";
  }
  put(sound + std::string(8, '\0'));
  EXPECT_NE(problem(), "");
  put(sound + sound);
  EXPECT_NE(problem(), "");
}

TEST_F(SegmentDamageTest, AnUnfinishedFileIsNoSegment) {
  {
    SegmentWriter writer(path_, start_of(SegmentKind::kState));
    for (int n = 0; n < 40; ++n) writer.add_entry(std::to_string(n), noise(60'000, 1));
  }
  EXPECT_GT(bytes().size(), std::size_t{1} << 20);
  EXPECT_THAT(problem(), HasSubstr("never finished"));
}

// What was read before stays what it was; the check sees the disk.
TEST_F(SegmentDamageTest, VerifySeesWhatHappenedSinceTheFileWasOpened) {
  write_small_state();
  const SegmentReader segment = reader();
  const std::string sound = bytes();
  for (const std::size_t at :
       {std::size_t{100}, segment::kStartBytes + 40, sound.size() - 70, sound.size() - 30}) {
    std::string changed = sound;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    put(changed);
    EXPECT_THROW(static_cast<void>(segment.verify({})), CorruptionError) << "byte " << at;
  }
  put(sound.substr(0, sound.size() - 1));
  EXPECT_THROW(static_cast<void>(segment.verify({})), CorruptionError);
}

TEST_F(SegmentDamageTest, SwappedBlocksAreFound) {
  write_state({{"a", noise(60'000, 1)}, {"b", noise(60'000, 2)}});
  const SegmentReader segment = reader();
  ASSERT_EQ(segment.blocks().size(), 2U);
  const std::size_t first = segment.blocks()[0].offset;
  const std::size_t second = segment.blocks()[1].offset;
  const std::size_t length = second - first;
  ASSERT_EQ(segment.blocks()[0].stored_bytes, segment.blocks()[1].stored_bytes);
  std::string changed = bytes();
  std::swap_ranges(changed.begin() + static_cast<std::ptrdiff_t>(first),
                   changed.begin() + static_cast<std::ptrdiff_t>(first + length),
                   changed.begin() + static_cast<std::ptrdiff_t>(second));
  put(changed);
  EXPECT_THROW(static_cast<void>(entries_of(reader())), CorruptionError);
  EXPECT_THAT(problem(), HasSubstr("not the one that the index names"));
}

TEST_F(SegmentDamageTest, ABrokenChainIsFound) {
  MadeEvents made;
  for (unsigned n = 0; n < 3; ++n) made.add(noise(80, n));
  made.made()[1].record.back() ^= 1;
  write_events(made.made());
  EXPECT_THAT(problem(), HasSubstr("event at position 2: the hash chain is broken"));
}

TEST_F(SegmentDamageTest, TheChainGoesOnFromTheStart) {
  MadeEvents made;
  made.add(noise(80, 1));
  SegmentStart start = start_of(SegmentKind::kEvents);
  start.chain.fill(1);
  SegmentWriter writer(path_, start);
  writer.add_event(made.made()[0].event, made.made()[0].record, std::nullopt);
  (void)writer.finish();
  EXPECT_THAT(problem(), HasSubstr("the hash chain is broken"));
}

TEST_F(SegmentDamageTest, KeysOutOfOrderAreFound) {
  write_state({{"a", "1"}, {"c", "2"}, {"b", "3"}});
  EXPECT_THAT(problem(), HasSubstr("out of order"));
  write_state({{"a", "1"}, {"a", "2"}});
  EXPECT_THAT(problem(), HasSubstr("out of order"));
  write_state({{"b", noise(60'000, 1)}, {"a", noise(60'000, 2)}});  // Of two blocks.
  EXPECT_THAT(problem(), HasSubstr("out of order"));
}

TEST_F(SegmentDamageTest, ATimeBeforeItsPredecessorIsFound) {
  MadeEvents made;
  made.add(noise(80, 1));
  made.next().recorded_at.micros -= 2'000'000;
  made.add(noise(80, 2));
  made.next().recorded_at.micros += 60'000'000;
  made.add(noise(80, 3));
  write_events(made.made());
  EXPECT_THAT(problem(), HasSubstr("recorded before its predecessor"));
}

TEST_F(SegmentDamageTest, AnIdThatTheIndexLeavesOutIsFound) {
  const RealEvents real(1200);
  const auto moved = std::ranges::find_if(
      real.made(), [](const SegmentEvent& event) { return event.other_tenant.has_value(); });
  ASSERT_NE(moved, real.made().end());
  // Other events of a block may lead to the same tenant.
  std::vector<SegmentEvent> alone(real.made().begin(), moved + 1);
  alone.back().other_tenant.reset();
  write_events(alone, alone.size() - 1);
  EXPECT_THAT(problem(), HasSubstr("the index does not name it"));
  alone.back().other_tenant = moved->other_tenant;
  write_events(alone, alone.size() - 1);
  EXPECT_EQ(problem(), "");
}

// A segment taken apart; file() puts it together again with every checksum and digest mended.
struct SegmentParts {
  SegmentStart start;
  SegmentEnd end;
  std::vector<SegmentBlock> blocks;
  std::vector<std::string> raw;  // Of each block.
  bool mends_content = true;

  [[nodiscard]] std::string file() {
    std::string file = segment::encode_start(start);
    const std::string page = file;
    for (std::size_t n = 0; n < blocks.size(); ++n) {
      blocks[n].stored_bytes = static_cast<std::uint32_t>(raw[n].size());
      file += segment::encode_block_header(blocks[n], segment::Codec::kRaw, raw[n]) + raw[n];
      file.resize(segment::padded(file.size()));
    }
    if (mends_content) {
      Sha256 digest;
      for (const std::string& block : raw) digest.add(block);
      end.content_digest = digest.finish();
    }
    const std::string footer = segment::encode_footer(end, blocks);
    const segment::Trailer trailer{file.size(), footer.size(), segment::frame_digest(page, footer)};
    return file + footer + segment::encode_trailer(trailer);
  }
};

struct Forgery {
  const char* name;
  std::function<void(SegmentParts&)> forge;
};
std::ostream& operator<<(std::ostream& out, const Forgery& forgery) { return out << forgery.name; }

class SegmentForgeryTest : public SegmentTestBase, public ::testing::WithParamInterface<Forgery> {
 protected:
  SegmentParts parts() {
    const SegmentReader segment = reader();
    SegmentParts parts;
    parts.start = segment.start();
    parts.end = segment.end();
    parts.blocks = segment.blocks();
    for (std::size_t n = 0; n < parts.blocks.size(); ++n) {
      std::string& raw = parts.raw.emplace_back();
      if (parts.start.kind == SegmentKind::kEvents) {
        const Block block = segment.events(n);
        for (std::size_t at = 0; at < block.records().size(); ++at) raw += block.record(at);
      } else {
        segment.visit_entries(n, [&](std::string_view key, std::string_view value) {
          segment::append_entry(raw, key, value);
          return true;
        });
      }
    }
    return parts;
  }
  // Of two blocks each: two events and one; three entries and one.
  void write_sound_events() {
    MadeEvents made;
    for (std::uint64_t n = 0; n < 3; ++n) {
      made.next().tenant = numbered_id(10 + n);
      made.next().stream = numbered_id(20 + n);
      made.next().actor = numbered_id(30 + n);
      made.add(noise(30'000, static_cast<unsigned>(n)));
    }
    write_events(made.made());
    ASSERT_EQ(reader().blocks().size(), 2U);
  }
  void write_sound_state() {
    write_state({{"a", "1"}, {"b", "22"}, {"c", "333"}, {"d", noise(65'500, 1)}});
    ASSERT_EQ(reader().blocks().size(), 2U);
  }
  // The kept file is sound when it is only put together again.
  void expect_found() {
    SegmentParts sound = parts();
    put(sound.file());
    ASSERT_EQ(problem(), "");
    SegmentParts forged = parts();
    GetParam().forge(forged);
    put(forged.file());
    EXPECT_NE(problem(), "");
  }
};

using ForgedEventsTest = SegmentForgeryTest;
using ForgedStateTest = SegmentForgeryTest;

TEST_P(ForgedEventsTest, AreFound) {
  write_sound_events();
  expect_found();
}

constexpr std::size_t kFirstRecord = kRecordHeaderBytes + 30'000;
INSTANTIATE_TEST_SUITE_P(
    Forgeries, ForgedEventsTest,
    ::testing::Values(
        Forgery{"seq_of_start", [](auto& parts) { ++parts.start.seq; }},
        Forgery{"no_seq", [](auto& parts) { parts.start.seq = 0; }},
        Forgery{"chain_of_start", [](auto& parts) { ++parts.start.chain[7]; }},
        Forgery{"scope", [](auto& parts) { parts.start.scope = events::Scope::CORE; }},
        Forgery{"other_kind", [](auto& parts) { parts.start.kind = SegmentKind::kState; }},
        Forgery{"unknown_kind", [](auto& parts) { parts.start.kind = SegmentKind{3}; }},
        Forgery{"entries", [](auto& parts) { ++parts.end.entries; }},
        Forgery{"raw_bytes", [](auto& parts) { ++parts.end.raw_bytes; }},
        Forgery{"last_seq", [](auto& parts) { ++parts.end.last_seq; }},
        Forgery{"last_chain", [](auto& parts) { ++parts.end.last_chain[0]; }},
        Forgery{"first", [](auto& parts) { ++parts.end.first.value; }},
        Forgery{"last", [](auto& parts) { ++parts.end.last.value; }},
        Forgery{"first_time", [](auto& parts) { ++parts.end.first_time.micros; }},
        Forgery{"last_time", [](auto& parts) { ++parts.end.last_time.micros; }},
        Forgery{"content_digest",
                [](auto& parts) {
                  ++parts.end.content_digest[0];
                  parts.mends_content = false;
                }},
        Forgery{"block_seq", [](auto& parts) { ++parts.blocks[1].first_seq; }},
        Forgery{"block_entries",
                [](auto& parts) {
                  ++parts.blocks[1].entries;
                  ++parts.end.entries;
                  ++parts.end.last_seq;
                }},
        Forgery{"block_without_entries",
                [](auto& parts) {
                  parts.blocks[1].entries = 0;
                  --parts.end.entries;
                  --parts.end.last_seq;
                }},
        Forgery{"block_raw_bytes",
                [](auto& parts) {
                  ++parts.blocks[1].raw_bytes;
                  ++parts.end.raw_bytes;
                }},
        Forgery{"huge_block",
                [](auto& parts) {
                  parts.end.raw_bytes += 0xffffffffU - parts.blocks[1].raw_bytes;
                  parts.blocks[1].raw_bytes = 0xffffffffU;
                }},
        Forgery{"block_first",
                [](auto& parts) {
                  ++parts.blocks[1].first.value;
                  ++parts.blocks[1].last.value;
                  ++parts.end.last.value;
                }},
        Forgery{"block_first_time",
                [](auto& parts) {
                  --parts.blocks[0].first_time.micros;
                  --parts.end.first_time.micros;
                }},
        Forgery{"block_last_time",
                [](auto& parts) {
                  ++parts.blocks[1].last_time.micros;
                  ++parts.end.last_time.micros;
                }},
        Forgery{"filter", [](auto& parts) { parts.blocks[0].filter.assign(8, '\0'); }},
        Forgery{"no_filter", [](auto& parts) { parts.blocks[0].filter.clear(); }},
        Forgery{"odd_filter", [](auto& parts) { parts.blocks[0].filter.assign(15, '\xff'); }},
        Forgery{"swapped_blocks", [](auto& parts) { std::swap(parts.blocks[0], parts.blocks[1]); }},
        Forgery{"swapped_records",
                [](auto& parts) {
                  std::string& raw = parts.raw[0];
                  raw = raw.substr(kFirstRecord) + raw.substr(0, kFirstRecord);
                }},
        Forgery{"payload", [](auto& parts) { ++parts.raw[1].back(); }},
        Forgery{"flag", [](auto& parts) { parts.raw[1][2] ^= 2; }},
        Forgery{"position", [](auto& parts) { ++parts.raw[0][8]; }},
        Forgery{"missing_block",
                [](auto& parts) {
                  parts.blocks.pop_back();
                  parts.raw.pop_back();
                }}),
    [](const auto& forgery) { return std::string(forgery.param.name); });

TEST_P(ForgedStateTest, AreFound) {
  write_sound_state();
  expect_found();
}

INSTANTIATE_TEST_SUITE_P(
    Forgeries, ForgedStateTest,
    ::testing::Values(Forgery{"last_seq", [](auto& parts) { ++parts.end.last_seq; }},
                      Forgery{"last_chain", [](auto& parts) { ++parts.end.last_chain[0]; }},
                      Forgery{"position", [](auto& parts) { ++parts.end.last.value; }},
                      Forgery{"time", [](auto& parts) { ++parts.end.last_time.micros; }},
                      Forgery{"block_position", [](auto& parts) { ++parts.blocks[0].first.value; }},
                      Forgery{"filter",
                              [](auto& parts) { parts.blocks[0].filter.assign(8, '\xff'); }},
                      Forgery{"content_digest",
                              [](auto& parts) {
                                ++parts.end.content_digest[0];
                                parts.mends_content = false;
                              }},
                      Forgery{"fewer_entries",
                              [](auto& parts) {
                                --parts.blocks[0].entries;
                                --parts.end.entries;
                                --parts.blocks[1].first_seq;
                              }},
                      Forgery{"more_entries",
                              [](auto& parts) {
                                ++parts.blocks[0].entries;
                                ++parts.end.entries;
                                ++parts.blocks[1].first_seq;
                              }},
                      Forgery{"padding", [](auto& parts) { parts.raw[0][15] = 1; }},
                      Forgery{"length_of_key", [](auto& parts) { parts.raw[0][3] = '\xff'; }},
                      Forgery{"length_of_value", [](auto& parts) { parts.raw[0][7] = '\xff'; }},
                      Forgery{"lengths_that_wrap",
                              [](auto& parts) { std::fill_n(parts.raw[0].begin(), 8, '\xff'); }}),
    [](const auto& forgery) { return std::string(forgery.param.name); });

// As in a large archive: thousands of blocks, each with a filter.
TEST_F(SegmentDamageTest, ALongIndexIsRead) {
  MadeEvents made;
  made.add(noise(80, 1));
  write_events(made.made());
  SegmentEnd end = reader().end();
  std::vector<SegmentBlock> blocks;
  for (std::uint64_t n = 0; n < 4096; ++n) {
    SegmentBlock block = reader().blocks().front();
    block.first_seq += n;
    block.first.value += n;
    block.last.value += n;
    block.filter = noise(1480, static_cast<unsigned>(n));
    blocks.push_back(block);
  }
  end.entries = blocks.size();
  end.raw_bytes = blocks.size() * blocks.front().raw_bytes;
  end.last_seq = blocks.back().first_seq;
  end.last = blocks.back().last;
  const std::string footer = segment::encode_footer(end, blocks);
  EXPECT_GT(footer.size(), std::size_t{6'000'000});
  const segment::Footer read =
      segment::decode_footer(footer, start_of(SegmentKind::kEvents), "name");
  ASSERT_EQ(read.blocks.size(), blocks.size());
  EXPECT_EQ(read.blocks.back().filter, blocks.back().filter);
  EXPECT_EQ(read.blocks.back().first_seq, blocks.back().first_seq);
}

}  // namespace
}  // namespace tenantry
