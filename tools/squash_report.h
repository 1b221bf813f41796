#pragma once

#include <string>
#include <vector>

#include "core/tenancy_store.h"
#include "tools/session.h"

// What a squash did, or would do, for people.
namespace tenantry::tools {

// One record a scope.
void print_squash(Session& session, const SquashReport& report, bool is_plan);
// One record.
void print_redaction(Session& session, const SquashReport& report, bool is_plan);
// In one or two sentences.
[[nodiscard]] std::string squash_summary(const SquashReport& report, bool is_plan);
// A line for each consumer that has not seen all that could go, and for each file that is left.
[[nodiscard]] std::vector<std::string> behind_lines(const SquashReport& report, bool is_plan);
// A document in Markdown; `by` says who did it and why.
[[nodiscard]] std::string squash_markdown(const events::Uuid& store, const SquashReport& report,
                                          const events::Circumstances& by, events::Timestamp now,
                                          bool is_plan);

}  // namespace tenantry::tools
