#include "core/row_fold.h"

#include <algorithm>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "core/bytes.h"
#include "core/error.h"
#include "core/state.h"
#include "events/kinds.h"

namespace tenantry {
namespace {

using events::TableInfo;

// Of the scratch database the one whose keys are never looked up.
constexpr Family kSorted = Family::kLog;
constexpr std::size_t kPendingBytesMax = std::size_t{1} << 20;

// A key: the row (table, id), then the position. A value: version, time, payload. The row before
// the events is at position 0: version, last position, row, or nothing for one that is gone.
constexpr std::size_t kRowBytes = 17;
constexpr std::size_t kKeyBytes = kRowBytes + 8;
constexpr std::size_t kPayloadAt = 16;

// In the order in which rows can be loaded; the store comes last.
std::uint8_t number_of(const TableInfo& table) {
  const auto& tables = events::tables();
  if (&table == &events::store_words()) return static_cast<std::uint8_t>(tables.size());
  return static_cast<std::uint8_t>(&table - tables.data());
}
const TableInfo& table_at(std::uint8_t number) {
  return number == events::tables().size() ? events::store_words() : events::tables()[number];
}

std::string sorted_key(const TableInfo& table, const events::Uuid& id, Position position) {
  std::string key;
  key.reserve(kKeyBytes);
  key.push_back(static_cast<char>(number_of(table)));
  append_uuid(key, id);
  append_be(key, position.value);
  return key;
}

std::string sorted_value(const StoredEvent& event) {
  std::string value;
  value.reserve(kPayloadAt + event.payload.size());
  append_le(value, event.version.value);
  append_le(value, event.recorded_at.micros);
  return value.append(event.payload);
}

template <class Read>
void read_event(const StoredEvent& event, Read&& read) {
  require_payload(event);
  try {
    read(events::EventView::over(event.payload, events::Origin::kStored));
  } catch (const events::MalformedError& error) {
    throw CorruptionError(fmt::format("event {}: {}", event.position.value, error.what()));
  }
}

// One row, from its events in their order.
class Row {
 public:
  explicit Row(std::string_view key) {
    row_.table = &table_at(static_cast<std::uint8_t>(key[0]));
    row_.id = read_uuid(key, 1);
  }

  void apply(std::string_view key, std::string_view value) {
    if (read_be<std::uint64_t>(key, kRowBytes) == 0) {
      row_.version = {read_le<std::uint64_t>(value, 0)};
      row_.last = {read_le<std::uint64_t>(value, 8)};
      const std::string_view row = value.substr(kPayloadAt);
      if (!row.empty()) row_.values = events::decode_row(*row_.table, row);
      return;
    }
    StoredEvent event;
    event.position = {read_be<std::uint64_t>(key, kRowBytes)};
    event.version = {read_le<std::uint64_t>(value, 0)};
    event.recorded_at = {read_le<std::int64_t>(value, 8)};
    event.payload = value.substr(kPayloadAt);
    ++row_.version.value;
    row_.last = event.position;
    check_version(event, row_.version);
    read_event(event, [&](const events::EventView& view) {
      for (events::RowChange& change : events::row_changes(view, event.recorded_at)) {
        TENANTRY_ASSERT(change.table == row_.table && change.id == row_.id);
        apply(std::move(change));
      }
    });
  }

  [[nodiscard]] const FoldedRow& folded() const { return row_; }

 private:
  void apply(events::RowChange change) {
    if (change.effect == events::Effect::INSERT) {
      if (row_.values) does_not_fit(change, row_.last, "exists already");
      row_.values.emplace(row_.table->columns.size());
    } else if (change.effect == events::Effect::RESERVE) {
      if (row_.version != Version{1}) does_not_fit(change, row_.last, "was used already");
      return;
    } else if (!row_.values || owner() != change.tenant) {
      does_not_fit(change, row_.last, "is not there");
    }
    if (change.effect == events::Effect::REMOVE) {
      row_.values.reset();
    } else {
      events::apply_patch(*row_.values, std::move(change));
    }
  }

  [[nodiscard]] events::Uuid owner() const {
    if (!row_.table->owner_column) return {};
    return std::get<events::Uuid>((*row_.values)[*row_.table->owner_column]);
  }

  FoldedRow row_;
};

}  // namespace

void RowFold::take_entry(std::string_view key, std::string_view value) {
  const StateEntry entry = read_state_entry(key, value);
  if (entry.table == nullptr) return;
  if (entry.largest_id) {
    largest_ids_[entry.table] = *entry.largest_id;
    return;
  }
  std::string row;
  append_le(row, entry.version.value);
  append_le(row, entry.last.value);
  row.append(entry.row);
  pending_.put(kSorted, sorted_key(*entry.table, entry.id, {0}), std::move(row));
  ++taken_;
  if (pending_.bytes() >= kPendingBytesMax) write_pending();
}

void RowFold::emit(const std::optional<events::Scope>& scope, const EmitEntry& emit) {
  fold([&](const FoldedRow& row) {
    if (!scope || row.table->scope == *scope) emit_entries(row, emit);
    return true;
  });
  for (const events::TableInfo& table : events::tables()) {
    if (table.integer_ids && (!scope || table.scope == *scope)) {
      emit_counter(table, largest_id(table), emit);
    }
  }
}

Counters RowFold::write_entries(const std::optional<events::Scope>& scope, Scratch& state) {
  ChangeSet pending;
  std::map<std::string, std::string> shared;  // Of `pending`, those that others may share.
  Counters counters;
  emit(scope, [&](std::string key, std::string value) {
    counters.add(Family::kState, key, value);
    if (may_be_shared(key)) {
      const auto known = shared.find(key);
      auto holders =
          known != shared.end() ? known->second : state.storage().get(Family::kState, key);
      if (holders) {
        add_holder(*holders, value);
        value = std::move(*holders);
      }
      shared[key] = value;
    }
    pending.put(Family::kState, std::move(key), std::move(value));
    if (pending.bytes() < kPendingBytesMax) return;
    state.write(std::exchange(pending, {}));
    shared.clear();
  });
  state.write(pending);
  return counters;
}

void RowFold::take(const StoredEvent& event) {
  read_event(event, [&](const events::EventView& view) {
    pending_.put(kSorted, sorted_key(*view.kind().table, view.entity(), event.position),
                 sorted_value(event));
  });
  ++taken_;
  if (pending_.bytes() >= kPendingBytesMax) write_pending();
}

void RowFold::write_pending() { scratch_.write(std::exchange(pending_, {})); }

void RowFold::fold(const std::function<bool(const FoldedRow&)>& visit) {
  write_pending();
  scratch_.flush();  // A list in memory would be put in order by every cursor anew.
  const auto finish = [&](const FoldedRow& row) {
    if (row.table->integer_ids) {
      std::int64_t& largest = largest_ids_[row.table];
      largest = std::max(largest, events::integer_id(row.id));
    }
    return visit(row);
  };
  std::optional<Row> row;
  std::string of_row;
  std::uint64_t given = 0;
  const auto cursor = scratch_.storage().cursor(kSorted, {}, {}, /*scan=*/true);
  for (cursor->seek_first(); cursor->valid(); cursor->next()) {
    if (cursor->key().size() != kKeyBytes || cursor->value().size() < kPayloadAt) {
      throw CorruptionError("the scratch database gives back what was not put in");
    }
    if (!row || cursor->key().substr(0, kRowBytes) != of_row) {
      if (row && !finish(row->folded())) return;
      row.emplace(cursor->key());
      of_row = cursor->key().substr(0, kRowBytes);
    }
    row->apply(cursor->key(), cursor->value());
    ++given;
  }
  // A scan can lose keys of a damaged file without an error (a hazard of the packaged RocksDB).
  if (given != taken_) {
    throw CorruptionError(
        fmt::format("the scratch database gives back {} of {} events", given, taken_));
  }
  if (row) finish(row->folded());
}

std::int64_t RowFold::largest_id(const TableInfo& table) const {
  const auto found = largest_ids_.find(&table);
  return found == largest_ids_.end() ? 0 : found->second;
}

}  // namespace tenantry
