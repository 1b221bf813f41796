#include "projections/migrations.h"

#include <algorithm>

#include "projections/contract.h"

namespace tenantry::projections {
namespace {

bool is_recorded(const RecordedMigrations& recorded, const std::string& application) {
  return recorded.contains({application, std::string(kMigrationName)});
}

std::string literal(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("''") : std::string(1, c);
  return out + "'";
}

std::string forget_sql(const std::string& table, const std::string& application,
                       const std::string& name) {
  return "DELETE FROM " + table + " WHERE app = " + literal(application) +
         " AND name = " + literal(name);
}

ShapeFinding warning(std::string message, std::string remedy) {
  return {Severity::kWarning, std::string(kDjangoMigrations), std::move(message),
          std::move(remedy)};
}

// The tables of an application that are not there.
std::vector<std::string> missing_of(const std::string& application,
                                    const std::vector<std::string>& missing_tables) {
  std::vector<std::string> missing;
  for (const std::string& name : missing_tables) {
    const events::TableInfo* const table = events::find_table(name);
    if (table != nullptr && events::scope_name(table->scope) == application) {
      missing.push_back(name);
    }
  }
  return missing;
}

}  // namespace

std::vector<Migration> migrations_of(const RecordedMigrations& recorded) {
  std::vector<Migration> all;
  for (const std::string& application : migrated_applications()) {
    all.push_back({application, std::string(kMigrationName), is_recorded(recorded, application)});
  }
  return all;
}

bool has_migrated_users(const RecordedMigrations& recorded) {
  return is_recorded(recorded, "auth");
}

std::vector<std::string> unrecorded_applications(const RecordedMigrations& recorded) {
  std::vector<std::string> names;
  if (!has_migrated_users(recorded)) return names;
  for (const std::string& application : migrated_applications()) {
    if (!is_recorded(recorded, application)) names.push_back(application);
  }
  return names;
}

std::string record_migration_sql(const std::string& table, std::string_view application) {
  return "INSERT INTO " + table + " (app, name, applied) VALUES (" + literal(application) + ", " +
         literal(kMigrationName) + ", CURRENT_TIMESTAMP)";
}

std::vector<ShapeFinding> compare_migrations(const RecordedMigrations& recorded,
                                             const std::vector<std::string>& missing_tables,
                                             const std::string& table) {
  std::vector<ShapeFinding> findings;
  const std::vector<std::string> ours = migrated_applications();
  for (const auto& [application, name] : recorded) {
    if (std::ranges::find(ours, application) == ours.end()) continue;
    const auto missing = missing_of(application, missing_tables);
    if (!missing.empty()) {
      findings.push_back(warning(application + " " + name + " is on record, but the table " +
                                     missing.front() + " is missing",
                                 forget_sql(table, application, name)));
    } else if (name != kMigrationName) {
      // No remedy: if the application has that migration, it should stay.
      findings.push_back(warning(application + " " + name +
                                     " is on record, but is no migration of the read model; it is"
                                     " a ghost if the application has no such file",
                                 {}));
    }
  }
  for (const std::string& application : unrecorded_applications(recorded)) {
    if (!missing_of(application, missing_tables).empty()) continue;
    findings.push_back(warning(application + " " + std::string(kMigrationName) +
                                   " is not on record, but its tables are there",
                               record_migration_sql(table, application)));
  }
  return findings;
}

}  // namespace tenantry::projections
