#include "core/bytes.h"
#include "core/error.h"
#include "core/state.h"
#include "core/storage.h"
#include "events/kinds.h"
#include "events/text.h"
#include "tests/fuzz/targets.h"

namespace tenantry::fuzz {
namespace {

using events::EventView;
using events::Origin;
using events::RowChange;
using events::Timestamp;

void check_value(const events::Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) {
    require(events::is_storable_text(*text), "a text that was read can be stored");
  } else if (const auto* time = std::get_if<Timestamp>(&value)) {
    require(events::parse_timestamp(events::format_timestamp(*time)) == *time,
            "a time that was read can be written");
  }
}

void check_row(const RowChange& change) {
  events::RowValues row(change.table->columns.size());
  events::apply_patch(row, change);
  const events::EncodedRow bytes = events::encode_row(*change.table, row);
  require(events::decode_row(*change.table, bytes) == row, "a new row reads as it was written");
}

void check_change(const RowChange& change, const EventView& view) {
  require(change.table == view.kind().table && change.id == view.entity() &&
              change.tenant == view.tenant(),
          "an event changes the row that it is about");
  for (const auto& [place, value] : change.columns) {
    require(place < change.table->columns.size(), "a change sets columns of its table");
    check_value(value);
  }
  if (change.effect == events::Effect::INSERT) check_row(change);
}

// On no rows at all: an insert fits, nothing else does.
void apply_to_nothing(const EventView& view) {
  static const std::unique_ptr<Storage> nothing = make_memory_storage();
  State state(*nothing);
  bool fits = true;
  try {
    (void)state.apply(view, kNow, Position{1});
  } catch (const CorruptionError&) {
    fits = false;
  }
  const events::Effect effect = view.kind().effect;
  const bool reserves = effect == events::Effect::RESERVE && events::integer_id(view.entity()) > 0;
  require(fits == (effect == events::Effect::INSERT || effect == events::Effect::NOTE || reserves),
          "without rows, inserts fit, ids that can be given out, and what touches none");
}

// Cap'n Proto takes any offset for canonical in the pointer to a list without content, and writes
// 0. Only fields that this version does not know can hold one: a text has its NUL, an id 16 bytes.
bool points_to_nothing(std::uint64_t word) {
  constexpr std::uint64_t kListPointer = 1;
  const bool no_elements = word >> 35U == 0;
  const bool no_bits_each = ((word >> 32U) & 7U) == 0;
  return (word & 3U) == kListPointer && (no_elements || no_bits_each);
}

void check_encoding(const EventView& view, std::string_view bytes) {
  const std::string again = events::encode_canonical(view.event());
  require(again.size() == bytes.size(), "what is canonical encodes to as many bytes");
  for (std::size_t at = 0; at < again.size(); at += sizeof(std::uint64_t)) {
    const auto word = read_le<std::uint64_t>(bytes, at);
    require(read_le<std::uint64_t>(again, at) == word || points_to_nothing(word),
            "what is canonical encodes the same");
  }
  require(events::encode_canonical(EventView(again).event()) == again,
          "what was encoded encodes the same");
}

// False for bytes that are no event.
bool read(std::string_view bytes, Origin origin) {
  try {
    const auto view = EventView::over(bytes, origin);
    (void)view.concerns_user(1);
    for (const auto& [field, value] : view.fields()) check_value(value);
    const auto changes = row_changes(view, kNow);
    const bool notes = view.kind().effect == events::Effect::NOTE;
    require(changes.size() == (notes ? 0 : 1), "an event changes one row, or is about the store");
    if (!notes) check_change(changes.front(), view);
    apply_to_nothing(view);
    if (origin == Origin::kElsewhere) check_encoding(view, bytes);
    return true;
  } catch (const events::MalformedError&) {
    return false;
  }
}

}  // namespace

void run_event(std::string_view input) {
  const bool canonical = read(input, Origin::kElsewhere);
  // Behind a checksum nobody looks whether bytes are canonical: others may be read, but safely.
  const bool stored = read(input, Origin::kStored);
  require(stored || !canonical, "what is read from elsewhere can be read from the log");
}

}  // namespace tenantry::fuzz
