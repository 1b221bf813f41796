#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "projections/read_model.h"

namespace tenantry::projections {

// The statements that merge one staged table into the live one. A rule of uniqueness is checked row
// by row, so values that change hands are parked first: each row that is about to change such a
// value takes one that nobody has.
//
// Lifetime: borrows `table`, a descriptor.
class MergeSql {
 public:
  // As a statement has them: quoted, with the schema where one is needed.
  struct Names {
    std::string live;
    std::string staged;
    std::string changed;  // A table (n, id), empty; n counts its rows, from 1, by itself.
    std::string tenant;   // The tenant of LoadOptions as a value; without one not used.
    std::string document_suffix = {};  // What makes text of a document, where it is not.
  };

  MergeSql(const events::TableInfo& table, const LoadOptions& options, Names names);

  // Live rows that are not staged, of the tenant if there is one.
  [[nodiscard]] std::string select_unknown() const;
  [[nodiscard]] std::string delete_unknown() const;
  // The rows of these ids, which are literals.
  [[nodiscard]] std::string delete_rows(std::span<const std::string> ids) const;
  // In this order: the ids of live rows that differ, room for their unique values, their new
  // values, and the staged rows that are not live.
  [[nodiscard]] std::string collect_changed() const;
  [[nodiscard]] std::vector<std::string> park() const;
  [[nodiscard]] std::string update() const;
  [[nodiscard]] std::string insert() const;

 private:
  [[nodiscard]] std::string from_unknown() const;
  [[nodiscard]] std::string update_changed(const std::string& assignments) const;
  [[nodiscard]] std::string differs(const std::vector<std::size_t>& places) const;

  const events::TableInfo& table_;
  Names names_;
  std::string id_;
  std::string only_;
  std::vector<std::size_t> compared_;
};

// Calls `use` with a few hundred ids after the other: as many as a statement should hold.
template <class Use>
void for_each_piece(std::span<const std::string> ids, Use&& use) {
  constexpr std::size_t kPiece = 500;
  for (; !ids.empty(); ids = ids.subspan(std::min(kPiece, ids.size()))) {
    use(ids.first(std::min(kPiece, ids.size())));
  }
}

}  // namespace tenantry::projections
