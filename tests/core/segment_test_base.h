#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/batch.h"
#include "core/error.h"
#include "core/hash.h"
#include "core/segment.h"
#include "core/segment_format.h"
#include "core/state.h"
#include "tests/core/random_history.h"
#include "tests/support/temp_directory.h"

namespace tenantry {

inline events::Uuid numbered_id(std::uint64_t number) {
  events::Uuid id;
  for (std::size_t n = 0; n < sizeof(number); ++n) {
    id.bytes[8 + n] = static_cast<std::uint8_t>(number >> (8 * n));
  }
  return id;
}

// What no compression makes smaller.
inline std::string noise(std::size_t bytes, unsigned seed) {
  std::mt19937 random(seed);
  std::string text(bytes, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

// An event as a segment is given it.
struct SegmentEvent {
  StoredEvent event;
  std::string record;
  std::optional<events::Uuid> other_tenant;
};

// Events of one scope that follow each other. Their payloads are no events.
class MadeEvents {
 public:
  MadeEvents() {
    next_.scope = events::Scope::TENANTS;
    next_.recorded_at = {1'770'000'000'000'000};
  }

  StoredEvent& next() { return next_; }  // What is set stays for those after it.
  void add(std::string payload) {
    payloads_.push_back(std::make_unique<std::string>(std::move(payload)));
    ++next_.position.value;
    ++next_.scope_seq;
    next_.recorded_at.micros += 1'000'000;
    next_.payload = *payloads_.back();
    const std::string header = encode_record_header(next_, chain_, next_.chain_hash);
    chain_ = next_.chain_hash;
    made_.push_back({next_, header + *payloads_.back(), std::nullopt});
  }
  std::vector<SegmentEvent>& made() { return made_; }

 private:
  StoredEvent next_;
  Hash chain_{};
  std::vector<std::unique_ptr<std::string>> payloads_;
  std::vector<SegmentEvent> made_;
};

// The events of scope tenants of a random history of so many commands.
class RealEvents {
 public:
  explicit RealEvents(int commands) {
    RandomHistory history(7);
    const StoreInfo info{ids_.new_uuid(), std::string(32, 'k'), {}, "test"};
    const auto storage = make_memory_storage();
    State state(*storage);
    Head head;
    for (int n = 0; n < commands; ++n) {
      BatchWriter writer(info, head, 1, state);
      AcceptedCommand command;
      command.events = history.next(state);
      command.recorded_at = history.now();
      command.actor = ids_.new_uuid();
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
  [[nodiscard]] const std::vector<SegmentEvent>& made() const { return made_; }

 private:
  void add(Block block) {
    if (block.header().scope != events::Scope::TENANTS) return;
    blocks_.push_back(std::make_unique<Block>(std::move(block)));
    const Block& kept = *blocks_.back();
    for (std::size_t n = 0; n < kept.records().size(); ++n) {
      const auto view = events::EventView::over(kept.records()[n].payload);
      made_.push_back({kept.records()[n], std::string(kept.record(n)), view.other_tenant()});
    }
  }

  CountingIds ids_;
  std::vector<std::unique_ptr<Block>> blocks_;  // The events point into them.
  std::vector<SegmentEvent> made_;
};

// Files of a temporary directory, of which one is the segment.
class SegmentTestBase : public ::testing::Test {
 protected:
  using Entries = std::vector<std::pair<std::string, std::string>>;

  static SegmentStart start_of(SegmentKind kind) {
    SegmentStart start;
    start.kind = kind;
    start.store = numbered_id(4711);
    start.scope = events::Scope::TENANTS;
    start.seq = 1;
    return start;
  }
  // Of those from `skipped` on.
  SegmentEnd write_events(const std::vector<SegmentEvent>& events, std::size_t skipped = 0) {
    SegmentStart start = start_of(SegmentKind::kEvents);
    start.seq += skipped;
    if (skipped > 0) start.chain = events[skipped - 1].event.chain_hash;
    SegmentWriter writer(path_, start);
    for (std::size_t n = skipped; n < events.size(); ++n) {
      writer.add_event(events[n].event, events[n].record, events[n].other_tenant);
    }
    return writer.finish();
  }
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
  void put(std::string_view bytes) const {
    const FileDescriptor file = open_file(path_, O_WRONLY | O_CREAT | O_TRUNC);
    ASSERT_EQ(write_fully(file.get(), bytes, 0), 0);
  }
  // What is wrong with the file; empty for a sound one.
  [[nodiscard]] std::string problem() const {
    try {
      static_cast<void>(reader().verify({}));
    } catch (const CorruptionError& error) {
      EXPECT_THAT(error.what(), ::testing::HasSubstr(path_.string()));
      return error.what();
    }
    return "";
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

  TempDirectory directory_;
  const std::filesystem::path path_ = directory_ / "some.tseg";
};

}  // namespace tenantry
