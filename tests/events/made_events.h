#pragma once

#include <utility>

#include <capnp/message.h>

#include "events/encoding.h"
#include "events/kinds.h"

// Events that a test makes field by field.
namespace tenantry::events {

inline constexpr Timestamp kMadeAt{1'700'000'000'000'000};

// The canonical bytes of the event that `fill` makes of an empty builder.
template <class Fill>
EncodedEvent encode(Fill&& fill) {
  capnp::MallocMessageBuilder message;
  auto event = message.initRoot<Event>();
  std::forward<Fill>(fill)(event);
  return encode_canonical(event.asReader());
}

}  // namespace tenantry::events
