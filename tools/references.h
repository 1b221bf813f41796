#pragma once

#include <cstdint>
#include <string>

#include "core/tenancy_store.h"
#include "events/tables.h"

// References as people type them where history is read: they match entities that are gone, and
// names that were given up. Former names are found by reading the log.
// Errors: UsageError `not_found` (exit 5) when nothing matches, `ambiguous` (exit 2), which lists
// the ids, when several entities do.
namespace tenantry::tools {

struct EntityRef {
  const events::TableInfo* table = nullptr;
  events::Uuid key;  // events::entity_key()
};

// A table by its name. Throws UsageError `unknown_table`.
[[nodiscard]] const events::TableInfo& named_table(const std::string& name);
// Throws UsageError `usage` for a table whose rows belong to no tenant.
void require_tenants(const events::TableInfo& table);

// A UUID or a slug.
[[nodiscard]] events::Uuid find_tenant(const TenancyStore& store, const std::string& text);
// A username, also one of digits, or `id:N`.
[[nodiscard]] std::int64_t find_user(const TenancyStore& store, const std::string& text);
// `tenant/acme`, `user/ann`, `domain/acme.example`, `protein/Beef`, `preferences/ann`,
// `member/acme/ann`, `invitation/PREFIX` (of its token, at least six characters, or its e-mail);
// any kind also with the entity's id, as events print their stream, or `id:N`.
[[nodiscard]] EntityRef find_entity(const TenancyStore& store, const std::string& text);

}  // namespace tenantry::tools
