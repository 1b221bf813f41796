#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "events/encoding.h"
#include "events/kinds.h"

// The golden files of events (tests/golden/README.md), and what they are made of.
namespace tenantry::events {

// `<stem>.hex` and `<stem>.txt`; a stem is a kind's name, perhaps with something behind a dot.
struct GoldenEvent {
  std::string stem;
  EncodedEvent bytes;
  std::string text;
};

// In the order of their names.
[[nodiscard]] std::vector<GoldenEvent> golden_events();

// Every field of a kind with those of the envelope (`event.actor`), or only those it cannot do
// without: its id, its tenants, and the documents of a new row.
[[nodiscard]] std::vector<std::string> every_field(const KindInfo& kind);
[[nodiscard]] std::vector<std::string> needed_fields(const KindInfo& kind);

// An event that carries just the fields named. A field's value follows from the numbers of its kind
// and of the field, so that today's program makes the bytes of any earlier one.
[[nodiscard]] EncodedEvent build_event(const KindInfo& kind,
                                       const std::vector<std::string>& carried);

// The text beside the bytes: what was put in, what comes out, and what it does to a row.
[[nodiscard]] std::string describe(const KindInfo& kind, const std::vector<std::string>& carried,
                                   std::string_view bytes);

// The names under `[carried]` of such a text, and the lines under any heading.
[[nodiscard]] std::vector<std::string> carried_fields(std::string_view text);
[[nodiscard]] std::string section(std::string_view text, std::string_view heading);

// The kind that a stem speaks of; null for none.
[[nodiscard]] const KindInfo* kind_of(std::string_view stem);

// Writes `<stem>.hex` and `<stem>.txt` under a stem that is still free.
void write_golden_event(std::string_view stem, const EncodedEvent& bytes, const std::string& text);

}  // namespace tenantry::events
