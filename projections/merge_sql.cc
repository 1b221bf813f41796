#include "projections/merge_sql.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "projections/sql_text.h"

namespace tenantry::projections {
namespace {

using events::ColumnInfo;
using events::SqlType;

// No name has a blank in it, no id is negative.
std::string parking_place(const ColumnInfo& column) {
  if (column.nullable) return "NULL";
  const bool number = column.type == SqlType::INTEGER || column.type == SqlType::BIGINT;
  return number ? "-c.n" : "'being merged ' || c.n";
}

}  // namespace

MergeSql::MergeSql(const events::TableInfo& table, const LoadOptions& options, Names names)
    : table_(table),
      names_(std::move(names)),
      id_(identifier(table.columns[table.id_column].name)) {
  for (std::size_t place = 0; place < table.columns.size(); ++place) {
    const bool kept =
        table.columns[place].application_owned && !options.restore_application_columns;
    if (place != table.id_column && !kept) compared_.push_back(place);
  }
  if (options.tenant && table.owner_column) {
    only_ = " AND t." + identifier(table.columns[*table.owner_column].name) + " = " + names_.tenant;
  }
}

std::string MergeSql::select_unknown() const { return "SELECT t." + id_ + from_unknown(); }

std::string MergeSql::delete_unknown() const { return "DELETE" + from_unknown(); }

std::string MergeSql::delete_rows(std::span<const std::string> ids) const {
  return fmt::format("DELETE FROM {} AS t WHERE t.{} IN ({})", names_.live, id_,
                     fmt::join(ids, ", "));
}

std::string MergeSql::collect_changed() const {
  return "INSERT INTO " + names_.changed + " (id) SELECT t." + id_ + " FROM " + names_.live +
         " AS t JOIN " + names_.staged + " AS s ON s." + id_ + " = t." + id_ + " WHERE " +
         differs(compared_);
}

std::vector<std::string> MergeSql::park() const {
  std::vector<std::string> statements;
  for (const events::ClaimInfo& claim : table_.claims) {
    const ColumnInfo& column = table_.columns[claim.columns.back()];
    std::vector<std::size_t> decisive = claim.columns;
    if (claim.where_column) decisive.push_back(*claim.where_column);
    statements.push_back(update_changed(identifier(column.name) + " = " + parking_place(column)) +
                         " AND (" + differs(decisive) + ")");
  }
  return statements;
}

std::string MergeSql::update() const {
  std::string assignments;
  for (const std::size_t place : compared_) {
    const std::string name = identifier(table_.columns[place].name);
    assignments += (assignments.empty() ? "" : ", ") + name + " = s." + name;
  }
  return update_changed(assignments);
}

std::string MergeSql::insert() const {
  return "INSERT INTO " + names_.live + " (" + column_list(table_) + ") SELECT " +
         column_list(table_, "s.") + " FROM " + names_.staged +
         " AS s WHERE NOT EXISTS (SELECT 1 FROM " + names_.live + " AS t WHERE t." + id_ + " = s." +
         id_ + ")";
}

std::string MergeSql::from_unknown() const {
  return " FROM " + names_.live + " AS t WHERE NOT EXISTS (SELECT 1 FROM " + names_.staged +
         " AS s WHERE s." + id_ + " = t." + id_ + ")" + only_;
}

std::string MergeSql::update_changed(const std::string& assignments) const {
  return "UPDATE " + names_.live + " AS t SET " + assignments + " FROM " + names_.changed +
         " AS c, " + names_.staged + " AS s WHERE c.id = t." + id_ + " AND s." + id_ + " = t." +
         id_;
}

// Documents are compared as they print: 1.0 and 1 are equal numbers, and another text.
std::string MergeSql::differs(const std::vector<std::size_t>& places) const {
  std::string any;
  for (const std::size_t place : places) {
    const ColumnInfo& column = table_.columns[place];
    const std::string name =
        identifier(column.name) + (column.type == SqlType::JSONB ? names_.document_suffix : "");
    any += (any.empty() ? "t." : " OR t.") + name + " IS DISTINCT FROM s." + name;
  }
  return any.empty() ? "false" : any;
}

}  // namespace tenantry::projections
