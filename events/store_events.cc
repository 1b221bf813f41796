#include "events/store_events.h"

#include <capnp/message.h>

#include "events/events.capnp.h"

namespace tenantry::events {

EncodedEvent store_restored(const Restored& restored, const Circumstances& circumstances) {
  capnp::MallocMessageBuilder message;
  auto event = message.initRoot<Event>();
  set_circumstances(event, circumstances);
  auto fact = event.initStoreRestored();
  fact.setId({restored.store.bytes.data(), restored.store.bytes.size()});
  fact.setIncarnation(static_cast<std::int64_t>(restored.incarnation));
  fact.setTail(static_cast<std::int64_t>(restored.tail));
  fact.setTakenAt(restored.taken_at.micros);
  return encode_canonical(event.asReader());
}

EncodedEvent scope_squashed(const Squashed& squashed, const Circumstances& circumstances) {
  capnp::MallocMessageBuilder message;
  auto event = message.initRoot<Event>();
  set_circumstances(event, circumstances);
  auto fact = event.initScopeSquashed();
  fact.setId({squashed.store.bytes.data(), squashed.store.bytes.size()});
  fact.setSquashedScope(std::string(scope_name(squashed.scope)));
  fact.setSquashedThrough(static_cast<std::int64_t>(squashed.through));
  fact.setSquashedEvents(static_cast<std::int64_t>(squashed.events));
  fact.setLogBytes(static_cast<std::int64_t>(squashed.log_bytes));
  fact.setChainHash(squashed.chain_hash);
  fact.setSnapshotDigest(squashed.snapshot_digest);
  fact.setSnapshotBytes(static_cast<std::int64_t>(squashed.snapshot_bytes));
  fact.setArchiveDigest(squashed.archive_digest);
  fact.setArchiveBytes(static_cast<std::int64_t>(squashed.archive_bytes));
  fact.setArchiveDirectory(squashed.archive_directory);
  fact.setHistoryDiscarded(squashed.history_discarded);
  return encode_canonical(event.asReader());
}

EncodedEvent tenant_redacted(const Redacted& redacted, const Circumstances& circumstances) {
  capnp::MallocMessageBuilder message;
  auto event = message.initRoot<Event>();
  set_circumstances(event, circumstances);
  auto fact = event.initTenantRedacted();
  fact.setId({redacted.store.bytes.data(), redacted.store.bytes.size()});
  fact.setTenantId({redacted.tenant.bytes.data(), redacted.tenant.bytes.size()});
  fact.setRedactedThrough(static_cast<std::int64_t>(redacted.through));
  fact.setRedactedEvents(static_cast<std::int64_t>(redacted.events));
  fact.setArchiveDigest(redacted.archive_digest);
  return encode_canonical(event.asReader());
}

EncodedEvent domain_removed(const Uuid& domain, const Uuid& tenant) {
  capnp::MallocMessageBuilder message;
  auto fact = message.initRoot<Event>().initDomainRemoved();
  fact.setId(integer_id(domain));
  fact.setTenantId({tenant.bytes.data(), tenant.bytes.size()});
  return encode_canonical(message.getRoot<Event>().asReader());
}

Squashed read_squashed(const EventView& event) {
  const auto fact = event.event().getScopeSquashed();
  Squashed squashed;
  squashed.store = event.entity();
  const auto scope = find_scope(fact.getSquashedScope().cStr());
  if (!scope) throw MalformedError("a scope that is not known was squashed");
  squashed.scope = *scope;
  squashed.through = static_cast<std::uint64_t>(fact.getSquashedThrough());
  squashed.events = static_cast<std::uint64_t>(fact.getSquashedEvents());
  squashed.log_bytes = static_cast<std::uint64_t>(fact.getLogBytes());
  squashed.chain_hash = fact.getChainHash().cStr();
  squashed.snapshot_digest = fact.getSnapshotDigest().cStr();
  squashed.snapshot_bytes = static_cast<std::uint64_t>(fact.getSnapshotBytes());
  squashed.archive_digest = fact.getArchiveDigest().cStr();
  squashed.archive_bytes = static_cast<std::uint64_t>(fact.getArchiveBytes());
  squashed.archive_directory = fact.getArchiveDirectory().cStr();
  squashed.history_discarded = fact.getHistoryDiscarded();
  return squashed;
}

Redacted read_redacted(const EventView& event) {
  const auto fact = event.event().getTenantRedacted();
  Redacted redacted;
  redacted.store = event.entity();
  redacted.tenant = event.tenant();
  redacted.through = static_cast<std::uint64_t>(fact.getRedactedThrough());
  redacted.events = static_cast<std::uint64_t>(fact.getRedactedEvents());
  redacted.archive_digest = fact.getArchiveDigest().cStr();
  return redacted;
}

}  // namespace tenantry::events
