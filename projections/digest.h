#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "events/tables.h"

// A fingerprint of a table's rows that does not depend on their order, so that a store and a
// database need not sort alike, and that a database can compute itself with sha256() and sum().
//
// Row: SHA-256 over the canonical text of its columns in the order of the descriptor, without the
// application-owned ones. A column is `-` for NULL, else `<bytes>:<text>`. The text: integers
// decimal; booleans `t` or `f`; times as format_timestamp() prints them; UUIDs with dashes in lower
// case; JSON as jsonb prints it; text as it is. A value of another type than its column's is
// `!<bytes>:<text>`. Table: the row hash is eight big-endian 32-bit words; lane i is the sum of
// word i over all rows, modulo 2^64. Printed: SHA-256, in hex, over `<rows>,<lane 0>,…,<lane 7>` in
// decimal.
namespace tenantry::projections {

// What the rows of a table add up to.
struct TableFingerprint {
  std::uint64_t rows = 0;
  std::array<std::uint64_t, 8> lanes{};
  [[nodiscard]] std::string hex() const;
  bool operator==(const TableFingerprint&) const = default;
};

class TableDigest {
 public:
  explicit TableDigest(const events::TableInfo& table);
  TableDigest(const TableDigest&) = delete;
  TableDigest& operator=(const TableDigest&) = delete;
  TableDigest(TableDigest&&) noexcept;
  TableDigest& operator=(TableDigest&&) noexcept;
  ~TableDigest();

  void add(const events::RowValues& row);
  void remove(const events::RowValues& row);  // The row was added before.

  [[nodiscard]] std::uint64_t rows() const { return sums_.rows; }
  [[nodiscard]] const TableFingerprint& fingerprint() const { return sums_; }
  [[nodiscard]] std::string hex() const { return sums_.hex(); }

 private:
  struct Hasher;
  std::array<std::uint32_t, 8> hash_row(const events::RowValues& row);

  const events::TableInfo* table_;
  std::unique_ptr<Hasher> hasher_;
  TableFingerprint sums_;
};

// The text that is hashed for one row; exposed for targets that compute it in SQL and for tests.
[[nodiscard]] std::string canonical_row_text(const events::TableInfo& table,
                                             const events::RowValues& row);

}  // namespace tenantry::projections
