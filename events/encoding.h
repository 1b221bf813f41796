#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include <capnp/dynamic.h>
#include <capnp/message.h>
#include <capnp/serialize.h>
#include <kj/array.h>

#include "events/tables.h"

// Canonical Cap'n Proto segments: how rows, events and commands are kept and hashed.
namespace tenantry::events {

// Bytes that cannot be what this version, or any before it, wrote. Whoever knows the place
// translates it.
class MalformedError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// No encoded event may be larger (engine limit of a record's payload).
inline constexpr std::size_t kPayloadBytesMax = std::size_t{768} << 10;

// One canonical segment, unpacked, no segment table. Owned; always a multiple of 8 bytes.
using EncodedEvent = std::string;
using EncodedRow = std::string;
using EncodedCommand = std::string;

// A message read from a canonical segment. The bytes are copied into an aligned buffer, so the
// source may go away; readers live as long as the message. Traversal and nesting are limited, and
// bytes that are not canonical are refused: MalformedError, never a wild read.
class MessageView {
 public:
  explicit MessageView(std::string_view bytes);

  template <class T>
  [[nodiscard]] typename T::Reader root() {
    return reader_->getRoot<T>();
  }
  [[nodiscard]] capnp::DynamicStruct::Reader root(capnp::StructSchema schema);

 private:
  kj::Array<capnp::word> words_;
  std::unique_ptr<kj::ArrayPtr<const capnp::word>> segment_;  // Stays put when the view is moved.
  std::unique_ptr<capnp::SegmentArrayMessageReader> reader_;
};

[[nodiscard]] std::string to_bytes(const kj::Array<capnp::word>& words);

// The canonical segment of a struct.
template <class Reader>
[[nodiscard]] std::string encode_canonical(Reader&& reader) {
  return to_bytes(capnp::canonicalize(std::forward<Reader>(reader)));
}

[[nodiscard]] EncodedRow encode_row(const TableInfo& table, const RowValues& row);
[[nodiscard]] RowValues decode_row(const TableInfo& table, std::string_view bytes);

// A typed row with its bytes. Movable; the reader is borrowed from it.
template <class Row>
class OwnedRow {
 public:
  explicit OwnedRow(std::string_view bytes) : view_(bytes) {}
  [[nodiscard]] typename Row::Reader read() { return view_.root<Row>(); }

 private:
  MessageView view_;
};

}  // namespace tenantry::events
