#include "core/tenancy_store.h"

#include <algorithm>
#include <utility>

#include "core/error.h"

namespace tenantry {

std::uint64_t Beginning::events() const {
  std::uint64_t count = 0;
  for (const auto& [scope, point] : scopes) count += point.seq;
  return count;
}

void throw_history_discarded(const std::string& what, const std::string& hint) {
  constexpr int kNotFound = 5;
  throw UsageError("history_discarded", what, hint, kNotFound);
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
