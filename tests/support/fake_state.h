#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/state_view.h"
#include "events/kinds.h"
#include "events/values.h"

namespace tenantry {

// The state as simply as it can be said: rows in maps, everything else found by looking at all of
// them. A model to test against, fast enough for a few thousand rows.
class FakeState final : public StateView {
 public:
  // Carries out one event. Throws std::logic_error when it does not fit: a row that is there or is
  // not.
  void apply(std::string_view event, events::Timestamp recorded_at);

  // What must hold after each command: no unique value is held twice, no reference points nowhere.
  // One line for each breach.
  [[nodiscard]] std::vector<std::string> breaches() const;

  [[nodiscard]] std::optional<StoredRow> row(const events::TableInfo& table,
                                             const RowKey& key) const override;
  [[nodiscard]] std::optional<StoredRow> row_by_id(const events::TableInfo& table,
                                                   const events::Uuid& id) const override;
  [[nodiscard]] std::optional<RowKey> claim_holder(const events::TableInfo& table,
                                                   const events::ClaimInfo& claim,
                                                   std::string_view value) const override;
  void scan_rows(const events::TableInfo& table, const std::optional<events::Uuid>& tenant,
                 const std::function<bool(const StoredRow&)>& visit) const override;
  void scan_lookup(const events::TableInfo& table, const events::LookupInfo& lookup,
                   std::int64_t first, std::int64_t last,
                   const std::function<bool(const RowKey&)>& visit) const override;
  [[nodiscard]] std::int64_t largest_id(const events::TableInfo& table) const override;
  [[nodiscard]] Version stream_version(const events::TableInfo& table,
                                       const events::Uuid& id) const override;

  // The row's columns; empty when there is none.
  [[nodiscard]] events::RowValues values(const events::TableInfo& table,
                                         const events::Uuid& id) const;

 private:
  struct Row {
    Position last;
    events::RowValues values;
  };
  struct Table {
    std::map<RowKey, Row> rows;
    std::map<events::Uuid, Version> versions;
    std::int64_t largest_id = 0;
  };

  void apply(const events::RowChange& change);
  void add_double_claims(const events::TableInfo& info, std::vector<std::string>& found) const;
  void add_lost_references(const events::TableInfo& info, std::vector<std::string>& found) const;
  [[nodiscard]] const Table& table_named(const std::string& name) const;
  [[nodiscard]] StoredRow stored(const events::TableInfo& table, const RowKey& key,
                                 const Row& row) const;

  std::map<std::string, Table, std::less<>> tables_;
  std::uint64_t tail_ = 0;
};

}  // namespace tenantry
