#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/catalogue.h"
#include "core/decide.h"
#include "core/head.h"
#include "core/record.h"
#include "core/state.h"
#include "core/storage.h"

// Batches: what one commit writes. BatchWriter is the only writer of anything a reader can see, and
// what it writes is a function of the head, the state and the accepted commands alone: no clock, no
// random number, nothing unordered. A replica that replays a batch's image gets the same bytes.
namespace tenantry {

// An accepted command with an id: what a retry is answered from.
struct CommandEntry {
  events::Uuid id;
  events::Uuid request_hash;  // Keyed hash of what was asked.
  events::Timestamp accepted_at;
  Position first;  // 0 when it caused no event.
  std::uint32_t count = 0;
  std::optional<EntityName> entity;
  bool operator==(const CommandEntry&) const = default;
};

[[nodiscard]] std::string encode_idempotency(const CommandEntry& entry);
[[nodiscard]] CommandEntry decode_idempotency(const events::Uuid& id, std::string_view value);
[[nodiscard]] std::vector<CommandEntry> decode_command_table(std::string_view bytes);
// The term that the table of a batch without events carries.
[[nodiscard]] std::uint64_t command_table_term(std::string_view bytes);

// What the index of a scope has of one of its blocks, under whatever epoch.
struct IndexEntry {
  char kind = 0;  // keys::kStreamIndex, kTenantIndex or kActorIndex.
  events::Uuid id;
  std::uint64_t n = 0;
  std::string value;
};

// An accepted command, ready to be written.
struct AcceptedCommand {
  std::vector<events::EncodedEvent> events;
  std::optional<EntityName> entity;
  events::Timestamp recorded_at;
  std::uint16_t flags = 0;
  events::Uuid actor;  // Zero for none.
  std::uint64_t causation = 0;
  std::optional<events::Uuid> id;
  events::Uuid request_hash;
};

// One commit as a log sees it. `image` is built on demand: an embedded log has no use for it.
class BatchWriter;
struct Batch {
  std::uint64_t incarnation = 0;
  std::uint64_t term = 0;
  std::uint64_t seq = 0;
  Position first;  // Of its first event; the tail when it has none.
  std::uint32_t events = 0;
  Hash before{};
  Hash after{};
  const BatchWriter* content = nullptr;  // Borrowed.
  [[nodiscard]] std::string image() const;
};

// A batch read back from its image. Owns its bytes.
struct BatchImage {
  Batch header;
  std::vector<CommandEntry> commands;
  std::string records;  // StoredEvents point into it.
  std::vector<StoredEvent> events;
};

// Of the header, the commands and the records; `events` is not looked at.
[[nodiscard]] std::string encode_batch_image(const BatchImage& image);
// Throws CorruptionError for bytes that no version wrote.
[[nodiscard]] BatchImage decode_batch_image(std::string_view bytes);

// Threads: one. Lifetime: borrows everything it is given; `state` lies over the storage at
// `before`.
class BatchWriter {
 public:
  BatchWriter(const StoreInfo& info, Head before, std::uint64_t term, State& state);

  // Gives the command's events their positions and lays their effects over the state. Returns the
  // first position; the tail when it has no events.
  Position add(const AcceptedCommand& command);

  // The scope's index goes on in a new epoch, from this batch's first event on. Returns the one
  // that it had, which nothing is added to any more.
  ClosedEpoch begin_epoch(events::Scope scope);
  // An entry that the scope's index has under another epoch goes over to the present one.
  void move_index_entry(events::Scope scope, std::uint32_t epoch, const IndexEntry& entry);
  // The head counts no index entries of the scope's older epochs any more.
  void forget_epochs(events::Scope scope, std::uint32_t first);
  // What is written in the same moment, beside the log: no reader of events depends on it.
  [[nodiscard]] ChangeSet& beside() { return beside_; }

  // Bytes of the records so far; commands so far; whether there is anything to write.
  [[nodiscard]] std::size_t record_bytes() const { return record_bytes_; }
  [[nodiscard]] bool empty() const { return records_.empty() && commands_.empty(); }
  [[nodiscard]] const Head& head() const { return head_; }
  // For a rehearsal, which never finishes: gives back the memory of the records.
  void forget_records() {
    records_.clear();
    record_bytes_ = 0;
  }

  // Everything to write, the head included. The state's overlay moves into `changes`. Once.
  [[nodiscard]] Batch finish(ChangeSet& changes);

  [[nodiscard]] std::string encode_image(const Batch& batch) const;

 private:
  struct Record {
    StoredEvent event;
    std::string bytes;
    std::optional<events::Uuid> other_tenant;
  };

  void add_record(StoredEvent event, const events::EventView& view);
  void write_blocks(ChangeSet& changes);
  void write_block(events::Scope scope, const std::vector<const Record*>& records,
                   ChangeSet& changes);
  void write_index(events::Scope scope, const std::vector<const Record*>& records,
                   ChangeSet& changes);
  void write_time_mark(ChangeSet& changes);
  void put(ChangeSet& changes, Family family, std::string key, std::string value);
  [[nodiscard]] std::string encode_command_table() const;

  friend Batch replay(const BatchImage& image, const StoreInfo& info, const Head& before,
                      State& state, ChangeSet& changes);

  const StoreInfo& info_;
  State& state_;
  Head head_;  // As it will be.
  Hash before_{};
  Position first_;
  std::deque<Record> records_;
  std::vector<CommandEntry> commands_;
  ChangeSet beside_;
  std::size_t record_bytes_ = 0;
};

// Applies a batch made elsewhere; the changes are those of the writer that made it. Throws
// CorruptionError when it does not follow `before`, or does not come out as its header says.
Batch replay(const BatchImage& image, const StoreInfo& info, const Head& before, State& state,
             ChangeSet& changes);

}  // namespace tenantry
