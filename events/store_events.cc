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

}  // namespace tenantry::events
