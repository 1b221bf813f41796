#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include <capnp/any.h>
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

// The bytes as words to build a message in; whole words. A string's own memory is aligned enough.
[[nodiscard]] kj::ArrayPtr<capnp::word> words_of(std::string& bytes);

// Where bytes come from, and so what is checked before they are read. Whatever they are, nobody
// reads outside of them, or for longer than they are long (times a constant).
enum class Origin : std::uint8_t {
  kElsewhere,    // They may be anything: refused unless they are canonical.
  kStored,       // A checksum says that they are what was stored, which was canonical.
  kEncodedHere,  // This process has just encoded them.
};

// A message read from a canonical segment. Neither copied nor moved: readers point into it.
// Traversal and nesting are limited: MalformedError, never a wild read.
class MessageView {
 public:
  // The bytes are copied into an aligned buffer, so the source may go away.
  explicit MessageView(std::string_view bytes, Origin origin = Origin::kElsewhere)
      : MessageView(bytes, origin, /*borrows=*/false) {}
  // Borrows the bytes, which stay where they are as long as the message and its readers do. A copy
  // is made only if they are not aligned.
  static MessageView over(std::string_view bytes, Origin origin = Origin::kElsewhere) {
    return {bytes, origin, /*borrows=*/true};
  }
  MessageView(const MessageView&) = delete;
  MessageView& operator=(const MessageView&) = delete;
  ~MessageView() = default;

  template <class T>
  [[nodiscard]] typename T::Reader root() {
    return content_.getRoot<T>();
  }

 private:
  friend class EventView;
  MessageView(std::string_view bytes, Origin origin, bool borrows);

  // The message, with its bytes if they are a copy.
  class Content final : public capnp::MessageReader {
   public:
    Content(std::string_view bytes, Origin origin, bool borrows);
    kj::ArrayPtr<const capnp::word> getSegment(unsigned int id) override;
    void check_canonical();

   private:
    kj::Array<capnp::word> copy_;
    kj::ArrayPtr<const capnp::word> words_;
  };
  Content content_;
};

// The canonical segment of a struct.
template <class Reader>
[[nodiscard]] std::string encode_canonical(const Reader& reader) {
  // Whole at once, where it is to stay: canonical is what is copied so into one zeroed segment.
  std::string bytes((reader.totalSize().wordCount + 1) * sizeof(capnp::word), '\0');
  capnp::FlatMessageBuilder message(words_of(bytes));
  message.getRoot<capnp::AnyPointer>().setCanonicalAs<capnp::FromReader<Reader>>(reader);
  bytes.resize(message.getSegmentsForOutput()[0].asBytes().size());
  return bytes;
}

[[nodiscard]] EncodedRow encode_row(const TableInfo& table, const RowValues& row);
[[nodiscard]] RowValues decode_row(const TableInfo& table, std::string_view bytes);

// A typed row with its bytes. Movable; the reader is borrowed from it.
template <class Row>
class OwnedRow {
 public:
  explicit OwnedRow(std::string_view bytes, Origin origin = Origin::kElsewhere)
      : view_(std::make_unique<MessageView>(bytes, origin)) {}
  [[nodiscard]] typename Row::Reader read() { return view_->root<Row>(); }

 private:
  std::unique_ptr<MessageView> view_;
};

}  // namespace tenantry::events
