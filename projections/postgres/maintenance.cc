#include "projections/postgres/maintenance.h"

#include <algorithm>
#include <functional>

#include "core/error.h"

namespace tenantry::projections::postgres {
namespace {

// A foreign key of whatever application.
struct ForeignKey {
  std::string table;  // Quoted where needed, as are the next three.
  std::string column;
  std::string target;
  std::string target_column;
  std::string name;  // For people: `shop_order.buyer_id`.
  std::string table_name;
  std::string target_name;
  bool readable = false;
};

std::optional<ForeignKey> find_foreign_key(Connection& connection, const ServerError& error) {
  const Result found = connection.query(
      "SELECT k.conrelid::regclass::text, quote_ident(a.attname), k.confrelid::regclass::text,"
      " quote_ident(fa.attname), c.relname || '.' || a.attname, c.relname, f.relname,"
      " has_table_privilege(c.oid, 'SELECT')"
      " FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid"
      " JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_class f ON f.oid = k.confrelid"
      " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.conkey[1]"
      " JOIN pg_attribute fa ON fa.attrelid = f.oid AND fa.attnum = k.confkey[1]"
      " WHERE n.nspname = $1 AND c.relname = $2 AND k.conname = $3",
      {error.schema, error.table, error.constraint});
  if (found.rows() == 0) return std::nullopt;
  const auto text = [&](int column) { return std::string(found.text(0, column)); };
  return ForeignKey{text(0), text(1), text(2), text(3), text(4), text(5), text(6), text(7) == "t"};
}

// One of ours that could not be made.
std::optional<ForeignKey> wanted_foreign_key(const ServerError& error) {
  const events::TableInfo* const table = events::find_table(error.table);
  if (table == nullptr) return std::nullopt;
  for (const ForeignKeyInfo& key : contract_of(*table).foreign_keys) {
    if (key.name != error.constraint) continue;
    const events::TableInfo& target = *key.references;
    const std::string& column = table->columns[key.column].name;
    return ForeignKey{qualified(error.schema, table->name),
                      identifier(column),
                      qualified(error.schema, target.name),
                      identifier(target.columns[target.id_column].name),
                      table->name + "." + column,
                      table->name,
                      target.name,
                      true};
  }
  return std::nullopt;
}

// How many rows dangle, and of rows of ours a few of the ids that they name.
std::string describe(Connection& connection, const ForeignKey& key,
                     const std::optional<std::string>& gone) {
  constexpr const char* kShown = "5";
  std::string count = "some";
  std::string ids;
  if (key.readable) {
    const std::string dangling =
        " FROM " + key.table + " r WHERE " +
        (gone ? "r." + key.column + " IN (" + *gone + ")"
              : "r." + key.column + " IS NOT NULL AND NOT EXISTS (SELECT 1 FROM " + key.target +
                    " p WHERE p." + key.target_column + " = r." + key.column + ")");
    count = connection.query("SELECT count(*)" + dangling).text(0, 0);
    if (events::find_table(key.table_name) != nullptr) {
      ids = connection
                .query("SELECT ': ' || string_agg(id, ', ') FROM (SELECT DISTINCT r." + key.column +
                       "::text AS id" + dangling + " ORDER BY 1 LIMIT " + kShown + ") AS x")
                .text(0, 0);
    }
  }
  return key.name + ": " + count + " row(s) refer to rows of " + key.target_name +
         " that are gone" + ids;
}

// Calls `body`, which makes what is missing, after every other session that does so.
void making(Connection& connection, const std::function<void()>& body) {
  // The letters of `tenantry`, a number that nobody else has for a lock.
  connection.execute("SELECT pg_advisory_xact_lock(x'74656e616e747279'::bigint)");
  try {
    body();
  } catch (const AlreadyThere& error) {  // By somebody who does not take that lock.
    throw UnavailableError(connection.name() + ": " + error.what(),
                           "somebody else makes the same tables at this moment; try again");
  } catch (const ConstraintViolation& violation) {
    throw UsageError("read_model_conflict",
                     connection.name() + ": rows that are there break a rule of the read model: " +
                         violation.what(),
                     "delete or change those rows, then try again; nothing was changed", 4);
  }
}

}  // namespace

void raise_referenced(Connection& connection, const ServerError& error,
                      const std::optional<std::string>& gone) {
  const auto key = find_foreign_key(connection, error);
  throw UsageError(
      "read_model_referenced",
      key ? describe(connection, *key, gone) : connection.name() + ": " + error.message,
      key && !gone ? dangling_hint(key->table_name, key->target_name) : dangling_hint({}, {}), 4);
}

void make_foreign_key(Connection& connection, const std::string& sql) {
  connection.execute("SAVEPOINT tenantry_key");
  try {
    connection.execute(sql);
    connection.execute("RELEASE SAVEPOINT tenantry_key");
  } catch (const ConstraintViolation& violation) {
    const auto key = wanted_foreign_key(violation.error());
    if (!key) throw;
    connection.execute("ROLLBACK TO SAVEPOINT tenantry_key");
    throw UsageError("read_model_conflict",
                     connection.name() + ": " + describe(connection, *key, std::nullopt),
                     dangling_hint(key->table_name, key->target_name), 4);
  }
}

Catalogue read_catalogue(Connection& connection, const std::string& schema) {
  const Result found = connection.query(kCatalogueQuery, {schema});
  Catalogue catalogue;
  for (int row = 0; row < found.rows(); ++row) {
    add_catalogue_row(catalogue, found.text(row, 0), std::string(found.text(row, 1)),
                      std::string(found.text(row, 2)));
  }
  if (!catalogue.tables.contains(kDjangoMigrations)) return catalogue;
  const Result recorded = connection.query(recorded_migrations_sql(schema));
  for (int row = 0; row < recorded.rows(); ++row) {
    catalogue.recorded.emplace(recorded.text(row, 0), recorded.text(row, 1));
  }
  return catalogue;
}

void create_schema(Connection& connection, const std::string& schema) {
  // IF NOT EXISTS would ask for the right to make schemas even where there is nothing to do.
  const Result there =
      connection.query("SELECT to_regnamespace(quote_ident($1)) IS NOT NULL", {schema});
  if (there.text(0, 0) != "t") connection.execute("CREATE SCHEMA " + identifier(schema));
}

std::vector<std::string> create_missing(Connection& connection, const std::string& schema) {
  std::vector<std::string> made;
  making(connection, [&] {
    create_schema(connection, schema);
    const Catalogue catalogue = read_catalogue(connection, schema);
    for (const SchemaStatement& statement :
         missing_statements(catalogue, schema, connection.name())) {
      if (statement.foreign_key) {
        make_foreign_key(connection, statement.sql);
      } else {
        connection.execute(statement.sql);
      }
      if (!statement.made.empty()) made.push_back(statement.made);
    }
    std::ranges::move(record_migrations(connection, schema, catalogue), std::back_inserter(made));
  });
  return made;
}

void create_missing_tables(Connection& connection, const std::string& schema) {
  making(connection, [&] {
    create_schema(connection, schema);
    for (const SchemaStatement& statement :
         missing_statements(read_catalogue(connection, schema), schema, connection.name())) {
      if (!statement.foreign_key) connection.execute(statement.sql);
    }
  });
}

std::vector<std::string> record_migrations(Connection& connection, const std::string& schema,
                                           const Catalogue& catalogue) {
  std::vector<std::string> made;
  for (const SchemaStatement& statement : migration_statements(catalogue.recorded, schema)) {
    connection.execute(statement.sql);
    made.push_back(statement.made);
  }
  return made;
}

void raise_sequence(Connection& connection, const std::string& schema,
                    const events::TableInfo& table, std::int64_t id) {
  if (!table.integer_ids || id <= 0) return;
  static_cast<void>(connection.repeat(
      "SELECT setval(found.name::regclass, $3::bigint)"
      " FROM (SELECT pg_get_serial_sequence($1, $2) AS name) AS found"
      " WHERE found.name IS NOT NULL"
      " AND coalesce(pg_sequence_last_value(found.name::regclass), 0) < $3::bigint",
      {qualified(schema, table.name), table.columns[table.id_column].name, std::to_string(id)}));
}

void check_references(Connection& connection) {
  try {
    connection.execute("SAVEPOINT tenantry_references; SET CONSTRAINTS ALL IMMEDIATE");
  } catch (const ConstraintViolation& violation) {
    if (!violation.foreign_key()) {
      throw UsageError("read_model_conflict", connection.name() + ": " + violation.what(),
                       "`tenantry verify` names the rows that differ", 4);
    }
    connection.execute("ROLLBACK TO SAVEPOINT tenantry_references");
    raise_referenced(connection, violation.error(), std::nullopt);
  }
}

}  // namespace tenantry::projections::postgres
