#pragma once

#include <string>
#include <vector>

// Who may do what in a database: the statements that make the roles and give them their rights.
namespace tenantry::projections::postgres {

// Makes tables and fills them, of others it fills what is there: `schema apply`, rebuilds of absent
// tables. Cannot log in; a role that is a member of it takes it on (`options=-c
// role=tenantry_owner` in the URL).
inline constexpr const char* kOwnerRole = "tenantry_owner";
// Writes rows: `project`, rebuilds in place, `schema adopt`. Makes, changes and empties no table.
inline constexpr const char* kProjectorRole = "tenantry_projector";
// Reads: `verify`, `schema check`, `import`.
inline constexpr const char* kReaderRole = "tenantry_reader";

// In order, each without a semicolon; for who may make roles and owns the database, `schema` and
// its tables, and becomes a member of kOwnerRole. What is there already stays; tables that are not
// there yet are covered when kOwnerRole makes them. Fails where rights could not be granted.
[[nodiscard]] std::vector<std::string> role_statements(const std::string& schema);

}  // namespace tenantry::projections::postgres
