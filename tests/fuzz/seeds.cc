#include "tests/fuzz/seeds.h"

#include <functional>
#include <map>
#include <utility>
#include <variant>

#include "core/ack_file.h"
#include "core/batch.h"
#include "core/bytes.h"
#include "core/file_ops.h"
#include "core/head.h"
#include "core/keys.h"
#include "core/record.h"
#include "core/segment.h"
#include "core/segment_format.h"
#include "core/state.h"
#include "core/storage.h"
#include "events/commands.h"
#include "tests/core/random_history.h"
#include "tests/events/golden_files.h"
#include "tests/support/counting_ids.h"
#include "tests/support/json_text_generator.h"
#include "tests/support/temp_directory.h"

namespace tenantry::fuzz {
namespace {

using Seeds = std::vector<std::string>;

constexpr unsigned kSeed = 7;

std::string behind(int first, const std::string& bytes) { return static_cast<char>(first) + bytes; }

Seeds event_seeds() {
  Seeds seeds;
  for (const auto& golden : events::golden_events()) seeds.push_back(golden.bytes);
  return seeds;
}

// What one commit after the other writes: a short history in a storage of its own.
class History {
 public:
  History() {
    info_ = {ids_.new_uuid(), std::string(32, 'k'), {1'700'000'000'000'000}, "seeds"};
    RandomHistory commands(kSeed);
    for (int batch = 0; batch < kBatches; ++batch) commit(commands);
  }

  [[nodiscard]] const StoreInfo& info() const { return info_; }
  [[nodiscard]] const std::vector<Head>& heads() const { return heads_; }
  [[nodiscard]] const Seeds& images() const { return images_; }
  [[nodiscard]] Seeds values(Family family) const {
    Seeds values;
    for (const auto& change : changes_) {
      if (change.family == family && !change.is_delete) values.push_back(change.value);
    }
    return values;
  }
  [[nodiscard]] Seeds command_tables() const {
    Seeds tables;
    for (const auto& change : changes_) {
      if (change.family != Family::kLog) continue;
      tables.emplace_back(Block(change.key, change.value).command_table());
    }
    return tables;
  }
  // The entries of a scope's state, in the order of their keys.
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> state(events::Scope scope) const {
    const std::string prefix = keys::state_prefix(scope, 0).substr(0, 2);
    const auto cursor = storage_->cursor(Family::kState, prefix, keys::after_prefix(prefix),
                                         /*scan=*/true);
    std::vector<std::pair<std::string, std::string>> entries;
    for (cursor->seek_first(); cursor->valid(); cursor->next())
      entries.emplace_back(cursor->key(), cursor->value());
    return entries;
  }
  [[nodiscard]] std::vector<Block> blocks(events::Scope scope) const {
    std::vector<Block> blocks;
    for (const auto& change : changes_) {
      if (change.family != Family::kLog) continue;
      Block block(change.key, change.value);
      if (block.header().scope == scope) blocks.push_back(std::move(block));
    }
    return blocks;
  }
  // Rows, each behind the place of its table.
  [[nodiscard]] Seeds rows() const {
    Seeds rows;
    for (std::size_t at = 0; at < events::tables().size(); ++at) {
      state_.scan_rows(events::tables()[at], std::nullopt, [&](const StoredRow& row) {
        rows.push_back(behind(static_cast<int>(at), row.bytes));
        return true;
      });
    }
    return rows;
  }

 private:
  static constexpr int kBatches = 20;
  static constexpr int kCommandsInBatch = 4;

  void commit(RandomHistory& commands) {
    BatchWriter writer(info_, heads_.empty() ? Head{} : heads_.back(), 1, state_);
    for (int n = 0; n < kCommandsInBatch; ++n) {
      AcceptedCommand command;
      command.events = commands.next(state_);
      command.recorded_at = commands.now();
      command.id = ids_.new_uuid();
      command.actor = ids_.new_uuid();
      if (n == 0) command.entity = {{events::EntityKind::USER, ids_.new_uuid(), "ann"}};
      (void)writer.add(command);
    }
    ChangeSet changes;
    const Batch batch = writer.finish(changes);
    images_.push_back(writer.encode_image(batch));
    heads_.push_back(writer.head());
    (void)storage_->write(changes, /*sync=*/false);
    changes_.insert(changes_.end(), changes.changes().begin(), changes.changes().end());
  }

  CountingIds ids_;
  StoreInfo info_;
  std::unique_ptr<Storage> storage_ = make_memory_storage();
  State state_{*storage_};
  std::vector<Head> heads_;
  Seeds images_;
  std::vector<ChangeSet::Change> changes_;
};

Seeds block_seeds() { return History().values(Family::kLog); }

Seeds stored_seeds() {
  enum { kHead, kInfo, kTable, kAnswer, kImage, kRows };  // As run_stored() counts.
  const History history;
  Seeds seeds = {behind(kInfo, encode_store_info(history.info()))};
  for (const Head& head : history.heads()) seeds.push_back(behind(kHead, encode_head(head)));
  for (const std::string& image : history.images()) seeds.push_back(behind(kImage, image));
  for (const std::string& answer : history.values(Family::kIdempotency))
    seeds.push_back(behind(kAnswer, answer));
  for (const std::string& table : history.command_tables()) seeds.push_back(behind(kTable, table));
  for (std::string& row : history.rows()) {
    row.front() = static_cast<char>(row.front() + kRows);
    seeds.push_back(std::move(row));
  }
  return seeds;
}

// A write-ahead log as RocksDB writes it, and an `ack` file as its owner leaves it.
Seeds files_seeds() {
  const TempDirectory directory;
  Seeds seeds;
  {
    RocksOptions options;
    options.directory = directory / "db";
    options.create = true;
    const auto storage = open_rocks_storage(options);
    for (const std::size_t bytes : {10U, 200U, 40'000U}) {
      ChangeSet changes;
      changes.put(Family::kMeta, "key", std::string(bytes, 'x'));
      (void)storage->write(changes, /*sync=*/false);
      for (const auto& entry : std::filesystem::directory_iterator(options.directory)) {
        if (entry.path().extension() != ".log") continue;
        seeds.push_back(behind(2, read_file(entry.path()).value()));
        seeds.push_back(behind(3, read_file(entry.path()).value()));
      }
    }
  }
  AckFile ack(directory / "ack", {.incarnation = 1, .term = 2, .batch_seq = 3, .tail = 4});
  ack.close({.incarnation = 1, .term = 2, .batch_seq = 4, .tail = 5});
  const std::string file = read_file(directory / "ack").value();
  seeds.push_back(behind(0, file));
  seeds.push_back(behind(1, file));
  return seeds;
}

// As run_segment() takes it apart: what it can mend is left out.
std::string unmended(const std::string& file) {
  constexpr std::size_t kStructBytesAt = 8;
  constexpr std::size_t kStructAt = 16;
  const std::string_view bytes = file;
  const segment::Trailer trailer = segment::decode_trailer(
      bytes.substr(bytes.size() - segment::kTrailerBytes), bytes.size(), "seed");
  std::string seed = behind(1, "");
  const auto add_counted = [&](std::string_view words) {
    append_le(seed, static_cast<std::uint16_t>(words.size() / sizeof(std::uint64_t)));
    seed += words;
  };
  add_counted(bytes.substr(kStructAt, read_le<std::uint32_t>(bytes, kStructBytesAt)));
  add_counted(bytes.substr(trailer.footer_at, trailer.footer_bytes));
  std::size_t at = segment::kStartBytes;
  while (at < trailer.footer_at) {  // Without padding.
    constexpr std::size_t kStoredBytesAt = 12;
    const std::size_t stored = read_le<std::uint32_t>(bytes, at + kStoredBytesAt);
    seed += bytes.substr(at, segment::kHeaderBytes + stored);
    at += segment::padded(segment::kHeaderBytes + stored);
  }
  return seed;
}

// Segments of few entries, of a whole history, and of none.
Seeds segment_seeds() {
  const History history;
  const TempDirectory directory;
  const std::filesystem::path path = directory / "segment";
  Seeds seeds;
  const auto keep = [&](SegmentWriter& writer) {
    (void)writer.finish();
    const std::string file = read_file(path).value();
    seeds.push_back(behind(0, file));
    seeds.push_back(unmended(file));
  };
  for (const auto scope : {events::Scope::AUTH, events::Scope::TENANTS}) {
    SegmentStart start;
    start.store = history.info().id;
    start.scope = scope;
    for (const std::size_t wanted : {0U, 1U, 5U, 1000U}) {
      start.kind = SegmentKind::kEvents;
      start.seq = 1;
      SegmentWriter of_events(path, start);
      std::size_t left = wanted;
      for (const Block& block : history.blocks(scope)) {
        for (std::size_t n = 0; n < block.records().size() && left > 0; ++n, --left) {
          const StoredEvent& event = block.records()[n];
          of_events.add_event(event, block.record(n), segment::other_tenant(event, "seed"));
        }
      }
      keep(of_events);
      start.kind = SegmentKind::kState;
      SegmentWriter of_state(path, start);
      left = wanted;
      for (const auto& [key, value] : history.state(scope)) {
        if (left-- == 0) break;
        of_state.add_entry(key, value);
      }
      keep(of_state);
    }
  }
  return seeds;
}

Seeds command_seeds() {
  RandomHistory history(kSeed);
  Seeds seeds;
  for (int line = 0; line < 300; ++line) seeds.push_back(history.next_line());
  for (
      const char* const line : {
          R"({"command":"create_tenant","id":"5f0c1d2e-0000-4000-8000-00000000000a","data":{"id":)"
          R"("5f0c1d2e-0000-4000-8000-00000000000b","name":"Ä","slug":"A-b_1","schema_name":null,)"
          R"("contact_email":"a@b.io","contact_phone":"1","is_active":false,"is_trial":true,)"
          R"("trial_ends_at":"2027-01-31T09:30:00+02:00","settings":{"theme":{"aColor":null}},)"
          R"("logo":"l.png","created_by":"ann","owner":1,"domain":"X.io"},"actor":"a",)"
          R"("channel":"api","reason":"r","correlation_id":"c","causation_position":1,)"
          R"("expected_version":"none"})",
          R"({"command":"accept_invitation","data":{"invitation":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",)"
          R"("new_user":{"id":77,"username":"é@.+-_","email":"e@localhost","first_name":"\u00e9",)"
          R"("last_name":"\ud83d\ude00","password":"a$b","is_active":true,"is_staff":false,)"
          R"("is_superuser":true},"any_email":true},"expected_version":3})",
          R"({"command":"set_preferences","data":{"id":5,"user":1,"theme":"auto",)"
          R"("dashboard_layout":{"b":1e3,"a":[1.50,-0]},"sidebar_collapsed":true,)"
          R"("quick_menu_items":[null,"\u0001"],"widget_preferences":{}},)"
          R"("at":"2026-02-01 00:00:00Z"})",
          R"({"command":"add_protein","data":{"name":"a\u0000b"}})",
      })
    seeds.emplace_back(line);
  return seeds;
}

Seeds json_seeds() {
  JsonTextGenerator generator(kSeed);
  Seeds seeds;
  for (int n = 0; n < 200; ++n) {
    std::string text = generator.document();
    if (n % 2 == 0) {
      const std::string patch = generator.patch_of(text);
      text += '\0';
      text += patch;
    }
    seeds.push_back(std::move(text));
  }
  return seeds;
}

// Each behind two bytes that choose a command, one of its fields, and a table.
Seeds text_seeds() {
  Seeds seeds;
  for (const char* const text : {"2026-01-31T09:30:00.000001Z",
                                 "2026-01-31 09:30:00+02:00",
                                 "9999-12-31T23:59:59-23:59",
                                 "2026-01-31",
                                 "90s",
                                 "7d",
                                 "id:17",
                                 "-5",
                                 "null",
                                 "true",
                                 "42",
                                 "5f0c1d2e-0000-4000-8000-00000000000a",
                                 "ann@.+-_é",
                                 "acme-1_x",
                                 "a.example.com",
                                 "x.y+z@a.io",
                                 "#aAbBcC",
                                 "pbkdf2_sha256$1$s$h",
                                 "!",
                                 R"({"a":[1]})",
                                 "[]",
                                 "name=Acme",
                                 "id=5",
                                 "created_at=2026-01-31",
                                 "slug=null",
                                 "settings={}",
                                 "is_active=t",
                                 "\xe2\x80\xae\x01\xff"})
    for (const int first : {0, 7, 8, 10, 22, 27, 33})
      for (const int second : {0, 1, 2, 8}) seeds.push_back(behind(first, behind(second, text)));
  return seeds;
}

}  // namespace

std::vector<std::string> seeds_of(std::string_view target) {
  static const std::map<std::string_view, std::function<Seeds()>> kMakers = {
      {"event", event_seeds}, {"block", block_seeds},     {"stored", stored_seeds},
      {"files", files_seeds}, {"command", command_seeds}, {"json", json_seeds},
      {"text", text_seeds},   {"frames", frames_seeds},   {"segment", segment_seeds},
  };
  return kMakers.at(target)();
}

}  // namespace tenantry::fuzz
