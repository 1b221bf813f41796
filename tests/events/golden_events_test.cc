#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "tests/events/golden_files.h"

namespace tenantry::events {
namespace {

bool may_write() {
  const char* asked = std::getenv("TENANTRY_WRITE_GOLDEN");
  return asked != nullptr && std::string_view(asked) == "1";
}

bool is_golden(const std::vector<GoldenEvent>& golden, const KindInfo& kind,
               const std::vector<std::string>& carried) {
  return std::ranges::any_of(golden, [&](const GoldenEvent& event) {
    return kind_of(event.stem) == &kind && carried_fields(event.text) == carried;
  });
}

// Some file of the kind carries just these fields, or is written now if that is what we are for.
void expect_golden(const std::vector<GoldenEvent>& golden, const KindInfo& kind,
                   std::string_view stem, const std::vector<std::string>& carried) {
  if (is_golden(golden, kind, carried)) return;
  if (!may_write()) {
    ADD_FAILURE() << "no golden file of " << kind.name << " carries just the fields of " << stem
                  << ". Run this test once with TENANTRY_WRITE_GOLDEN=1: it writes what is missing "
                     "and changes nothing; read and commit what it wrote.";
    return;
  }
  const EncodedEvent bytes = build_event(kind, carried);
  write_golden_event(stem, bytes, describe(kind, carried, bytes));
}

TEST(GoldenEventsTest, EveryKindHasFilesOfAllItsFieldsAndOfThoseItNeeds) {
  const auto golden = golden_events();
  for (const KindInfo& kind : kinds()) {
    expect_golden(golden, kind, kind.name, every_field(kind));
    expect_golden(golden, kind, kind.name + ".minimal", needed_fields(kind));
  }
}

TEST(GoldenEventsTest, NoKindIsForgotten) {
  const auto golden = golden_events();
  EXPECT_GE(golden.size(), 2 * std::size_t{47}) << "files that were released are never removed";
  for (const GoldenEvent& event : golden)
    EXPECT_NE(kind_of(event.stem), nullptr) << event.stem << " is no longer an event";
}

TEST(GoldenEventsTest, StoredBytesDecodeToTheFieldsOnRecord) {
  for (const GoldenEvent& event : golden_events()) {
    SCOPED_TRACE(event.stem);
    const KindInfo& kind = EventView(event.bytes).kind();
    EXPECT_EQ(&kind, kind_of(event.stem));
    const std::string text = describe(kind, carried_fields(event.text), event.bytes);
    EXPECT_EQ(text.substr(0, text.find('\n')), event.text.substr(0, event.text.find('\n')));
    EXPECT_EQ(section(text, "carried"), section(event.text, "carried"));
    EXPECT_EQ(section(text, "decoded"), section(event.text, "decoded"));
  }
}

TEST(GoldenEventsTest, StoredBytesChangeTheRowsOnRecord) {
  for (const GoldenEvent& event : golden_events()) {
    SCOPED_TRACE(event.stem);
    const KindInfo& kind = EventView(event.bytes).kind();
    const std::string text = describe(kind, carried_fields(event.text), event.bytes);
    EXPECT_EQ(section(text, "row changes"), section(event.text, "row changes"));
    EXPECT_NE(section(text, "row changes"), "");
  }
}

TEST(GoldenEventsTest, TheSameValuesStillMakeTheSameBytes) {
  for (const GoldenEvent& event : golden_events()) {
    const KindInfo* kind = kind_of(event.stem);
    ASSERT_NE(kind, nullptr) << event.stem;
    EXPECT_EQ(hex(build_event(*kind, carried_fields(event.text))), hex(event.bytes)) << event.stem;
  }
}

}  // namespace
}  // namespace tenantry::events
