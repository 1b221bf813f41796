#include "projections/contract.h"

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include <openssl/evp.h>

#include "core/error.h"

namespace tenantry::projections {
namespace {

using events::ColumnInfo;
using events::SqlType;
using events::TableInfo;

// The indexes that nothing but speed asks for. Django computes a name where none is given.
struct SpeedIndex {
  std::string_view table;
  std::array<std::string_view, 2> columns;  // The second may be empty.
  std::string_view name = {};
};
constexpr SpeedIndex kSpeedIndexes[] = {
    {"tenants_tenant", {"slug"}},
    {"tenants_tenant", {"is_active"}},
    {"tenants_tenant", {"created_at"}},
    {"tenants_tenantdomain", {"domain"}, "td_domain_idx"},
    {"tenants_tenantdomain", {"tenant_id", "is_primary"}, "td_tenant_primary_idx"},
    {"tenants_tenant_user", {"tenant_id", "is_active"}},
    {"tenants_tenant_user", {"user_id", "is_active"}},
    {"tenants_invitation", {"token"}},
    {"tenants_invitation", {"email", "status"}},
    {"tenants_invitation", {"tenant_id", "status"}},
    {"tenants_invitation", {"expires_at"}},
};
constexpr std::pair<std::string_view, std::string_view> kLateColumns[] = {
    {"tenants_tenantdomain", "is_active"}};
// A unique index over some rows has the name that the application chose.
constexpr std::string_view kPartialUniqueName = "unique_pending_invitation_per_tenant_email";

// Django: the first digits of the MD5 of the parts, one after the other.
std::string names_digest(const std::vector<std::string>& parts, std::size_t length) {
  std::string joined;
  for (const std::string& part : parts) joined += part;
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  TENANTRY_ASSERT(
      EVP_Digest(joined.data(), joined.size(), digest.data(), &size, EVP_md5(), nullptr) == 1);
  return events::hex({reinterpret_cast<const char*>(digest.data()), size}).substr(0, length);
}

std::vector<std::string> names_of(const TableInfo& table, const std::vector<std::size_t>& columns) {
  std::vector<std::string> names;
  names.reserve(columns.size());
  for (const std::size_t place : columns) names.push_back(table.columns[place].name);
  return names;
}

// Django's `_create_index_name`: table, columns, digest, suffix. All of ours are short enough for
// PostgreSQL's 63 characters, beyond which Django would shorten them.
std::string index_name(const TableInfo& table, const std::vector<std::size_t>& columns,
                       std::string_view suffix) {
  std::vector<std::string> parts = names_of(table, columns);
  std::string name = table.name;
  for (const std::string& part : parts) name += "_" + part;
  parts.insert(parts.begin(), table.name);
  name += "_" + names_digest(parts, 8) + std::string(suffix);
  TENANTRY_ASSERT(name.size() <= 63);
  return name;
}

// Django's `Index.set_name_with_model`, for indexes of a model's Meta.
std::string meta_index_name(const TableInfo& table, const std::vector<std::size_t>& columns) {
  std::vector<std::string> parts = names_of(table, columns);
  const std::string first = parts.front().substr(0, 7);
  parts.insert(parts.begin(), table.name);
  parts.emplace_back("idx");
  return table.name.substr(0, 11) + "_" + first + "_" + names_digest(parts, 6) + "_idx";
}

void add_speed_indexes(TableContract& made) {
  const TableInfo& table = *made.table;
  for (const SpeedIndex& declared : kSpeedIndexes) {
    if (declared.table != table.name) continue;
    IndexInfo index;
    for (const std::string_view column : declared.columns) {
      if (!column.empty()) index.columns.push_back(table.find_column(column).value());
    }
    index.name =
        declared.name.empty() ? meta_index_name(table, index.columns) : std::string(declared.name);
    made.indexes.push_back(std::move(index));
  }
}

void add_unique_index(TableContract& made, const events::ClaimInfo& claim) {
  const TableInfo& table = *made.table;
  IndexInfo index;
  index.columns = claim.columns;
  if (claim.where_column) {
    index.use = IndexUse::kPartialUnique;
    index.name = kPartialUniqueName;
    index.where_column = claim.where_column;
    index.where_value = claim.where_value;
  } else if (claim.columns.size() > 1) {
    index.use = IndexUse::kUniqueConstraint;
    index.name = index_name(table, claim.columns, "_uniq");
  } else {
    index.use = IndexUse::kUniqueColumn;
    index.name = table.name + "_" + table.columns[claim.columns.front()].name + "_key";
  }
  const bool text = table.columns[claim.columns.front()].type == SqlType::VARCHAR;
  if (index.use == IndexUse::kUniqueColumn && text) {
    const auto pattern = index_name(table, claim.columns, "_like");
    made.indexes.push_back({IndexUse::kPattern, pattern, claim.columns, {}, {}});
  }
  made.indexes.push_back(std::move(index));
}

bool is_unique_column(const TableInfo& table, std::size_t column) {
  return std::ranges::any_of(table.claims, [&](const events::ClaimInfo& claim) {
    return !claim.where_column && claim.columns == std::vector{column};
  });
}

void add_references(TableContract& made) {
  const TableInfo& table = *made.table;
  for (std::size_t place = 0; place < table.columns.size(); ++place) {
    const ColumnInfo& column = table.columns[place];
    if (column.references.empty()) continue;
    const TableInfo* target = events::find_table(column.references);
    made.foreign_keys.push_back(
        {index_name(table, {place}, "_fk_" + column.references + "_id"), place, target});
    if (is_unique_column(table, place)) continue;
    made.indexes.push_back(
        {IndexUse::kPlain, index_name(table, {place}, ""), {place}, std::nullopt, {}});
  }
}

std::vector<TableContract> make_contract() {
  std::vector<TableContract> all;
  for (const TableInfo& table : events::tables()) {
    TableContract made;
    made.table = &table;
    made.indexes.push_back(
        {IndexUse::kPrimaryKey, table.name + "_pkey", {table.id_column}, std::nullopt, {}});
    for (const events::ClaimInfo& claim : table.claims) add_unique_index(made, claim);
    add_speed_indexes(made);
    add_references(made);
    all.push_back(std::move(made));
  }
  return all;
}

}  // namespace

bool IndexInfo::unique() const { return use != IndexUse::kPlain && use != IndexUse::kPattern; }
bool IndexInfo::is_constraint() const {
  return use == IndexUse::kUniqueColumn || use == IndexUse::kUniqueConstraint;
}

const std::vector<TableContract>& contract() {
  static const std::vector<TableContract> all = make_contract();
  return all;
}

const TableContract& contract_of(const TableInfo& table) {
  const auto found = std::ranges::find(contract(), &table, &TableContract::table);
  TENANTRY_ASSERT(found != contract().end());
  return *found;
}

bool defaults_to_true(const TableInfo& table, std::size_t column) {
  return std::ranges::any_of(kLateColumns, [&](const auto& late) {
    return late.first == table.name && late.second == table.columns[column].name;
  });
}

bool can_be_added(const TableInfo& table, std::size_t column) {
  return table.columns[column].nullable || defaults_to_true(table, column);
}

std::string dangling_hint(const std::string& table, const std::string& target) {
  if (events::find_table(table) == nullptr || target != "auth_user") {
    return "delete or change those rows, then try again; nothing was changed";
  }
  return "rows that the log has, as an import found them, need their user again: `tenantry do "
         "register_user --id N --username NAME`; delete or change others; nothing was changed";
}

std::vector<std::string> migrated_applications() {
  std::vector<std::string> names;
  for (const TableInfo& table : events::tables()) {
    const std::string name(events::scope_name(table.scope));
    if (table.scope != events::Scope::AUTH && std::ranges::find(names, name) == names.end()) {
      names.push_back(name);
    }
  }
  return names;
}

}  // namespace tenantry::projections
