#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "events/tables.h"

namespace tenantry::tools {

// `column=value` conditions on the rows of a table, compared as values of the column's type;
// `null` is NULL where a column can be NULL.
class RowFilter {
 public:
  // Throws UsageError for a text that is no condition, an unknown column, a value of another type.
  RowFilter(const events::TableInfo& table, const std::vector<std::string>& conditions,
            events::Timestamp now);

  [[nodiscard]] bool matches(const events::RowValues& row) const;

 private:
  struct Condition {
    std::size_t column = 0;
    events::Value value;
  };
  std::vector<Condition> conditions_;
};

}  // namespace tenantry::tools
