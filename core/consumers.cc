#include "core/consumers.h"

#include <algorithm>

#include <capnp/message.h>
#include <fmt/format.h>

#include "core/error.h"
#include "core/fixed_data.h"
#include "core/format.capnp.h"
#include "core/keys.h"
#include "events/encoding.h"
#include "events/tables.h"

namespace tenantry {
namespace {

constexpr const char* kConsumerPrefix = "consumer/";

std::string consumer_key(const std::string& name) { return kConsumerPrefix + name; }

Consumer decode_consumer(std::string_view bytes) {
  return read_stored("a consumer", [&] {
    events::MessageView view(bytes);
    const auto root = view.root<format::Consumer>();
    return Consumer{root.getName().cStr(),
                    {root.getCheckpoint()},
                    {root.getNotedAt()},
                    root.getSchemaVersion()};
  });
}

}  // namespace

std::vector<Consumer> read_consumers(const StorageReader& storage) {
  std::vector<Consumer> consumers;
  const std::string prefix = kConsumerPrefix;
  const auto cursor =
      storage.cursor(Family::kMeta, prefix, keys::after_prefix(prefix), /*scan=*/false);
  for (cursor->seek_first(); cursor->valid(); cursor->next()) {
    consumers.push_back(decode_consumer(cursor->value()));
  }
  return consumers;
}

std::optional<Consumer> find_consumer(const StorageReader& storage, const std::string& name) {
  const auto bytes = storage.get(Family::kMeta, consumer_key(name));
  if (!bytes) return std::nullopt;
  return decode_consumer(*bytes);
}

void require_consumers(const StorageReader& storage, const std::set<std::string>& names) {
  constexpr int kNotFound = 5;
  for (const std::string& name : names) {
    if (find_consumer(storage, name)) continue;
    throw UsageError("not_found", fmt::format("no consumer \"{}\" is noted in the store", name),
                     "`tenantry status` lists them", kNotFound);
  }
}

std::uint32_t shown_version(const Consumer& consumer) {
  return std::max(consumer.schema_version, events::kFirstSchemaVersion);
}

bool is_outdated(const Consumer& consumer, std::uint32_t present) {
  return shown_version(consumer) < present;
}

void put_consumer(ChangeSet& changes, const Consumer& consumer) {
  capnp::MallocMessageBuilder message;
  auto root = message.initRoot<format::Consumer>();
  root.setName(consumer.name);
  root.setCheckpoint(consumer.checkpoint.value);
  root.setNotedAt(consumer.noted_at.micros);
  root.setSchemaVersion(consumer.schema_version);
  changes.put(Family::kMeta, consumer_key(consumer.name),
              events::encode_canonical(root.asReader()));
}

void remove_consumer(ChangeSet& changes, const std::string& name) {
  changes.remove(Family::kMeta, consumer_key(name));
}

void forget_rebased(ChangeSet& changes, const std::vector<BehindConsumer>& behind) {
  for (const BehindConsumer& one : behind) {
    if (!one.holds) remove_consumer(changes, one.consumer.name);
  }
}

bool any_rebased(const std::vector<BehindConsumer>& behind) {
  return std::ranges::any_of(behind, [](const BehindConsumer& one) { return !one.holds; });
}

}  // namespace tenantry
