#include "core/head.h"

#include <algorithm>

#include <capnp/message.h>

#include "core/bytes.h"
#include "core/counters_format.h"
#include "core/error.h"
#include "core/fixed_data.h"
#include "core/format.capnp.h"
#include "events/encoding.h"

namespace tenantry {
namespace {

Head read_head(format::Head::Reader root) {
  Head head;
  head.incarnation = root.getIncarnation();
  head.term = root.getTerm();
  head.batch_seq = root.getBatchSeq();
  head.tail = {root.getTail()};
  head.last_recorded = {root.getLastRecordedAt()};
  head.mark_position = {root.getMarkPosition()};
  head.mark_time = {root.getMarkTime()};
  for (const auto scope : root.getScopes()) {
    head.scopes[static_cast<events::Scope>(scope.getScope())] = {
        scope.getSeq(),
        {scope.getLastPosition()},
        read_fixed<Hash>(scope.getChainHash(), "head"),
        scope.getEpoch()};
  }
  head.counters = read_counters(root.getCounters(), "head");
  return head;
}

}  // namespace

std::string encode_store_info(const StoreInfo& info) {
  capnp::MallocMessageBuilder message;
  auto root = message.initRoot<format::StoreInfo>();
  root.setStoreId({info.id.bytes.data(), info.id.bytes.size()});
  root.setHashKey({reinterpret_cast<const kj::byte*>(info.hash_key.data()), info.hash_key.size()});
  root.setCreatedAt(info.created_at.micros);
  root.setMadeBy(info.made_by);
  return events::encode_canonical(root.asReader());
}

StoreInfo decode_store_info(std::string_view bytes) {
  return read_stored("store information", [&] {
    events::MessageView view(bytes);
    const auto root = view.root<format::StoreInfo>();
    StoreInfo info;
    if (root.getStoreId().size() != 16 || root.getHashKey().size() != 32) {
      throw CorruptionError("store information: an id or a key of the wrong length");
    }
    std::copy(root.getStoreId().begin(), root.getStoreId().end(), info.id.bytes.begin());
    info.hash_key.assign(reinterpret_cast<const char*>(root.getHashKey().begin()),
                         root.getHashKey().size());
    info.created_at = {root.getCreatedAt()};
    info.made_by = root.getMadeBy().cStr();
    return info;
  });
}

std::string encode_head(const Head& head) {
  constexpr unsigned int kUsualWords = 256;
  capnp::MallocMessageBuilder message(kUsualWords);
  auto root = message.initRoot<format::Head>();
  root.setIncarnation(head.incarnation);
  root.setTerm(head.term);
  root.setBatchSeq(head.batch_seq);
  root.setTail(head.tail.value);
  root.setLastRecordedAt(head.last_recorded.micros);
  root.setMarkPosition(head.mark_position.value);
  root.setMarkTime(head.mark_time.micros);
  auto scopes = root.initScopes(static_cast<unsigned int>(head.scopes.size()));
  unsigned int at = 0;
  for (const auto& [scope, end] : head.scopes) {
    auto target = scopes[at++];
    target.setScope(static_cast<std::uint16_t>(scope));
    target.setSeq(end.seq);
    target.setLastPosition(end.last.value);
    target.setChainHash(as_data(end.chain));
    target.setEpoch(end.epoch);
  }
  auto counters = root.initCounters(static_cast<unsigned int>(head.counters.sums().size()));
  write_counters(counters, head.counters);
  return events::encode_canonical(root.asReader());
}

Head decode_head(std::string_view bytes) {
  return read_stored("head", [&] {
    events::MessageView view(bytes);
    return read_head(view.root<format::Head>());
  });
}

Head stored_head(const StorageReader& storage) {
  const auto bytes = storage.get(Family::kMeta, "head");
  if (!bytes) throw CorruptionError("the store has no head");
  return decode_head(*bytes);
}

Hash head_digest(const events::Uuid& store, const Head& head) {
  std::string bytes = "HEAD1";
  append_uuid(bytes, store);
  append_le(bytes, head.incarnation);
  append_le(bytes, head.tail.value);
  for (const auto& [scope, end] : head.scopes) {
    append_le(bytes, static_cast<std::uint16_t>(scope));
    append_le(bytes, end.seq);
    bytes.append(reinterpret_cast<const char*>(end.chain.data()), end.chain.size());
  }
  return sha256(bytes);
}

}  // namespace tenantry
