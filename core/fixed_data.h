#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <type_traits>

#include <capnp/blob.h>
#include <kj/exception.h>

#include "core/error.h"
#include "core/hash.h"
#include "events/encoding.h"
#include "events/values.h"

// Stored Cap'n Proto, and ids, hashes and bytes as its fields.
namespace tenantry {

// Runs `read`, which decodes `what`; what it cannot read is damage.
template <class Read>
auto read_stored(const char* what, Read&& read) {
  try {
    return read();
  } catch (const events::MalformedError& error) {
    throw CorruptionError(std::string(what) + ": " + error.what());
  } catch (const kj::Exception& error) {
    throw CorruptionError(std::string(what) + ": " + error.getDescription().cStr());
  }
}

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
