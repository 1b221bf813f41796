#pragma once

#include <string>
#include <vector>

#include "core/tenancy_store.h"
#include "tools/printer.h"
#include "tools/row_history.h"

// Events as records of the output.
namespace tenantry::tools {

// The columns of an event, with `changes` or without.
[[nodiscard]] std::vector<Column> event_columns(bool with_changes);

// The cells for event_columns(); `changes` null for none.
[[nodiscard]] std::vector<Cell> event_cells(const StoredEvent& event, events::EventView& view,
                                            const std::vector<FieldChange>* changes, bool reveal);

// To be said wherever an imported event is taken for the beginning of something.
inline constexpr const char* kImportedRemark =
    "it was imported from a database: what was before is not known";

// To be said wherever an event is shown that was redacted.
inline constexpr const char* kRedactedRemark =
    "what some of these events said was redacted; `tenantry show POSITION` tells by whom and why";

// To be said wherever events are shown of which it is not known what they replaced.
inline constexpr const char* kUnknownRemark =
    "what some of these events replaced (`?`, or no `old`) was discarded or redacted";

// To be said wherever the first events of what is shown may be missing.
inline constexpr const char* kDiscardedRemark =
    "a squash has discarded its first events (`tenantry squashes`)";

// `user/17`, `tenant/…`: the kind of entity and its id.
[[nodiscard]] std::string stream_text(const events::EventView& view);

// The fields that the event carries, as a JSON object; `redacted` if they were taken away.
[[nodiscard]] JsonText event_data(events::EventView& view, bool reveal);

// `[{"field":…,"old":…,"new":…}]`, without `old` where it is not known.
[[nodiscard]] JsonText changes_json(const std::vector<FieldChange>& changes, bool reveal);
// `role: user → admin`, a line each.
[[nodiscard]] std::vector<std::string> changes_text(const std::vector<FieldChange>& changes,
                                                    bool reveal);

}  // namespace tenantry::tools
