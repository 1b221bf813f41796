#include "core/state.h"

#include <algorithm>
#include <limits>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "core/bytes.h"
#include "core/error.h"
#include "core/hash.h"
#include "core/keys.h"
#include "core/planted.h"
#include "events/text.h"

namespace tenantry {
namespace {

using events::ClaimInfo;
using events::LookupInfo;
using events::RowChange;
using events::RowValues;
using events::TableInfo;
using events::Uuid;
using events::Value;

// A row's value: version, last position, the row.
constexpr std::size_t kRowPrefixBytes = 16;
// No further entry is kept in memory just because it was read.
constexpr std::size_t kEntriesMax = 20'000;
constexpr std::size_t kKeptBytesMax = std::size_t{8} << 20;

std::string encode_entry(Version version, Position last, std::string_view row) {
  std::string value;
  value.reserve(kRowPrefixBytes + row.size());
  append_le(value, version.value);
  append_le(value, last.value);
  return value.append(row);
}

StoredRow decode_entry(const RowKey& key, std::string value, events::Origin origin) {
  if (value.size() < kRowPrefixBytes) throw CorruptionError("a row of the state is cut short");
  const Version version{read_le<std::uint64_t>(value, 0)};
  const Position last{read_le<std::uint64_t>(value, 8)};
  value.erase(0, kRowPrefixBytes);
  return {key, version, last, std::move(value), origin};
}

std::string encode_holder(const RowKey& key) {
  std::string value;
  value.reserve(keys::kHolderBytes);
  append_uuid(value, key.tenant);
  append_uuid(value, key.id);
  return value;
}

// The only holder, or the first of several.
RowKey decode_holder(std::string_view value) {
  if (value.empty() || value.size() % keys::kHolderBytes != 0)
    throw CorruptionError("a claim of the state is cut short");
  return {read_uuid(value, 0), read_uuid(value, 16)};
}

// The first holder in `holders` that is not before `holder`; the end if there is none.
std::size_t holder_place(std::string_view holders, std::string_view holder) {
  std::size_t at = 0;
  while (at < holders.size() && holders.substr(at, keys::kHolderBytes) < holder)
    at += keys::kHolderBytes;
  return at;
}

bool holds(const RowValues& row, std::optional<std::size_t> column, const std::string& wanted) {
  if (!column) return true;
  const auto* text = std::get_if<std::string>(&row[*column]);
  return text != nullptr && *text == wanted;
}

// False for NULL: then nothing is claimed.
bool append_claimed(std::string& bytes, const ClaimInfo& claim, const Value& value) {
  if (const auto* uuid = std::get_if<Uuid>(&value)) {
    append_uuid(bytes, *uuid);
  } else if (const auto* number = std::get_if<std::int64_t>(&value)) {
    append_be(bytes, *number);
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    if (claim.fold) {
      bytes += events::to_ascii_lower(*text);
    } else {
      bytes += *text;
    }
  } else {
    return false;
  }
  return true;
}

std::optional<std::int64_t> looked_up(const LookupInfo& lookup, const RowValues& row) {
  if (!holds(row, lookup.where_column, lookup.where_value)) return std::nullopt;
  const Value& value = row[lookup.column];
  if (const auto* number = std::get_if<std::int64_t>(&value)) return *number;
  if (const auto* time = std::get_if<events::Timestamp>(&value)) return time->micros;
  const auto* text = std::get_if<std::string>(&value);
  if (text != nullptr && !text->empty()) return lookup_value(*text);
  return std::nullopt;
}

// Tables whose rows lie under a tenant that is not the row itself: found by id through an entry of
// their own.
bool lies_under_tenant(const TableInfo& table) {
  return table.owner_column.has_value() && *table.owner_column != table.id_column;
}

RowKey key_of(const TableInfo& table, const RowValues& row) {
  RowKey key{{}, events::entity_key(row[table.id_column])};
  if (table.owner_column) key.tenant = std::get<Uuid>(row[*table.owner_column]);
  return key;
}

using Writing = std::span<const ChangeSet::Change>;

Writing from_key(Writing changes, std::string_view key) {
  const auto found = std::ranges::lower_bound(changes, key, {}, &ChangeSet::Change::key);
  return {found, changes.end()};
}

// Walks the storage's entries as they will be once `writing`, which lies within the same bounds, is
// written.
class StoredCursor {
 public:
  StoredCursor(std::unique_ptr<Cursor> base, Writing writing)
      : base_(std::move(base)), writing_(writing) {
    base_->seek_first();
    settle();
  }
  [[nodiscard]] bool valid() const { return at_writing_ || base_->valid(); }
  [[nodiscard]] std::string_view key() const {
    return at_writing_ ? std::string_view(writing_.front().key) : base_->key();
  }
  [[nodiscard]] std::string_view value() const {
    return at_writing_ ? std::string_view(writing_.front().value) : base_->value();
  }
  void next() {
    if (at_writing_) {
      writing_ = writing_.subspan(1);
    } else {
      base_->next();
    }
    settle();
  }

 private:
  void settle() {
    at_writing_ = false;
    while (!at_writing_ && !writing_.empty()) {
      const ChangeSet::Change& change = writing_.front();
      if (base_->valid() && base_->key() < change.key) return;
      if (base_->valid() && base_->key() == change.key) base_->next();
      if (change.is_delete) {
        writing_ = writing_.subspan(1);
      } else {
        at_writing_ = true;
      }
    }
  }

  std::unique_ptr<Cursor> base_;
  Writing writing_;
  bool at_writing_ = false;
};

std::string encode_row_entry(const TableInfo& table, const RowValues& row, Version version,
                             Position position) {
  return encode_entry(version, position, events::encode_row(table, row));
}

// What a row that is there has in the state: `put` takes keys and values, `take` what it claims.
template <class Put, class Take>
void each_entry(const TableInfo& table, const RowValues& row, const RowKey& key, Version version,
                Position position, Put&& put, Take&& take) {
  put(keys::row(table, key), encode_row_entry(table, row, version, position));
  if (lies_under_tenant(table)) put(keys::by_id(table, key.id), encode_holder(key));
  for (const ClaimInfo& claim : table.claims) {
    if (const auto value = claimed_by(claim, row)) take(claim, *value);
  }
  for (const LookupInfo& lookup : table.lookups) {
    if (const auto value = looked_up(lookup, row)) {
      put(keys::lookup(table, lookup, *value, key), std::string());
    }
  }
}

// Null for none.
const TableInfo* table_of_kind(std::uint8_t kind) {
  if (static_cast<std::uint8_t>(events::store_words().entity) == kind) {
    return &events::store_words();
  }
  const auto found = std::ranges::find(events::tables(), kind, [](const TableInfo& table) {
    return static_cast<std::uint8_t>(table.entity);
  });
  return found == events::tables().end() ? nullptr : &*found;
}

std::string encode_counter(std::int64_t largest_id) {
  std::string value;
  append_le(value, largest_id);
  return value;
}

}  // namespace

StateEntry read_state_entry(std::string_view key, std::string_view value) {
  const auto refuse = [&] {
    throw CorruptionError("an entry of the state that no version wrote: " + events::hex(key));
  };
  if (key.size() < 4) refuse();
  const auto kind = static_cast<std::uint8_t>(key[2]);
  const bool is_counter = kind == keys::kCounter;
  if (!is_counter && kind >= keys::kClaimBit) return {};
  const std::uint8_t entity =
      is_counter ? static_cast<std::uint8_t>(key[3])
                 : static_cast<std::uint8_t>(kind & ~static_cast<unsigned int>(keys::kGoneBit));
  StateEntry entry;
  entry.table = table_of_kind(entity);
  const bool is_gone = !is_counter && (kind & keys::kGoneBit) != 0;
  const std::size_t key_bytes = is_counter ? 4 : is_gone ? 19 : 35;
  const std::size_t value_bytes = is_counter ? 8 : kRowPrefixBytes;
  if (entry.table == nullptr || key.size() != key_bytes || value.size() < value_bytes) refuse();
  if (is_counter) {
    entry.largest_id = read_le<std::int64_t>(value, 0);
    return entry;
  }
  entry.id = read_uuid(key, key_bytes - sizeof(events::Uuid));
  entry.version = {read_le<std::uint64_t>(value, 0)};
  entry.last = {read_le<std::uint64_t>(value, 8)};
  entry.row = value.substr(kRowPrefixBytes);
  if (entry.row.empty() != is_gone) refuse();
  return entry;
}

void does_not_fit(const RowChange& change, Position position, const std::string& why) {
  throw CorruptionError(fmt::format("event {} does not fit the state: {}/{} {}", position.value,
                                    change.table->entity_name,
                                    events::format_entity_id(*change.table, change.id), why));
}

void check_version(const StoredEvent& event, Version version) {
  if (version == event.version) return;
  throw CorruptionError(
      fmt::format("event {} says that it is version {} of its stream; it is version {}",
                  event.position.value, event.version.value, version.value));
}

void require_payload(const StoredEvent& event) {
  if (!is_redacted(event)) return;
  throw CorruptionError(
      fmt::format("event {} was redacted: what it did is not known", event.position.value));
}

std::optional<std::string> without_tenant(std::string_view key, std::string_view value,
                                          const Uuid& tenant) {
  constexpr std::size_t kTenantAt = 3;
  constexpr std::size_t kLookupTenantAt = kTenantAt + 8;
  if (key.size() < 4) throw CorruptionError("an entry of the state that no version wrote");
  const auto kind = static_cast<std::uint8_t>(key[2]);
  const bool is_lookup = kind >= keys::kLookupBit && kind != keys::kCounter;
  const bool is_row = kind < keys::kGoneBit;
  if (is_row || is_lookup) {
    const std::size_t at = is_row ? kTenantAt : kLookupTenantAt;
    if (key.size() < at + tenant.bytes.size()) {
      throw CorruptionError("an entry of the state that no version wrote: " + events::hex(key));
    }
    if (read_uuid(key, at) == tenant) return std::nullopt;
  }
  if (kind < keys::kClaimBit || is_lookup || kind == keys::kCounter) return std::string(value);
  if (value.size() % keys::kHolderBytes != 0) throw CorruptionError("a claim is cut short");
  std::string left;
  for (std::size_t at = 0; at < value.size(); at += keys::kHolderBytes) {
    if (read_uuid(value, at) != tenant) left += value.substr(at, keys::kHolderBytes);
  }
  return left.empty() ? std::nullopt : std::optional(std::move(left));
}

void emit_entries(const FoldedRow& row, const EmitEntry& emit) {
  const TableInfo& table = *row.table;
  if (!row.values) {
    emit(keys::gone(table, row.id), encode_entry(row.version, row.last, {}));
    return;
  }
  const RowKey key = key_of(table, *row.values);
  each_entry(table, *row.values, key, row.version, row.last, emit,
             [&](const ClaimInfo& claim, const std::string& value) {
               emit(keys::claim(table, claim, value), encode_holder(key));
             });
}

bool may_be_shared(std::string_view key) {
  static const std::set<std::uint8_t> kinds = [] {
    std::set<std::uint8_t> found;
    for (const TableInfo& table : events::tables()) {
      for (const ClaimInfo& claim : table.claims) {
        if (claim.fold) found.insert(static_cast<std::uint8_t>(keys::claim(table, claim, {})[2]));
      }
    }
    return found;
  }();
  return kinds.contains(static_cast<std::uint8_t>(key[2]));
}

void add_holder(std::string& holders, std::string_view holder) {
  holders.insert(holder_place(holders, holder), holder);
}

void emit_counter(const TableInfo& table, std::int64_t largest_id, const EmitEntry& emit) {
  if (largest_id != 0) emit(keys::counter(table), encode_counter(largest_id));
}

std::optional<std::string> claimed_by(const ClaimInfo& claim, const RowValues& row) {
  if (!holds(row, claim.where_column, claim.where_value)) return std::nullopt;
  std::string bytes;
  for (const std::size_t column : claim.columns) {
    if (!append_claimed(bytes, claim, row[column])) return std::nullopt;
  }
  return bytes;
}

std::optional<std::string> claim_value(const ClaimInfo& claim, std::span<const Value> values) {
  std::string bytes;
  for (const Value& value : values) {
    if (!append_claimed(bytes, claim, value)) return std::nullopt;
  }
  return bytes;
}

const ClaimInfo& claim_on(const TableInfo& table, std::initializer_list<std::string_view> columns) {
  for (const ClaimInfo& claim : table.claims) {
    const auto name = [&](std::size_t column) -> std::string_view {
      return table.columns[column].name;
    };
    if (std::ranges::equal(claim.columns, columns, {}, name)) return claim;
  }
  throw std::logic_error("no such claim on " + table.name);
}

std::int64_t lookup_value(std::string_view text) {
  return static_cast<std::int64_t>(quick_hash(events::to_ascii_lower(text)));
}

const LookupInfo& lookup_on(const TableInfo& table, std::string_view column) {
  for (const LookupInfo& lookup : table.lookups) {
    if (table.columns[lookup.column].name == column) return lookup;
  }
  throw std::logic_error("no lookup on " + table.name + "." + std::string(column));
}

std::vector<RowKey> StateView::claim_holders(const TableInfo& table, const ClaimInfo& claim,
                                             std::string_view value) const {
  const auto holder = claim_holder(table, claim, value);
  return holder ? std::vector{*holder} : std::vector<RowKey>{};
}

void StateView::scan_rows_after(const TableInfo& table, const std::optional<Uuid>& tenant,
                                const std::optional<RowKey>& after,
                                const std::function<bool(const StoredRow&)>& visit) const {
  scan_rows(table, tenant,
            [&](const StoredRow& row) { return (after && row.key <= *after) || visit(row); });
}

std::optional<StoredRow> StateView::find_row(
    const TableInfo& table, const Uuid& tenant,
    const std::function<bool(const StoredRow&)>& holds) const {
  std::optional<StoredRow> found;
  scan_rows(table, tenant, [&](const StoredRow& row) {
    if (holds(row)) found = row;
    return !found;
  });
  return found;
}

State::Entry State::get(std::string key) const {
  const auto found = entries_.find(key);
  if (found != entries_.end()) return {found->second.now, found->second.origin};
  auto value = get_stored(key);
  const std::size_t bytes = key.size() + (value ? value->size() : 0);
  if (reads_ == Reads::kKeep && entries_.size() < kEntriesMax &&
      kept_bytes_ + bytes <= kKeptBytesMax) {
    entries_[std::move(key)].now = value;
    kept_bytes_ += bytes;
  }
  return {std::move(value), events::Origin::kElsewhere};
}

std::optional<std::string> State::get_stored(const std::string& key) const {
  const Writing change = from_key(writing_, key);
  if (change.empty() || change.front().key != key) return base_.get(Family::kState, key);
  if (change.front().is_delete) return std::nullopt;
  return change.front().value;
}

State::Slot& State::slot(std::string key) {
  const auto [entry, added] = entries_.try_emplace(std::move(key));
  if (added) entry->second.now = get_stored(entry->first);
  return changing(entry);
}

State::Slot& State::changing(Entries::iterator entry) {
  Slot& slot = entry->second;
  if (!slot.changed) {
    slot.changed = true;
    slot.before = slot.now;
    changed_.emplace(entry->first, &slot);
  }
  return slot;
}

void State::put(std::string key, std::string value) { slot(std::move(key)).set(std::move(value)); }

void State::put_new(std::string key, std::string value) {
  changing(entries_.try_emplace(std::move(key)).first).set(std::move(value));
}

void State::remove(std::string key) { slot(std::move(key)).now.reset(); }

std::optional<StoredRow> State::row(const TableInfo& table, const RowKey& key) const {
  Entry entry = get(keys::row(table, key));
  if (!entry.value) return std::nullopt;
  return decode_entry(key, std::move(*entry.value), entry.origin);
}

std::optional<StoredRow> State::row_by_id(const TableInfo& table, const Uuid& id) const {
  if (never_used(table, id)) return std::nullopt;
  if (!lies_under_tenant(table)) return row(table, {table.owner_column ? id : Uuid{}, id});
  const auto holder = get(keys::by_id(table, id)).value;
  if (!holder) return std::nullopt;
  return row(table, decode_holder(*holder));
}

std::optional<RowKey> State::claim_holder(const TableInfo& table, const ClaimInfo& claim,
                                          std::string_view value) const {
  const auto holder = get(keys::claim(table, claim, value)).value;
  if (!holder) return std::nullopt;
  return decode_holder(*holder);
}

std::vector<RowKey> State::claim_holders(const TableInfo& table, const ClaimInfo& claim,
                                         std::string_view value) const {
  std::vector<RowKey> holders;
  const auto entry = get(keys::claim(table, claim, value)).value;
  for (std::string_view rest = entry ? *entry : std::string_view(); !rest.empty();
       rest.remove_prefix(keys::kHolderBytes)) {
    holders.push_back(decode_holder(rest));
  }
  return holders;
}

// Merges the storage's entries with those laid over them, in key order.
void State::scan(const std::string& lower, const std::string& upper, bool is_long,
                 const std::function<bool(std::string_view, std::string_view)>& visit) const {
  const Writing writing = from_key(writing_, lower);
  const Writing beyond = upper.empty() ? Writing{} : from_key(writing, upper);
  StoredCursor cursor(base_.cursor(Family::kState, lower, upper, is_long),
                      writing.first(writing.size() - beyond.size()));
  auto over = changed_.lower_bound(lower);
  const auto over_end = upper.empty() ? changed_.end() : changed_.lower_bound(upper);
  while (cursor.valid() || over != over_end) {
    if (over == over_end || (cursor.valid() && cursor.key() < over->first)) {
      if (!visit(cursor.key(), cursor.value())) return;
      cursor.next();
      continue;
    }
    if (cursor.valid() && cursor.key() == over->first) cursor.next();
    if (over->second->now && !visit(over->first, *over->second->now)) return;
    ++over;
  }
}

void State::scan_rows(const TableInfo& table, const std::optional<Uuid>& tenant,
                      const std::function<bool(const StoredRow&)>& visit) const {
  scan_rows_after(table, tenant, std::nullopt, visit);
}

void State::scan_rows_after(const TableInfo& table, const std::optional<Uuid>& tenant,
                            const std::optional<RowKey>& after,
                            const std::function<bool(const StoredRow&)>& visit) const {
  const std::string lower =
      tenant && !planted(Plant::kNoTenantBound)
          ? keys::rows_of_tenant(table, *tenant)
          : keys::state_prefix(table.scope, static_cast<std::uint8_t>(table.entity));
  const std::string first = after ? keys::row(table, *after) + '\0' : lower;
  scan(first, keys::after_prefix(lower), /*is_long=*/!tenant,
       [&](std::string_view key, std::string_view value) {
         return visit(
             decode_entry(keys::read_row_key(key), std::string(value), events::Origin::kElsewhere));
       });
}

std::optional<StoredRow> State::find_row(const TableInfo& table, const Uuid& tenant,
                                         const std::function<bool(const StoredRow&)>& holds) const {
  std::string range = keys::rows_of_tenant(table, tenant);
  if (const auto last = found_.find(range); last != found_.end()) {
    if (auto again = row(table, last->second); again && holds(*again)) return again;
  }
  auto found = StateView::find_row(table, tenant, holds);
  if (found_.size() >= kEntriesMax) found_.clear();
  if (found) found_[std::move(range)] = found->key;
  return found;
}

void State::scan_lookup(const TableInfo& table, const LookupInfo& lookup, std::int64_t first,
                        std::int64_t last, const std::function<bool(const RowKey&)>& visit) const {
  const std::string upper =
      last == std::numeric_limits<std::int64_t>::max()
          ? keys::after_prefix(keys::state_prefix(table.scope, keys::kLookupBit | lookup.number))
          : keys::lookup_from(table, lookup, last + 1);
  scan(keys::lookup_from(table, lookup, first), upper, /*is_long=*/first != last,
       [&](std::string_view key, std::string_view) { return visit(keys::read_lookup_row(key)); });
}

std::int64_t State::largest_id(const TableInfo& table) const {
  const auto value = get(keys::counter(table)).value;
  return value ? read_le<std::int64_t>(*value, 0) : 0;
}

bool State::never_used(const TableInfo& table, const Uuid& id) const {
  return table.integer_ids && events::integer_id(id) > largest_id(table);
}

Version State::stream_version(const TableInfo& table, const Uuid& id) const {
  if (never_used(table, id)) return {};
  if (const auto row = row_by_id(table, id)) return row->version;
  const auto gone = get(keys::gone(table, id)).value;
  return gone ? Version{read_le<std::uint64_t>(*gone, 0)} : Version{};
}

Version State::apply(const events::EventView& event, events::Timestamp recorded_at,
                     Position position) {
  if (event.kind().effect == events::Effect::NOTE) {
    return note(*event.kind().table, event.entity(), position);
  }
  Version version{};
  for (RowChange& change : events::row_changes(event, recorded_at)) {
    switch (change.effect) {
      case events::Effect::INSERT:
        version = insert(std::move(change), position);
        break;
      case events::Effect::PATCH:
        version = patch(std::move(change), position);
        break;
      case events::Effect::REMOVE:
        version = remove_row(change, position);
        break;
      case events::Effect::RESERVE:
        version = reserve(change, position);
        break;
      case events::Effect::NOTE:  // Changes no row.
        break;
    }
  }
  return version;
}

Version State::insert(RowChange change, Position position) {
  const TableInfo& table = *change.table;
  Version version{1};
  if (!never_used(table, change.id)) {
    if (row_by_id(table, change.id)) does_not_fit(change, position, "exists already");
    version = {stream_version(table, change.id).value + 1};
    remove(keys::gone(table, change.id));
  }
  const bool shares = change.shares_claims;
  RowValues row(table.columns.size());
  events::apply_patch(row, std::move(change));
  const RowKey key = key_of(table, row);
  // No row has this id, so none has this key, and nothing leads to it.
  each_entry(
      table, row, key, version, position,
      [&](std::string entry, std::string value) { put_new(std::move(entry), std::move(value)); },
      [&](const ClaimInfo& claim, const std::string& value) {
        take_claim(table, claim, value, key, shares && claim.fold, position);
      });
  note_id(table, row);
  return version;
}

Version State::patch(RowChange change, Position position) {
  const TableInfo& table = *change.table;
  const RowKey before{change.tenant, change.id};
  const auto stored = row(table, before);
  if (!stored) does_not_fit(change, position, "is not there");
  const Version version{stored->version.value + 1};
  const RowValues old = events::decode_row(table, stored->bytes);
  RowValues row = old;
  events::apply_patch(row, std::move(change));
  const RowKey after = key_of(table, row);
  const bool moves = after != before;
  if (moves) remove(keys::row(table, before));
  put(keys::row(table, after), encode_row_entry(table, row, version, position));
  if (moves && lies_under_tenant(table)) put(keys::by_id(table, after.id), encode_holder(after));
  // What stays as it is is not even looked at.
  for (const ClaimInfo& claim : table.claims) {
    const auto had = claimed_by(claim, old);
    const auto has = claimed_by(claim, row);
    if (had == has && !moves) continue;
    if (had) release_claim(table, claim, *had, before);
    // What is only moved is shared with whom it was shared with.
    if (has) take_claim(table, claim, *has, after, /*shares=*/had == has, position);
  }
  for (const LookupInfo& lookup : table.lookups) {
    const auto had = looked_up(lookup, old);
    const auto has = looked_up(lookup, row);
    if (had == has && !moves) continue;
    if (had) remove(keys::lookup(table, lookup, *had, before));
    if (has) put(keys::lookup(table, lookup, *has, after), {});
  }
  return version;
}

Version State::remove_row(const RowChange& change, Position position) {
  const TableInfo& table = *change.table;
  const RowKey key{change.tenant, change.id};
  const auto stored = row(table, key);
  if (!stored) does_not_fit(change, position, "is not there");
  const Version version{stored->version.value + 1};
  const RowValues row = events::decode_row(table, stored->bytes);
  if (lies_under_tenant(table)) remove(keys::by_id(table, key.id));
  for (const ClaimInfo& claim : table.claims) {
    if (const auto value = claimed_by(claim, row)) release_claim(table, claim, *value, key);
  }
  for (const LookupInfo& lookup : table.lookups) {
    if (const auto value = looked_up(lookup, row)) remove(keys::lookup(table, lookup, *value, key));
  }
  remove(keys::row(table, key));
  put(keys::gone(table, key.id), encode_entry(version, position, {}));
  return version;
}

// A row that was and is gone, so that nothing else ever has the id.
Version State::reserve(const RowChange& change, Position position) {
  const TableInfo& table = *change.table;
  if (!never_used(table, change.id)) does_not_fit(change, position, "was used already");
  const Version version{1};
  put(keys::gone(table, change.id), encode_entry(version, position, {}));
  put(keys::counter(table), encode_counter(events::integer_id(change.id)));
  return version;
}

// The stream of what has no row.
Version State::note(const TableInfo& table, const Uuid& id, Position position) {
  const Version version{stream_version(table, id).value + 1};
  put(keys::gone(table, id), encode_entry(version, position, {}));
  return version;
}

void State::take_claim(const TableInfo& table, const ClaimInfo& claim, const std::string& value,
                       const RowKey& key, bool shares, Position position) {
  Slot& held = slot(keys::claim(table, claim, value));
  const std::string holder = encode_holder(key);
  if (!held.now) return held.set(holder);
  if (!shares) {
    throw CorruptionError(fmt::format(
        "event {} does not fit the state: {}/{} claims what another row holds ({})", position.value,
        table.entity_name, events::format_entity_id(table, key.id), claim.code));
  }
  std::string holders = *held.now;
  add_holder(holders, holder);
  held.set(std::move(holders));
}

void State::release_claim(const TableInfo& table, const ClaimInfo& claim, const std::string& value,
                          const RowKey& key) {
  std::string entry = keys::claim(table, claim, value);
  std::string holders = get(entry).value.value_or("");
  if (holders.size() <= keys::kHolderBytes) return remove(std::move(entry));
  const std::string holder = encode_holder(key);
  const std::size_t at = holder_place(holders, holder);
  if (holders.compare(at, keys::kHolderBytes, holder) != 0) {
    throw CorruptionError("a claim of the state does not name the row that has it");
  }
  put(std::move(entry), holders.erase(at, keys::kHolderBytes));
}

void State::note_id(const TableInfo& table, const RowValues& row) {
  if (!table.integer_ids) return;
  const auto id = std::get<std::int64_t>(row[table.id_column]);
  if (id <= largest_id(table)) return;
  put(keys::counter(table), encode_counter(id));
}

void State::take_changes(ChangeSet& changes, Counters& counters) {
  for (auto& [key, slot] : changed_) {
    if (slot->now == slot->before) continue;
    if (slot->before) counters.subtract(Family::kState, key, *slot->before);
    if (slot->now) {
      counters.add(Family::kState, key, *slot->now);
      changes.put(Family::kState, std::string(key),
                  reads_ == Reads::kKeep ? *slot->now : std::move(*slot->now));
    } else {
      changes.remove(Family::kState, std::string(key));
    }
  }
  keep_reads();
}

void State::keep_reads() {
  for (auto& [key, slot] : changed_) {
    slot->changed = false;
    slot->before.reset();
    kept_bytes_ += key.size() + (slot->now ? slot->now->size() : 0);
  }
  changed_.clear();
  const bool many = entries_.size() > kEntriesMax / 2 || kept_bytes_ > kKeptBytesMax / 2;
  if (reads_ == Reads::kForget || many) forget_entries();
}

void State::set_writing(const ChangeSet& changes) {
  const Writing all(changes.changes());
  const auto of_state = [](const ChangeSet::Change& change) {
    return change.family == Family::kState;
  };
  const auto first = std::ranges::find_if(all, of_state);
  writing_ = {first, std::find_if_not(first, all.end(), of_state)};
}

void State::forget_changes() {
  writing_ = {};
  forget_entries();
}

void State::forget_entries() {
  changed_.clear();
  entries_.clear();
  found_.clear();
  kept_bytes_ = 0;
}

}  // namespace tenantry
