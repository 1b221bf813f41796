#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <type_traits>

#include <capnp/blob.h>

#include "core/error.h"
#include "core/hash.h"
#include "events/values.h"

// Ids, hashes and bytes as fields of Cap'n Proto.
namespace tenantry {

inline capnp::Data::Reader as_data(const events::Uuid& uuid) {
  return {uuid.bytes.data(), uuid.bytes.size()};
}
inline capnp::Data::Reader as_data(const Hash& hash) { return {hash.data(), hash.size()}; }
inline capnp::Data::Reader as_data(std::string_view bytes) {
  return {reinterpret_cast<const kj::byte*>(bytes.data()), bytes.size()};
}

// Throws CorruptionError for another number of bytes; `what` says of what they are a part.
template <class Fixed>
Fixed read_fixed(capnp::Data::Reader data, const char* what) {
  Fixed fixed{};
  auto& bytes = [&]() -> auto& {
    if constexpr (std::is_same_v<Fixed, events::Uuid>) {
      return fixed.bytes;
    } else {
      return fixed;
    }
  }
  ();
  if (data.size() != bytes.size()) {
    throw CorruptionError(std::string(what) + ": an id or a hash of the wrong length");
  }
  std::copy(data.begin(), data.end(), bytes.begin());
  return fixed;
}

}  // namespace tenantry
