#include "events/encoding.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <limits>

#include <capnp/any.h>
#include <capnp/message.h>
#include <kj/exception.h>

#include "events/rows.capnp.h"
#include "events/typed_values.h"

namespace tenantry::events {
namespace {

constexpr int kNestingMax = 16;

// For bytes that nobody has looked at. Cap'n Proto counts every visit of an object, and the
// canonical check visits all of them: eight times the size and some slack is enough for any honest
// message, while one that leads to the same object by many pointers runs out of it.
constexpr std::size_t kCheckVisits = 8;
// Stored messages are not checked. Their readers read each field some few times.
constexpr std::size_t kReadVisits = 64;

capnp::ReaderOptions limits_for(std::size_t words, std::size_t visits) {
  return {.traversalLimitInWords = visits * (words + 8), .nestingLimit = kNestingMax};
}

// In a canonical message one pointer leads to each object, so that no visit costs more than the
// message is long; readers may come as often as they like.
constexpr capnp::ReaderOptions kCanonicalLimits = {
    .traversalLimitInWords = std::numeric_limits<std::uint64_t>::max(),
    .nestingLimit = kNestingMax};

std::size_t words_in(std::string_view bytes) {
  if (bytes.empty() || bytes.size() % sizeof(capnp::word) != 0) {
    throw MalformedError("a message of " + std::to_string(bytes.size()) +
                         " bytes is not whole words");
  }
  return bytes.size() / sizeof(capnp::word);
}

}  // namespace

kj::ArrayPtr<capnp::word> words_of(std::string& bytes) {
  return {reinterpret_cast<capnp::word*>(bytes.data()), bytes.size() / sizeof(capnp::word)};
}

MessageView::Content::Content(std::string_view bytes, Origin origin, bool borrows)
    : MessageReader(origin == Origin::kStored ? limits_for(words_in(bytes), kReadVisits)
                                              : kCanonicalLimits) {
  const std::size_t words = words_in(bytes);
  if (borrows && reinterpret_cast<std::uintptr_t>(bytes.data()) % alignof(capnp::word) == 0) {
    words_ = {reinterpret_cast<const capnp::word*>(bytes.data()), words};
    return;
  }
  copy_ = kj::heapArray<capnp::word>(words);
  std::memcpy(copy_.begin(), bytes.data(), bytes.size());
  words_ = copy_;
}

kj::ArrayPtr<const capnp::word> MessageView::Content::getSegment(unsigned int id) {
  if (id != 0) return nullptr;
  return words_;
}

void MessageView::Content::check_canonical() {
  capnp::SegmentArrayMessageReader checked(kj::arrayPtr(&words_, 1),
                                           limits_for(words_.size(), kCheckVisits));
  if (!checked.isCanonical()) throw MalformedError("the bytes are not a canonical message");
}

MessageView::MessageView(std::string_view bytes, Origin origin, bool borrows)
    : content_(bytes, origin, borrows) {
  if (origin != Origin::kElsewhere) return;
  try {
    content_.check_canonical();
  } catch (const kj::Exception& error) {
    throw MalformedError(std::string("unreadable message: ") + error.getDescription().cStr());
  }
}

// Canonical as it is written: the sections end before what is zero or null to their end, and what
// the pointers lead to lies in their order.
EncodedRow encode_row(const TableInfo& table, const RowValues& row) {
  std::array<kj::byte, kRowDataBytesMax> data{};
  std::size_t pointers = 0;
  std::size_t words = 1;  // The root pointer.
  for (std::size_t at = 0; at < row.size(); ++at) {
    const FieldPlace& place = table.columns[at].place;
    if (std::holds_alternative<Null>(row[at])) continue;
    if (is_pointer(place)) {
      pointers = place.offset + 1;
      words += object_words(row[at]);
    } else {
      set_number(data, place, row[at]);
    }
  }
  const auto last = std::find_if(data.rbegin(), data.rend(), [](kj::byte b) { return b != 0; });
  const std::size_t data_words = words_for(static_cast<std::size_t>(data.rend() - last));
  words += data_words + pointers;

  EncodedRow bytes(words * sizeof(capnp::word), '\0');
  capnp::FlatMessageBuilder message(words_of(bytes));
  auto root = message.getRoot<capnp::AnyPointer>().initAsAnyStruct(
      static_cast<std::uint16_t>(data_words), static_cast<std::uint16_t>(pointers));
  std::copy_n(data.begin(), data_words * sizeof(capnp::word), root.getDataSection().begin());
  auto targets = root.getPointerSection();
  for (std::size_t at = 0; at < row.size(); ++at) {
    const FieldPlace& place = table.columns[at].place;
    if (is_pointer(place)) set_pointer(targets[place.offset], row[at]);
  }
  message.requireFilled();
  return bytes;
}

RowValues decode_row(const TableInfo& table, std::string_view bytes) {
  auto view = MessageView::over(bytes);
  try {
    const auto root = view.root<capnp::AnyStruct>();
    RowValues row;
    row.reserve(table.columns.size());
    for (const ColumnInfo& column : table.columns)
      row.push_back(get_field(root, column.place, column));
    return row;
  } catch (const kj::Exception& error) {
    throw MalformedError("unreadable row of " + table.name + ": " + error.getDescription().cStr());
  }
}

}  // namespace tenantry::events
