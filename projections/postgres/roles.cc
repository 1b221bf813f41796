#include "projections/postgres/roles.h"

#include <fmt/format.h>

#include "projections/postgres/schema.h"

namespace tenantry::projections::postgres {
namespace {

std::string make_role(const std::string& name, const std::string& options) {
  return fmt::format(
      "DO $$ BEGIN\n"
      "  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = {0}) THEN\n"
      "    CREATE ROLE {1} {2};\n"
      "  END IF;\n"
      "END $$",
      text_literal(name), identifier(name), options);
}

// What `rights` says of a table that is there: `%s` stands for its name.
std::string grant_on_tables(const std::string& schema, const std::string& rights) {
  std::string names;
  for (const events::TableInfo& table : events::tables()) {
    names += (names.empty() ? "" : ", ") + text_literal(qualified(schema, table.name));
  }
  return fmt::format(
      "DO $$ DECLARE name text; BEGIN\n"
      "  FOREACH name IN ARRAY ARRAY[{}] LOOP\n"
      "    CONTINUE WHEN to_regclass(name) IS NULL;\n"
      "    {}\n"
      "  END LOOP;\n"
      "END $$",
      names, rights);
}

// Where they are already, making them again would ask for rights that nobody needs.
std::string make_marks() {
  std::string statements;
  for (const std::string& statement : mark_table_statements()) {
    statements += "    " + statement + ";\n";
  }
  return "DO $$ BEGIN\n  IF to_regclass(" + text_literal(kMarkTable) + ") IS NULL THEN\n" +
         statements + "  END IF;\nEND $$";
}

// What one has no right to grant is not granted, with no more than a warning.
std::string check_rights(const std::string& schema) {
  const auto lacks = [](const std::string& what) { return "NOT has_" + what; };
  const std::string owner = text_literal(kOwnerRole);
  const std::string on_schema = text_literal(schema);
  return "DO $$ BEGIN\n  IF " + lacks("database_privilege(" + owner + ", current_database(), ") +
         "'CREATE') OR " + lacks("schema_privilege(" + owner + ", " + on_schema + ", 'CREATE')") +
         "\n      OR " +
         lacks("schema_privilege(" + text_literal(kReaderRole) + ", " + on_schema + ", 'USAGE')") +
         " THEN\n    RAISE EXCEPTION 'not all rights were granted: run this as the owner of the "
         "database and of the schema %', " +
         on_schema + ";\n  END IF;\nEND $$";
}

std::string run(const std::string& statement, const std::string& argument) {
  return fmt::format("EXECUTE format({}, {});", text_literal(statement), argument);
}

}  // namespace

std::vector<std::string> role_statements(const std::string& schema) {
  const std::string owner = identifier(kOwnerRole);
  const std::string projector = identifier(kProjectorRole);
  const std::string reader = identifier(kReaderRole);
  const std::string both = projector + ", " + reader;
  const std::string marks = std::string(kMarkTable);
  const std::string migrations = qualified(schema, kDjangoMigrations);
  const std::string sequence = "pg_get_serial_sequence(name, 'id')";
  const std::string migrations_sequence =
      "pg_get_serial_sequence(" + text_literal(migrations) + ", 'id')";

  std::vector<std::string> all = {
      make_role(kOwnerRole, "NOLOGIN"),
      make_role(kProjectorRole, "LOGIN"),
      make_role(kReaderRole, "LOGIN"),
      "DO $$ BEGIN\n  " +
          run("GRANT CONNECT, CREATE, TEMPORARY ON DATABASE %I TO " + owner, "current_database()") +
          "\n  " +
          run("GRANT CONNECT, TEMPORARY ON DATABASE %I TO " + projector, "current_database()") +
          "\n  " + run("GRANT CONNECT ON DATABASE %I TO " + reader, "current_database()") +
          "\nEND $$",
      make_marks(),
      // Who may not act for a role cannot say what becomes of the tables it makes.
      "DO $$ BEGIN\n  IF NOT pg_has_role(current_user, " + text_literal(kOwnerRole) +
          ", 'USAGE') THEN\n    GRANT " + owner + " TO CURRENT_USER;\n  END IF;\nEND $$",
  };
  const std::vector<std::string> rights = {
      "GRANT USAGE, CREATE ON SCHEMA " + identifier(schema) + " TO " + owner,
      "GRANT USAGE ON SCHEMA " + identifier(schema) + ", " + identifier(kMarkSchema) + " TO " +
          both + ", " + owner,
      "GRANT SELECT, INSERT, UPDATE, DELETE ON " + marks + " TO " + projector + ", " + owner,
      "GRANT SELECT ON " + marks + " TO " + reader,
      grant_on_tables(
          schema,
          run("GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO " + projector, "name") + "\n    " +
              run("GRANT SELECT, INSERT, UPDATE, DELETE, REFERENCES ON %s TO " + owner, "name") +
              "\n    " + run("GRANT SELECT ON %s TO " + reader, "name") + "\n    CONTINUE WHEN " +
              sequence + " IS NULL;\n    " +
              run("GRANT SELECT, UPDATE ON SEQUENCE %s TO " + projector + ", " + owner, sequence) +
              "\n    " + run("GRANT SELECT ON SEQUENCE %s TO " + reader, sequence)),
      "DO $$ BEGIN\n  IF to_regclass(" + text_literal(migrations) +
          ") IS NULL THEN\n    RETURN;\n  END IF;\n  GRANT SELECT ON " + migrations + " TO " +
          both + ";\n  GRANT SELECT, INSERT ON " + migrations + " TO " + owner + ";\n  IF " +
          migrations_sequence + " IS NOT NULL THEN\n    " +
          run("GRANT USAGE ON SEQUENCE %s TO " + owner, migrations_sequence) +
          "\n  END IF;\nEND $$",
      "ALTER DEFAULT PRIVILEGES FOR ROLE " + owner +
          " GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO " + projector,
      "ALTER DEFAULT PRIVILEGES FOR ROLE " + owner + " GRANT SELECT, UPDATE ON SEQUENCES TO " +
          projector,
      "ALTER DEFAULT PRIVILEGES FOR ROLE " + owner + " GRANT SELECT ON TABLES TO " + reader,
      "ALTER DEFAULT PRIVILEGES FOR ROLE " + owner + " GRANT SELECT ON SEQUENCES TO " + reader,
      "ALTER DEFAULT PRIVILEGES FOR ROLE " + owner + " GRANT USAGE ON SCHEMAS TO " + both,
      check_rights(schema),
  };
  all.insert(all.end(), rights.begin(), rights.end());
  return all;
}

}  // namespace tenantry::projections::postgres
