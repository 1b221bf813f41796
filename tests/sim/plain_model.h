#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/event_source.h"
#include "core/state_view.h"
#include "events/kinds.h"

namespace tenantry::sim {

// What a store must hold, kept in plain containers: the events that it gave when they were new, and
// the rows that they make, folded here. Shares nothing with `core`'s state. Small histories only.
class PlainModel {
 public:
  using Rows = std::map<events::Uuid, events::RowValues>;
  using Tables = std::map<const events::TableInfo*, Rows>;

  // Every call gives what is wrong, in words; nothing if all is well.

  // The store's whole log: it begins with what was known before, unchanged, and goes on without a
  // gap. What is new is taken in.
  [[nodiscard]] std::vector<std::string> compare_log(const EventSource& store);
  // The state of the store, which is at the end of what is known.
  [[nodiscard]] std::vector<std::string> compare_state(const StateView& state) const;
  // Rows of a read model that shows the log through `position`; with what the application owns, or
  // without.
  [[nodiscard]] std::vector<std::string> compare_rows(Position position, const Tables& found,
                                                      bool all_columns) const;
  // Rules of the rows themselves: unique values and references.
  [[nodiscard]] std::vector<std::string> broken_rules() const;

  [[nodiscard]] Position tail() const { return {known_.size()}; }
  [[nodiscard]] Tables rows_at(Position position) const;
  // What was known beyond is forgotten: an unanswered end that a crash took away.
  void forget_after(Position position);

 private:
  struct Known {
    std::string payload;
    events::Timestamp recorded_at;
    events::Uuid command;
    std::uint32_t index = 0;
    std::uint32_t count = 0;
    Hash chain{};
    bool operator==(const Known&) const = default;
  };
  static void fold(Tables& tables, const Known& event);
  std::vector<Known> known_;
};

}  // namespace tenantry::sim
