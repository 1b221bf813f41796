#pragma once

#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "projections/read_model.h"

// Django's record of what it migrated, the table django_migrations, as far as it speaks of our
// tables. Pure.
namespace tenantry::projections {

inline constexpr std::string_view kDjangoMigrations = "django_migrations";

// (application, migration), as recorded.
using RecordedMigrations = std::set<std::pair<std::string, std::string>>;

// The migrations that stand for our tables, in the order of migrated_applications().
[[nodiscard]] std::vector<Migration> migrations_of(const RecordedMigrations& recorded);

// Whether Django's own migration of auth, which makes auth_user, is on record.
[[nodiscard]] bool has_migrated_users(const RecordedMigrations& recorded);

// Those of them to record: where Django's own migration of auth is on record they are not made by
// Django any more.
[[nodiscard]] std::vector<std::string> unrecorded_applications(const RecordedMigrations& recorded);

// `table` is django_migrations as the database names it in SQL.
[[nodiscard]] std::string record_migration_sql(const std::string& table,
                                               std::string_view application);

// Records of migrations whose tables are gone or that the contract does not know, and tables whose
// migration is not on record. All warnings: they mislead Django, not us.
[[nodiscard]] std::vector<ShapeFinding> compare_migrations(
    const RecordedMigrations& recorded, const std::vector<std::string>& missing_tables,
    const std::string& table);

}  // namespace tenantry::projections
