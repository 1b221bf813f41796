#pragma once

#include <map>
#include <optional>
#include <set>
#include <utility>

#include "events/json.h"
#include "events/kinds.h"

namespace tenantry {

// The rows of a read model as events make them, and nothing else: a plain fold, without any index.
class PlainRows {
 public:
  using Table = std::map<events::Uuid, events::RowValues>;

  void apply(const events::RowChange& change);

  [[nodiscard]] const Table& rows(events::EntityKind kind) const;
  [[nodiscard]] const events::RowValues* find(const events::TableInfo& table,
                                              const events::Uuid& id) const;
  // The tenant that a row belongs to; nullopt for a row of no tenant, or none.
  [[nodiscard]] std::optional<events::Uuid> owner(const events::TableInfo& table,
                                                  const events::Uuid& id) const;

 private:
  std::map<events::EntityKind, Table> tables_;
};

// The tenants whose rows and events a line may change, by what it says and what is there: those it
// names by id, slug, host or invitation, and those that a user who goes leaves behind. `now` is the
// time at which it is decided.
[[nodiscard]] std::set<events::Uuid> touched_tenants(const events::Json& line,
                                                     const PlainRows& rows, events::Timestamp now);

}  // namespace tenantry
