#include "tools/table_report.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace tenantry::tools {
namespace {

using projections::RowDifference;

std::string describe(const RowDifference& row) {
  std::string text = fmt::format("id {} ({}) ", row.id, row.key);
  switch (row.kind) {
    case RowDifference::Kind::kMissing:
      text += "is missing";
      break;
    case RowDifference::Kind::kUnexpected:
      text += "is unknown to the log";
      break;
    case RowDifference::Kind::kDiffers: {
      std::vector<std::string> columns;
      for (const auto& column : row.columns) {
        columns.push_back(
            fmt::format("{} is {}, not {}", column.column, column.found, column.expected));
      }
      text += fmt::format("differs: {}", fmt::join(columns, ", "));
      break;
    }
  }
  if (row.last_event) text += fmt::format("; last written by event {}", row.last_event->value);
  return text;
}

}  // namespace

std::vector<std::string> row_differences(const projections::TableVerification& table) {
  std::vector<std::string> lines;
  for (const RowDifference& row : table.differences) lines.push_back(describe(row));
  const std::uint64_t all = table.missing + table.unexpected + table.differing;
  if (all > lines.size()) lines.push_back(fmt::format("and {} more", all - lines.size()));
  return lines;
}

std::string shown_digest(const Session& session, const std::string& digest) {
  constexpr std::size_t kShown = 12;
  if (!session.prints_table() || digest.size() <= kShown) return digest;
  return digest.substr(0, kShown) + "…";
}

void remark_on_django(const Session& session, projections::ReadModel& target,
                      const std::string& command) {
  // Where Django's own migrations are on record, so are these by now.
  if (std::ranges::all_of(target.migrations(), &projections::Migration::applied)) return;
  session.remark(
      fmt::format("for Django, in this order, before there are tables: `python manage.py migrate "
                  "auth`, `tenantry {}`, `python manage.py migrate --fake-initial`",
                  command));
}

}  // namespace tenantry::tools
