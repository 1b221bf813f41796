#pragma once

#include "core/counters.h"
#include "core/error.h"
#include "core/format.capnp.h"

// Counters as a list of Cap'n Proto.
namespace tenantry {

// `to` has a place for each.
inline void write_counters(capnp::List<format::Counter>::Builder to, const Counters& counters) {
  unsigned int at = 0;
  for (const auto& [key, sum] : counters.sums()) {
    auto target = to[at++];
    target.setFamily(static_cast<std::uint8_t>(key.family));
    target.setScope(key.scope);
    target.setKind(key.kind);
    target.setEpoch(key.epoch);
    target.setRows(sum.rows);
    target.setLow(sum.low);
    target.setHigh(sum.high);
  }
}

// Throws CorruptionError; `what` says of what they are a part.
inline Counters read_counters(capnp::List<format::Counter>::Reader from, const char* what) {
  Counters counters;
  for (const auto counter : from) {
    if (counter.getFamily() >= kFamilyCount) {
      throw CorruptionError(std::string(what) + ": a counter of no family");
    }
    counters.set({static_cast<Family>(counter.getFamily()), counter.getScope(), counter.getKind(),
                  counter.getEpoch()},
                 {counter.getRows(), counter.getLow(), counter.getHigh()});
  }
  return counters;
}

}  // namespace tenantry
