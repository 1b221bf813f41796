#include "core/block_counters.h"

#include <map>
#include <string>
#include <utility>

#include "core/batch.h"
#include "core/bytes.h"
#include "core/keys.h"
#include "events/kinds.h"

namespace tenantry {
namespace {

void count_ids(char kind, const Block& block, std::uint32_t epoch,
               const std::map<events::Uuid, std::uint16_t>& ids, Counters& counters) {
  const BlockHeader& header = block.header();
  for (const auto& [id, count] : ids) {
    std::string value;
    append_le(value, count);
    counters.add(Family::kIndex, keys::index(kind, header.scope, epoch, id, header.first.value),
                 value);
  }
}

}  // namespace

void count_block(const Block& block, std::uint32_t epoch, Counters& counters) {
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
  const BlockHeader& header = block.header();
  for (const auto& [id, stream] : streams) {
    std::string value;
    append_le(value, header.first.value);
    append_le(value, stream.second);
    counters.add(Family::kIndex,
                 keys::index(keys::kStreamIndex, header.scope, epoch, id, stream.first.value),
                 value);
  }
  count_ids(keys::kTenantIndex, block, epoch, tenants, counters);
  count_ids(keys::kActorIndex, block, epoch, actors, counters);
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
