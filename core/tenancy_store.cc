#include "core/tenancy_store.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "core/error.h"

namespace tenantry {
namespace {

constexpr int kNotFoundExit = 5;

}  // namespace

std::uint64_t Beginning::events() const {
  std::uint64_t count = 0;
  for (const auto& [scope, point] : scopes) count += point.seq;
  return count;
}

void throw_history_discarded(const std::string& what, const std::string& hint) {
  throw UsageError("history_discarded", what, hint, kNotFoundExit);
}

void throw_history_redacted(const std::string& what, const std::string& hint) {
  throw UsageError("history_redacted", what, hint, kNotFoundExit);
}

void require_all_known(const RowsAt& rows, const std::optional<events::Uuid>& tenant) {
  constexpr const char* kHint = "ask for that position or a later one";
  for (const auto& [unknown, known] : rows.unknown) {
    if (tenant && unknown != *tenant) continue;
    throw_history_redacted(
        fmt::format(
            "the events of tenant {} were redacted: nobody knows its rows before position {}",
            events::format_uuid(unknown), known.value),
        kHint);
  }
  for (const auto& [stream, owner] : rows.missing) {
    if (tenant && owner != *tenant) continue;
    throw_history_redacted(
        fmt::format("tenant {} had rows from one whose events were redacted: nobody knows them at "
                    "position {}",
                    events::format_uuid(owner), rows.tail.tail.value),
        "ask for a later position");
  }
}

Position Beginning::last() const {
  Position last;
  for (const auto& [scope, point] : scopes) last = std::max(last, point.position);
  return last;
}

std::future<std::vector<Answer>> TenancyStore::submit_later(
    std::vector<events::CommandRequest> commands, SubmitOptions options) {
  const auto promise = std::make_shared<std::promise<std::vector<Answer>>>();
  std::future<std::vector<Answer>> answers = promise->get_future();
  submit_then(std::move(commands), options, [promise](Submitted submitted) {
    if (submitted.fault) {
      promise->set_exception(submitted.fault);
    } else {
      promise->set_value(std::move(submitted.answers));
    }
  });
  return answers;
}

}  // namespace tenantry
