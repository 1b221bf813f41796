#include "events/encoding.h"

#include <cstdint>
#include <cstring>
#include <limits>

#include <capnp/any.h>
#include <capnp/dynamic.h>
#include <capnp/message.h>
#include <kj/exception.h>

#include "events/rows.capnp.h"
#include "events/typed_values.h"

namespace tenantry::events {
namespace {

constexpr int kNestingMax = 16;

// For bytes that nobody has looked at yet. Cap'n Proto counts every visit of an object, and the
// canonical check visits all of them: eight times the size and some slack is enough for any honest
// message, while one that leads to the same object by many pointers runs out of it.
capnp::ReaderOptions limits_for(std::size_t words) {
  return {.traversalLimitInWords = 8 * words + 64, .nestingLimit = kNestingMax};
}

// In a canonical message one pointer leads to each object, so that no visit costs more than the
// message is long; readers may come as often as they like.
constexpr capnp::ReaderOptions kCheckedLimits = {
    .traversalLimitInWords = std::numeric_limits<std::uint64_t>::max(),
    .nestingLimit = kNestingMax};

// A message read for writing a row or an event: most fit into the first segment.
constexpr std::size_t kScratchWords = 512;

}  // namespace

std::string to_bytes(const kj::Array<capnp::word>& words) {
  const auto bytes = words.asBytes();
  return {reinterpret_cast<const char*>(bytes.begin()), bytes.size()};
}

MessageView::MessageView(std::string_view bytes) {
  if (bytes.empty() || bytes.size() % sizeof(capnp::word) != 0) {
    throw MalformedError("a message of " + std::to_string(bytes.size()) +
                         " bytes is not whole words");
  }
  const std::size_t count = bytes.size() / sizeof(capnp::word);
  words_ = kj::heapArray<capnp::word>(count);
  std::memcpy(words_.begin(), bytes.data(), bytes.size());
  segment_ = std::make_unique<kj::ArrayPtr<const capnp::word>>(words_.asPtr());
  const auto segments = kj::arrayPtr(segment_.get(), 1);
  try {
    capnp::SegmentArrayMessageReader checked(segments, limits_for(count));
    if (!checked.isCanonical()) throw MalformedError("the bytes are not a canonical message");
    reader_ = std::make_unique<capnp::SegmentArrayMessageReader>(segments, kCheckedLimits);
  } catch (const kj::Exception& error) {
    throw MalformedError(std::string("unreadable message: ") + error.getDescription().cStr());
  }
}

capnp::DynamicStruct::Reader MessageView::root(capnp::StructSchema schema) {
  return reader_->getRoot<capnp::DynamicStruct>(schema);
}

EncodedRow encode_row(const TableInfo& table, const RowValues& row) {
  capnp::word scratch[kScratchWords] = {};
  capnp::MallocMessageBuilder message(kj::arrayPtr(scratch, kScratchWords));
  auto root = message.initRoot<capnp::DynamicStruct>(table.schema);
  for (std::size_t place = 0; place < table.columns.size(); ++place) {
    set_field(root, table.columns[place].field, row[place]);
  }
  return to_bytes(message.getRoot<capnp::AnyStruct>().asReader().canonicalize());
}

RowValues decode_row(const TableInfo& table, std::string_view bytes) {
  MessageView view(bytes);
  try {
    const auto root = view.root(table.schema);
    RowValues row;
    row.reserve(table.columns.size());
    for (const ColumnInfo& column : table.columns)
      row.push_back(get_field(root, column.field, column));
    return row;
  } catch (const kj::Exception& error) {
    throw MalformedError("unreadable row of " + table.name + ": " + error.getDescription().cStr());
  }
}

}  // namespace tenantry::events
