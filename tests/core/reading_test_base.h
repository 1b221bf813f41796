#pragma once

#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "events/encoding.h"
#include "tests/core/random_history.h"
#include "tests/core/store_test_base.h"

namespace tenantry {

// What a store gives to readers, in words, for comparing it with what another one gives.
class ReadingTestBase : public StoreTestBase {
 protected:
  // Commands of all sorts, of the time that goes by meanwhile.
  [[nodiscard]] std::vector<std::string> history_of(unsigned seed, int commands) {
    RandomHistory history(seed, clock_.now());
    std::vector<std::string> lines = RandomHistory::opening_lines();
    for (std::string& line : lines) {
      line.pop_back();
      line += ",\"at\":\"" + events::format_timestamp(clock_.now()) + "\"}";
    }
    for (int n = 0; n < commands; ++n) lines.push_back(history.next_line());
    clock_.set(history.now());
    return lines;
  }

  // Every event that is read, in words.
  static std::vector<std::string> events_of(const TenancyStore& store, const LogFilter& filter) {
    std::vector<std::string> events;
    store.read_log(filter, [&](const StoredEvent& event) {
      events.push_back(words_of(event));
      return true;
    });
    return events;
  }
  static std::string words_of(const StoredEvent& event) {
    std::string words;
    for (const std::uint64_t number :
         {event.position.value, event.scope_seq, event.version.value,
          static_cast<std::uint64_t>(event.recorded_at.micros), std::uint64_t{event.kind},
          std::uint64_t{event.flags}, std::uint64_t{event.index_in_command},
          std::uint64_t{event.count_in_command}, event.causation,
          static_cast<std::uint64_t>(event.scope)}) {
      words += std::to_string(number) + " ";
    }
    for (const events::Uuid& id : {event.tenant, event.stream, event.actor, event.command}) {
      words += events::format_uuid(id) + " ";
    }
    words.append(event.chain_hash.begin(), event.chain_hash.end());
    return words.append(event.payload);
  }
  static std::string words_of(const StoredRow& row) {
    return events::format_uuid(row.key.tenant) + events::format_uuid(row.key.id) + " " +
           std::to_string(row.version.value) + " " + std::to_string(row.last.value) + row.bytes;
  }
  static std::vector<std::string> keys_of(const StateView& state) {
    std::vector<std::string> keys;
    state.scan_rows(*events::find_table("core_protein"), std::nullopt, [&](const StoredRow& row) {
      keys.push_back(words_of(row));
      return true;
    });
    return keys;
  }
  // Everything that a view tells, in words.
  static std::vector<std::string> rows_of(const StateView& state) {
    std::vector<std::string> words;
    for (const events::TableInfo& table : events::tables()) {
      words.push_back(table.name + " " + std::to_string(state.largest_id(table)));
      std::vector<StoredRow> rows;
      state.scan_rows(table, std::nullopt, [&](const StoredRow& row) {
        rows.push_back(row);
        return true;
      });
      for (const StoredRow& row : rows) {
        words.push_back(words_of(row));
        EXPECT_EQ(words_of(state.row(table, row.key).value()), words.back());
        EXPECT_EQ(words_of(state.row_by_id(table, row.key.id).value()), words.back());
        words.push_back(std::to_string(
            state.stream_version(table, events::stream_id(table, row.key.id)).value));
        const events::RowValues values = events::decode_row(table, row.bytes);
        for (const events::ClaimInfo& claim : table.claims) {
          const auto claimed = claimed_by(claim, values);
          if (!claimed) continue;
          EXPECT_EQ(state.claim_holder(table, claim, *claimed), row.key);
        }
      }
      for (const events::LookupInfo& lookup : table.lookups) {
        constexpr auto kFirst = std::numeric_limits<std::int64_t>::min();
        constexpr auto kLast = std::numeric_limits<std::int64_t>::max();
        state.scan_lookup(table, lookup, kFirst, kLast, [&](const RowKey& key) {
          words.push_back(events::format_uuid(key.tenant) + events::format_uuid(key.id));
          return true;
        });
      }
    }
    return words;
  }
};

}  // namespace tenantry
