#include "projections/sql_text.h"

namespace tenantry::projections {
namespace {

std::string doubled(std::string_view text, char quote) {
  std::string out(1, quote);
  for (const char c : text) {
    out += c;
    if (c == quote) out += c;
  }
  return out + quote;
}

}  // namespace

std::string identifier(std::string_view name) { return doubled(name, '"'); }

std::string text_literal(std::string_view text) { return doubled(text, '\''); }

std::string column_list(const events::TableInfo& table, const std::string& prefix) {
  std::string list;
  for (const events::ColumnInfo& column : table.columns) {
    list += (list.empty() ? "" : ", ") + prefix + identifier(column.name);
  }
  return list;
}

}  // namespace tenantry::projections
