#include "core/batch.h"

#include <algorithm>
#include <map>
#include <utility>

#include <capnp/message.h>
#include <fmt/format.h>
#include <kj/exception.h>

#include "core/bytes.h"
#include "core/error.h"
#include "core/fixed_data.h"
#include "core/format.capnp.h"
#include "core/keys.h"
#include "core/planted.h"

namespace tenantry {
namespace {

// A time mark at the first commit after this many events or this long.
constexpr std::uint64_t kMarkEvents = 4096;
constexpr std::int64_t kMarkMicros = 60'000'000;
// An answer kept for a retry, and what it has more when it names an entity: before the key.
constexpr std::size_t kIdempotencyBytes = 36;
constexpr std::size_t kEntityBytes = 18;

void write_commands(format::CommandTable::Builder table,
                    const std::vector<CommandEntry>& commands) {
  auto entries = table.initEntries(static_cast<unsigned int>(commands.size()));
  unsigned int at = 0;
  for (const CommandEntry& command : commands) {
    auto entry = entries[at++];
    entry.setCommandId(as_data(command.id));
    entry.setRequestHash(as_data(command.request_hash));
    entry.setAcceptedAt(command.accepted_at.micros);
    entry.setFirstPosition(command.first.value);
    entry.setCount(command.count);
    if (!command.entity) continue;
    entry.setEntityKind(static_cast<std::uint16_t>(command.entity->kind));
    entry.setEntityId(as_data(command.entity->id));
    entry.setEntityKey(command.entity->key);
  }
}

std::vector<CommandEntry> read_commands(format::CommandTable::Reader table) {
  std::vector<CommandEntry> commands;
  for (const auto entry : table.getEntries()) {
    CommandEntry command;
    command.id = read_fixed<events::Uuid>(entry.getCommandId(), "a batch");
    command.request_hash = read_fixed<events::Uuid>(entry.getRequestHash(), "a batch");
    command.accepted_at = {entry.getAcceptedAt()};
    command.first = {entry.getFirstPosition()};
    command.count = entry.getCount();
    if (entry.hasEntityId()) {
      command.entity = EntityName{static_cast<events::EntityKind>(entry.getEntityKind()),
                                  read_fixed<events::Uuid>(entry.getEntityId(), "a batch"),
                                  entry.getEntityKey().cStr()};
    }
    commands.push_back(std::move(command));
  }
  return commands;
}

// Reads what is canonical Cap'n Proto of ours; anything else is damage.
template <class Root, class Read>
auto decode(std::string_view bytes, const char* what, Read&& read) {
  try {
    events::MessageView view(bytes);
    return read(view.root<Root>());
  } catch (const events::MalformedError& error) {
    throw CorruptionError(std::string(what) + ": " + error.what());
  } catch (const kj::Exception& error) {
    throw CorruptionError(std::string(what) + ": " + error.getDescription().cStr());
  }
}

}  // namespace

std::string encode_idempotency(const CommandEntry& entry) {
  std::string value;
  value.reserve(kIdempotencyBytes + (entry.entity ? kEntityBytes + entry.entity->key.size() : 0));
  append_uuid(value, entry.request_hash);
  append_le(value, entry.first.value);
  append_le(value, entry.count);
  append_le(value, entry.accepted_at.micros);
  if (!entry.entity) return value;
  append_le(value, static_cast<std::uint16_t>(entry.entity->kind));
  append_uuid(value, entry.entity->id);
  return value.append(entry.entity->key);
}

CommandEntry decode_idempotency(const events::Uuid& id, std::string_view value) {
  if (value.size() < kIdempotencyBytes ||
      (value.size() > kIdempotencyBytes && value.size() < kIdempotencyBytes + kEntityBytes)) {
    throw CorruptionError("the answer kept for command " + events::format_uuid(id) +
                          " is cut short");
  }
  CommandEntry entry;
  entry.id = id;
  entry.request_hash = read_uuid(value, 0);
  entry.first = {read_le<std::uint64_t>(value, 16)};
  entry.count = read_le<std::uint32_t>(value, 24);
  entry.accepted_at = {read_le<std::int64_t>(value, 28)};
  if (value.size() > kIdempotencyBytes) {
    entry.entity = EntityName{
        static_cast<events::EntityKind>(read_le<std::uint16_t>(value, kIdempotencyBytes)),
        read_uuid(value, kIdempotencyBytes + 2),
        std::string(value.substr(kIdempotencyBytes + kEntityBytes))};
  }
  return entry;
}

std::vector<CommandEntry> decode_command_table(std::string_view bytes) {
  if (bytes.empty()) return {};
  return decode<format::CommandTable>(bytes, "command table", read_commands);
}

std::uint64_t command_table_term(std::string_view bytes) {
  return decode<format::CommandTable>(
      bytes, "command table", [](format::CommandTable::Reader table) { return table.getTerm(); });
}

std::string Batch::image() const { return content->encode_image(*this); }

BatchWriter::BatchWriter(const StoreInfo& info, Head before, std::uint64_t term, State& state)
    : info_(info),
      state_(state),
      head_(std::move(before)),
      before_(head_digest(info.id, head_)),
      first_{head_.tail.value + 1} {
  head_.term = term;
  ++head_.batch_seq;
}

Position BatchWriter::add(const AcceptedCommand& command) {
  Position first = command.events.empty() ? head_.tail : Position{head_.tail.value + 1};
  std::uint32_t index = 0;
  for (const events::EncodedEvent& payload : command.events) {
    const auto view = events::EventView::over(payload, events::Origin::kEncodedHere);
    StoredEvent event;
    event.recorded_at = command.recorded_at;
    event.flags = command.flags;
    event.actor = command.actor;
    event.command = command.id.value_or(events::Uuid{});
    event.causation = command.causation;
    event.index_in_command = index++;
    event.count_in_command = static_cast<std::uint32_t>(command.events.size());
    event.payload = payload;
    add_record(event, view);
  }
  if (command.id) {
    commands_.push_back({*command.id, command.request_hash, command.recorded_at,
                         command.events.empty() ? Position{} : first,
                         static_cast<std::uint32_t>(command.events.size()), command.entity});
  }
  return first;
}

ClosedEpoch BatchWriter::begin_epoch(events::Scope scope) {
  return {head_.scopes[scope].epoch++, {first_.value - 1}};
}

void BatchWriter::move_index_entry(events::Scope scope, std::uint32_t epoch,
                                   const IndexEntry& entry) {
  const std::uint32_t present = head_.scopes.at(scope).epoch;
  std::string old = keys::index(entry.kind, scope, epoch, entry.id, entry.n);
  head_.counters.subtract(Family::kIndex, old, entry.value);
  beside_.remove(Family::kIndex, std::move(old));
  put(beside_, Family::kIndex, keys::index(entry.kind, scope, present, entry.id, entry.n),
      entry.value);
}

void BatchWriter::forget_epochs(events::Scope scope, std::uint32_t first) {
  head_.counters.forget_epochs(static_cast<std::uint16_t>(scope), first);
}

void BatchWriter::add_record(StoredEvent event, const events::EventView& view) {
  const events::Scope scope = view.kind().table->scope;
  ScopeHead& end = head_.scopes[scope];
  event.scope = scope;
  event.kind = view.kind().number;
  event.tenant = view.tenant();
  event.stream = events::stream_id(*view.kind().table, view.entity());
  ++head_.tail.value;
  event.position = head_.tail;
  event.scope_seq = ++end.seq;
  event.version = state_.apply(view, event.recorded_at, event.position);
  Record record{event, {}, view.other_tenant()};
  record.bytes = encode_record_header(event, end.chain, record.event.chain_hash);
  record.bytes.append(event.payload);
  record.event.payload = {};
  end.chain = record.event.chain_hash;
  end.last = event.position;
  head_.last_recorded = event.recorded_at;
  record_bytes_ += record.bytes.size();
  records_.push_back(std::move(record));
}

Batch BatchWriter::finish(ChangeSet& changes) {
  Batch batch;
  batch.incarnation = head_.incarnation;
  batch.term = head_.term;
  batch.seq = head_.batch_seq;
  batch.events = static_cast<std::uint32_t>(records_.size());
  batch.first = records_.empty() ? head_.tail : first_;
  batch.before = before_;
  batch.after = head_digest(info_.id, head_);
  batch.content = this;
  write_blocks(changes);
  if (records_.empty())
    changes.put(Family::kMeta, keys::batch(head_.batch_seq), encode_command_table());
  write_time_mark(changes);
  state_.take_changes(changes, head_.counters);
  for (const CommandEntry& command : commands_) {
    std::string key;
    append_uuid(key, command.id);
    if (planted(Plant::kForgetCommandIds)) continue;
    put(changes, Family::kIdempotency, std::move(key), encode_idempotency(command));
  }
  changes.append(std::move(beside_));
  changes.put(Family::kMeta, "head", encode_head(head_));
  return batch;
}

void BatchWriter::put(ChangeSet& changes, Family family, std::string key, std::string value) {
  head_.counters.add(family, key, value);
  changes.put(family, std::move(key), std::move(value));
}

void BatchWriter::write_blocks(ChangeSet& changes) {
  std::map<events::Scope, std::vector<const Record*>> by_scope;
  for (const Record& record : records_) by_scope[record.event.scope].push_back(&record);
  for (const auto& [scope, records] : by_scope) {
    std::vector<const Record*> block;
    std::size_t bytes = kBlockHeaderBytes;
    for (const Record* record : records) {
      if (!block.empty() && bytes + record->bytes.size() > kBlockBytesMax) {
        write_block(scope, block, changes);
        block.clear();
        bytes = kBlockHeaderBytes;
      }
      block.push_back(record);
      bytes += record->bytes.size();
    }
    write_block(scope, block, changes);
  }
}

void BatchWriter::write_block(events::Scope scope, const std::vector<const Record*>& records,
                              ChangeSet& changes) {
  BlockHeader header;
  header.scope = scope;
  header.records = static_cast<std::uint32_t>(records.size());
  header.first = records.front()->event.position;
  header.last = records.back()->event.position;
  header.first_scope_seq = records.front()->event.scope_seq;
  header.term = head_.term;
  header.batch_seq = head_.batch_seq;
  std::size_t size = 0;
  for (const Record* record : records) size += record->bytes.size();
  std::string bytes;
  bytes.reserve(size);
  for (const Record* record : records) bytes += record->bytes;
  const bool is_first = header.first == first_;
  changes.put(Family::kLog, keys::block(scope, header.first),
              encode_block(header, is_first ? encode_command_table() : std::string{}, bytes));
  write_index(scope, records, changes);
}

// One entry for each (index, id): how many records of that id the block has.
void BatchWriter::write_index(events::Scope scope, const std::vector<const Record*>& records,
                              ChangeSet& changes) {
  struct Stream {
    Version first;
    std::uint16_t count = 0;
  };
  std::map<events::Uuid, Stream> streams;
  std::map<events::Uuid, std::uint16_t> tenants;
  std::map<events::Uuid, std::uint16_t> actors;
  for (const Record* record : records) {
    Stream& stream = streams[record->event.stream];
    if (stream.count++ == 0) stream.first = record->event.version;
    if (record->event.tenant != events::Uuid{}) ++tenants[record->event.tenant];
    if (record->other_tenant) ++tenants[*record->other_tenant];
    if (record->event.actor != events::Uuid{}) ++actors[record->event.actor];
  }
  const std::uint32_t epoch = head_.scopes[scope].epoch;
  const Position first = records.front()->event.position;
  for (const auto& [id, stream] : streams) {
    std::string value;
    append_le(value, first.value);
    append_le(value, stream.count);
    put(changes, Family::kIndex,
        keys::index(keys::kStreamIndex, scope, epoch, id, stream.first.value), std::move(value));
  }
  const auto put_counts = [&](char kind, const std::map<events::Uuid, std::uint16_t>& counts) {
    for (const auto& [id, count] : counts) {
      std::string value;
      append_le(value, count);
      put(changes, Family::kIndex, keys::index(kind, scope, epoch, id, first.value),
          std::move(value));
    }
  };
  put_counts(keys::kTenantIndex, tenants);
  put_counts(keys::kActorIndex, actors);
}

void BatchWriter::write_time_mark(ChangeSet& changes) {
  if (records_.empty()) return;
  const StoredEvent& first = records_.front().event;
  const bool never = head_.mark_position.value == 0;
  const bool due = first.position.value - head_.mark_position.value >= kMarkEvents ||
                   first.recorded_at.micros - head_.mark_time.micros >= kMarkMicros;
  // Two marks of one time would be one key: the earlier one stays.
  if (!never && (!due || first.recorded_at == head_.mark_time)) return;
  std::string value;
  append_le(value, first.position.value);
  append_le(value, head_.batch_seq);
  put(changes, Family::kIndex, keys::time_mark(first.recorded_at), std::move(value));
  head_.mark_position = first.position;
  head_.mark_time = first.recorded_at;
}

std::string BatchWriter::encode_command_table() const {
  if (commands_.empty() && !records_.empty()) return {};
  constexpr std::size_t kUsualWords = 24;  // Of an entry, with all its pointers.
  capnp::MallocMessageBuilder message(
      static_cast<unsigned int>(8 + kUsualWords * commands_.size()));
  auto table = message.initRoot<format::CommandTable>();
  if (records_.empty()) table.setTerm(head_.term);
  write_commands(table, commands_);
  return events::encode_canonical(table.asReader());
}

std::string BatchWriter::encode_image(const Batch& batch) const {
  BatchImage image{batch, commands_, {}, {}};
  for (const Record& record : records_) image.records += record.bytes;
  return encode_batch_image(image);
}

std::string encode_batch_image(const BatchImage& image) {
  capnp::MallocMessageBuilder message;
  auto root = message.initRoot<format::BatchImage>();
  root.setIncarnation(image.header.incarnation);
  root.setTerm(image.header.term);
  root.setSeq(image.header.seq);
  root.setFirst(image.header.first.value);
  root.setEvents(image.header.events);
  root.setBefore(as_data(image.header.before));
  root.setAfter(as_data(image.header.after));
  write_commands(root.initCommands(), image.commands);
  root.setRecords(as_data(image.records));
  return events::encode_canonical(root.asReader());
}

BatchImage decode_batch_image(std::string_view bytes) {
  BatchImage image;
  decode<format::BatchImage>(bytes, "batch", [&](format::BatchImage::Reader root) {
    image.header.incarnation = root.getIncarnation();
    image.header.term = root.getTerm();
    image.header.seq = root.getSeq();
    image.header.first = {root.getFirst()};
    image.header.events = root.getEvents();
    image.header.before = read_fixed<Hash>(root.getBefore(), "a batch");
    image.header.after = read_fixed<Hash>(root.getAfter(), "a batch");
    image.commands = read_commands(root.getCommands());
    const auto records = root.getRecords();
    image.records.assign(reinterpret_cast<const char*>(records.begin()), records.size());
    return true;
  });
  const std::string place = fmt::format("batch {}", image.header.seq);
  std::string_view rest = image.records;
  while (rest.size() >= kRecordHeaderBytes) {
    image.events.push_back(decode_record(rest, place));
    rest.remove_prefix(tenantry::record_bytes(image.events.back()));
  }
  if (!rest.empty() || image.events.size() != image.header.events) {
    throw CorruptionError(place + ": its records are not those that its header counts");
  }
  return image;
}

Batch replay(const BatchImage& image, const StoreInfo& info, const Head& before, State& state,
             ChangeSet& changes) {
  const auto refuse = [&](std::string_view why) {
    throw CorruptionError(fmt::format("batch {} {}", image.header.seq, why));
  };
  BatchWriter writer(info, before, image.header.term, state);
  if (image.header.seq != writer.head_.batch_seq || image.header.before != writer.before_) {
    refuse("does not follow the head");
  }
  for (const StoredEvent& event : image.events) {
    try {
      writer.add_record(event, events::EventView::over(event.payload));
    } catch (const events::MalformedError& error) {
      refuse(fmt::format("has a record that is no event: {}", error.what()));
    }
    const StoredEvent& made = writer.records_.back().event;
    if (made.position != event.position || made.scope_seq != event.scope_seq ||
        made.version != event.version || made.chain_hash != event.chain_hash) {
      refuse("has an event that does not come out as it was written");
    }
  }
  writer.commands_ = image.commands;
  Batch made = writer.finish(changes);
  if (made.after != image.header.after) refuse("does not lead to the head that it names");
  made.content = nullptr;
  return made;
}

}  // namespace tenantry
