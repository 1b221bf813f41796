#include "core/block_counters.h"

#include <map>
#include <string>
#include <utility>

#include "core/bytes.h"
#include "core/keys.h"
#include "events/kinds.h"

namespace tenantry {
namespace {

void add_counts(char kind, const std::map<events::Uuid, std::uint16_t>& ids, Position first,
                std::vector<IndexEntry>& entries) {
  for (const auto& [id, count] : ids) {
    std::string value;
    append_le(value, count);
    entries.push_back({kind, id, first.value, std::move(value)});
  }
}

}  // namespace

std::vector<IndexEntry> index_entries(const Block& block) {
  std::map<events::Uuid, std::pair<Version, std::uint16_t>> streams;
  std::map<events::Uuid, std::uint16_t> tenants;
  std::map<events::Uuid, std::uint16_t> actors;
  for (const StoredEvent& event : block.records()) {
    const auto [stream, added] = streams.try_emplace(event.stream, event.version, std::uint16_t{0});
    ++stream->second.second;
    if (event.tenant != events::Uuid{}) ++tenants[event.tenant];
    const auto view = events::EventView::over(event.payload, events::Origin::kStored);
    if (view.other_tenant()) ++tenants[*view.other_tenant()];
    if (event.actor != events::Uuid{}) ++actors[event.actor];
  }
  const Position first = block.header().first;
  std::vector<IndexEntry> entries;
  for (const auto& [id, stream] : streams) {
    std::string value;
    append_le(value, first.value);
    append_le(value, stream.second);
    entries.push_back({keys::kStreamIndex, id, stream.first.value, std::move(value)});
  }
  add_counts(keys::kTenantIndex, tenants, first, entries);
  add_counts(keys::kActorIndex, actors, first, entries);
  return entries;
}

void count_block(const Block& block, std::uint32_t epoch, Counters& counters) {
  for (const IndexEntry& entry : index_entries(block)) {
    counters.add(Family::kIndex,
                 keys::index(entry.kind, block.header().scope, epoch, entry.id, entry.n),
                 entry.value);
  }
  count_answers(block.command_table(), counters);
}

void count_answers(std::string_view command_table, Counters& counters) {
  for (const CommandEntry& command : decode_command_table(command_table)) {
    std::string key;
    append_uuid(key, command.id);
    counters.add(Family::kIdempotency, key, encode_idempotency(command));
  }
}

}  // namespace tenantry
