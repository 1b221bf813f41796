#include "tools/references.h"

#include <charconv>
#include <functional>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/error.h"
#include "events/encoding.h"
#include "events/kinds.h"
#include "events/text.h"
#include "tools/exit_code.h"
#include "tools/near_matches.h"

namespace tenantry::tools {
namespace {

using events::EntityKind;
using events::TableInfo;
using events::Uuid;
using events::Value;

constexpr std::size_t kTokenPrefixMin = 6;

std::optional<std::int64_t> parse_integer(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

bool has_existed(const TenancyStore& store, const TableInfo& table, const Uuid& key) {
  return store.rows_now().rows->stream_version(table, key).value > 0;
}

// The key when `id` has the form of the table's ids.
std::optional<Uuid> parse_id(const TableInfo& table, std::string_view id) {
  if (!table.integer_ids) return events::parse_uuid(id);
  const auto integer = parse_integer(id);
  if (!integer || *integer < 0) return std::nullopt;
  return events::entity_key(*integer);
}

// The rows that there are, for what events that were discarded or redacted do not tell any more.
void add_rows(const TenancyStore& store, const TableInfo& table,
              const std::function<bool(const events::RowValues&)>& matches, std::set<Uuid>& found) {
  if (store.complete_after().value == 0) return;
  const RowsAt now = store.rows_now();
  now.rows->scan_rows(table, std::nullopt, [&](const StoredRow& row) {
    if (matches(events::decode_row(table, row.bytes))) found.insert(row.key.id);
    return true;
  });
}

// Entities of which any event carries a field that `matches`.
std::set<Uuid> find_by_field(
    const TenancyStore& store, const TableInfo& table,
    const std::function<bool(const std::string& name, const Value& value)>& matches) {
  LogFilter filter;
  for (const events::KindInfo& kind : events::kinds()) {
    if (kind.table == &table && kind.effect != events::Effect::REMOVE) {
      filter.kinds.insert(kind.number);
    }
  }
  std::set<Uuid> found;
  store.read_log(filter, [&](const StoredEvent& event) {
    const events::EventView view = view_of(event);
    for (const auto& [field, value] : view.fields()) {
      if (matches(field->name, value)) found.insert(view.entity());
    }
    return true;
  });
  const auto holds = [&](const events::RowValues& row) {
    for (std::size_t place = 0; place < row.size(); ++place) {
      if (matches(table.columns[place].name, row[place])) return true;
    }
    return false;
  };
  add_rows(store, table, holds, found);
  return found;
}

std::set<Uuid> find_by_text(const TenancyStore& store, const TableInfo& table,
                            const std::string& column, const std::string& text) {
  return find_by_field(store, table, [&](const std::string& name, const Value& value) {
    const auto* const held = std::get_if<std::string>(&value);
    return held != nullptr && name == column && *held == text;
  });
}

Uuid only_one(const TenancyStore& store, const TableInfo& table, const std::string& text,
              const std::set<Uuid>& found) {
  if (found.size() == 1) return *found.begin();
  if (found.empty()) {
    const bool all_told = store.complete_after().value == 0;
    throw UsageError(
        "not_found",
        fmt::format("no {} \"{}\" is there, or {}", table.entity_name, text,
                    all_told ? "ever was" : "was as far as the events that are left tell"),
        "tenantry rows " + table.name, static_cast<int>(ExitCode::kNotFound));
  }
  std::vector<std::string> ids;
  ids.reserve(found.size());
  for (const Uuid& key : found) {
    ids.push_back((table.integer_ids ? "id:" : "") + events::format_entity_id(table, key));
  }
  throw UsageError(
      "ambiguous",
      fmt::format("\"{}\" is or was the name of several: {}", text, fmt::join(ids, ", ")),
      "name one of them by its id");
}

// An entity by what stands behind `id:`, or by a UUID.
std::optional<Uuid> by_explicit_id(const TenancyStore& store, const TableInfo& table,
                                   const std::string& text) {
  constexpr std::string_view kPrefix = "id:";
  std::optional<Uuid> key;
  if (text.starts_with(kPrefix)) {
    key = parse_id(table, std::string_view(text).substr(kPrefix.size()));
  } else if (!table.integer_ids) {
    key = events::parse_uuid(text);
  }
  if (!key) return std::nullopt;
  if (has_existed(store, table, *key)) return key;
  return only_one(store, table, text, {});
}

std::set<Uuid> find_invitations(const TenancyStore& store, const TableInfo& table,
                                const std::string& text) {
  const std::string email = events::to_ascii_lower(text);
  return find_by_field(store, table, [&](const std::string& name, const Value& value) {
    const auto* const held = std::get_if<std::string>(&value);
    if (held == nullptr) return false;
    if (name == "email") return events::to_ascii_lower(*held) == email;
    return name == "token" && text.size() >= kTokenPrefixMin && held->starts_with(text);
  });
}

std::set<Uuid> find_members(const TenancyStore& store, const TableInfo& table,
                            const std::string& text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string::npos) return {};
  const Uuid tenant = find_tenant(store, text.substr(0, slash));
  const std::int64_t user = find_user(store, text.substr(slash + 1));
  LogFilter filter;
  filter.tenant = tenant;
  filter.user = user;
  std::set<Uuid> found;
  store.read_log(filter, [&](const StoredEvent& event) {
    const events::EventView view = view_of(event);
    if (view.kind().table != &table) return true;
    found.insert(view.entity());
    return true;
  });
  const auto is_of = [&](const events::RowValues& row) {
    return row[table.owner_column.value()] == Value(tenant) &&
           row[table.find_column("user_id").value()] == Value(user);
  };
  add_rows(store, table, is_of, found);
  return found;
}

std::set<Uuid> find_preferences(const TenancyStore& store, const TableInfo& table,
                                const std::string& text) {
  std::int64_t user = 0;
  try {
    user = find_user(store, text);
  } catch (const UsageError& error) {
    // Digits may still be the id of the preferences.
    if (error.code() != "not_found" || !parse_integer(text)) throw;
    return {};
  }
  return find_by_field(store, table, [&](const std::string& name, const Value& value) {
    const auto* const held = std::get_if<std::int64_t>(&value);
    return held != nullptr && name == "user_id" && *held == user;
  });
}

std::set<Uuid> find_by_name(const TenancyStore& store, const TableInfo& table,
                            const std::string& text) {
  switch (table.entity) {
    case EntityKind::USER:
      return find_by_text(store, table, "username", text);
    case EntityKind::TENANT:
      return find_by_text(store, table, "slug", events::to_ascii_lower(text));
    case EntityKind::DOMAIN:
      return find_by_text(store, table, "domain", events::to_ascii_lower(text));
    case EntityKind::PROTEIN:
      return find_by_text(store, table, "name", text);
    case EntityKind::INVITATION:
      return find_invitations(store, table, text);
    case EntityKind::MEMBER:
      return find_members(store, table, text);
    case EntityKind::PREFERENCES:
      return find_preferences(store, table, text);
    case EntityKind::NONE:
    case EntityKind::STORE:
      break;
  }
  return {};
}

}  // namespace

const TableInfo& named_table(const std::string& name) {
  if (const TableInfo* const table = events::find_table(name)) return *table;
  std::vector<std::string> names;
  for (const TableInfo& table : events::tables()) names.push_back(table.name);
  const std::string near = did_you_mean(name, names);
  throw UsageError("unknown_table", "there is no table \"" + name + "\"",
                   near.empty() ? fmt::format("the tables: {}", fmt::join(names, ", ")) : near);
}

void require_tenants(const TableInfo& table) {
  if (table.owner_column) return;
  throw UsageError("usage", "rows of " + table.name + " belong to no tenant", "leave out --tenant");
}

Uuid find_tenant(const TenancyStore& store, const std::string& text) {
  const TableInfo& table = events::table_of(EntityKind::TENANT);
  if (const auto key = by_explicit_id(store, table, text)) return *key;
  return only_one(store, table, text, find_by_name(store, table, text));
}

std::int64_t find_user(const TenancyStore& store, const std::string& text) {
  const TableInfo& table = events::table_of(EntityKind::USER);
  if (const auto key = by_explicit_id(store, table, text)) return events::integer_id(*key);
  return events::integer_id(only_one(store, table, text, find_by_name(store, table, text)));
}

EntityRef find_entity(const TenancyStore& store, const std::string& text) {
  const std::size_t slash = text.find('/');
  const std::string kind = text.substr(0, slash);
  const EntityKind entity = events::find_entity(kind);
  if (entity == EntityKind::NONE || slash == std::string::npos || slash + 1 == text.size()) {
    std::vector<std::string> kinds;
    for (const TableInfo& table : events::tables()) kinds.push_back(table.entity_name);
    throw UsageError("usage", fmt::format("\"{}\" names no entity", text),
                     fmt::format("KIND/ID or KIND/NAME, where KIND is {}", fmt::join(kinds, ", ")));
  }
  const TableInfo& table = events::table_of(entity);
  const std::string name = text.substr(slash + 1);
  if (const auto key = by_explicit_id(store, table, name)) return {&table, *key};
  std::set<Uuid> found = find_by_name(store, table, name);
  // Streams print as `user/17`: what stands there is an id too.
  const auto id = parse_id(table, name);
  if (id && has_existed(store, table, *id)) found.insert(*id);
  return {&table, only_one(store, table, name, found)};
}

}  // namespace tenantry::tools
